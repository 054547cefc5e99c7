//! Opening and closing the broker: state files, store, topics, offsets, producers, in the order they need each other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use gantry_store::disk::Disk;
use gantry_store::{CloseError, OpenError, Progress, QueueKind as StoreKind, Store, StoreConfig};
use serde::{Deserialize, Serialize};
use tracing::{error, info};
use uuid::Uuid;

use super::client_calls::CallDesk;
use super::clients::ClientDesk;
use super::config::{ConfigDesk, Configuration};
use super::counters::Counters;
use super::fetch_sessions::SessionDesk;
use super::group_files::GroupFiles;
use super::group_settings::SettingsDesk;
use super::groups::GroupDesk;
use super::offsets::OffsetFiles;
use super::park::Parked;
use super::persist::{Persist, StateFile, StateFiles};
use super::producer_files::ProducerDesk;
use super::queue_locks::LockDesk;
use super::requests::Requests;
use super::retention::RetentionClock;
use super::side_json::SideJson;
use super::statistics::Statistics;
use super::topic_files::TopicFiles;
use super::topic_news::TopicNews;
use super::topics::TopicDesk;
use super::unique_ids::UniqueIds;
use super::{Broker, BrokerConfig, BrokerSettings, Identity};
use crate::limits;
use crate::mapping::decoded_cache::DecodedCache;
use crate::semantics::Millis;
use crate::semantics::kafka_configs::KafkaConfigs;
use crate::semantics::offset_expiry::OffsetExpiry;
use crate::semantics::topics::QueueKind;

/// What a broker is opened with.
pub struct OpenBroker {
    /// Names and addresses; `cluster_id` is replaced by the directory's.
    pub identity: Identity,
    /// Switches and bounds.
    pub settings: BrokerSettings,
    /// The store's own settings.
    pub store: StoreConfig,
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// Milliseconds since 1970.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// The broker's settings as Kafka clients are told; those behind settings of topics are left out.
    pub configs: Vec<BrokerConfig>,
    /// Where the settings come from, and which may change.
    pub configuration: Arc<dyn Configuration>,
}

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A state file cannot be read or written.
    #[error("state files below {root}: {cause}", root = root.display())]
    State {
        /// The data directory.
        root: PathBuf,
        /// What happened.
        #[source]
        cause: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct IdentityFile {
    cluster_id: String,
}

impl Broker {
    /// Opens the broker on its data directory. Blocks until it is recovered; `progress` is called while the log is
    /// scanned.
    ///
    /// # Errors
    /// What cannot be read, opened or written.
    pub fn open(open: OpenBroker, progress: &mut dyn FnMut(Progress)) -> Result<Arc<Self>, StartError> {
        let root = open.store.root.clone();
        let state = |cause| StartError::State { root: root.clone(), cause };
        let (config, own) = (root.join("config"), root.join("gantry"));
        let OpenBroker { mut identity, settings, store, disk, clock, configs, configuration } = open;
        let topic_files = TopicFiles::new(&disk, &config, &own);
        let mut topic_state = topic_files.load().map_err(state)?;
        topic_state.defaults = settings.topic_defaults(topic_state.defaults);
        let kinds = |topic: &str| match topic_state.topics.find(topic).map(|config| config.queue_kind()) {
            Some(QueueKind::Batch) => StoreKind::Batch,
            Some(QueueKind::Simple) | None => StoreKind::Simple,
        };
        let (store, report) = Store::open(store, Arc::clone(&disk), Arc::clone(&clock), &kinds, progress)?;
        info!(?report, "store opened");
        disk.create_dirs(&config).and_then(|()| disk.create_dirs(&own)).map_err(state)?;
        identity.cluster_id = cluster_id(&disk, &own).map_err(state)?;
        let offset_files = OffsetFiles::new(&disk, &config, &own);
        let mut ledger =
            offset_files.load(Arc::clone(&disk), &own, settings.offset_metadata_max_bytes).map_err(state)?;
        ledger.clamp(|topic, queue| store.queue(topic, queue).map(|queue| queue.next().0));
        let broker = Arc::new(Self {
            send_properties: send_properties(&identity, &settings),
            unique_ids: UniqueIds::new(clock().unsigned_abs() << 8 | u64::from(std::process::id() & 0xFF)),
            kafka_defaults: KafkaConfigs::default().effective(&topic_state.defaults),
            configs,
            config: ConfigDesk::load(configuration, &disk, &root, settings.live).map_err(state)?,
            retention: RetentionClock::default(),
            log_dir: std::path::absolute(&root).unwrap_or_else(|_| root.clone()).display().to_string(),
            decoded: Mutex::new(DecodedCache::new(settings.decoded_cache_bytes)),
            producers: ProducerDesk::load(&disk, &own).map_err(state)?,
            groups: GroupDesk::new(settings.groups),
            group_settings: SettingsDesk::load(GroupFiles::new(&disk, &config)).map_err(state)?,
            locks: LockDesk::default(),
            fetch_sessions: SessionDesk::new(settings.fetch_sessions, limits::FETCH_SESSION_PARTITIONS),
            offset_expiry: Mutex::new(OffsetExpiry::new(settings.offset_expiry, Millis(clock()))),
            clients: ClientDesk::new(settings.channel_expiry_ms),
            counters: Counters::default(),
            statistics: Statistics::new(Millis(clock())),
            requests: Requests::default(),
            ledger: Mutex::new(ledger),
            pending_resets: AtomicUsize::new(0),
            calls: CallDesk::default(),
            persist: Arc::new(Persist::default()),
            persist_thread: Mutex::new(None),
            parked: Parked::default(),
            topics: TopicDesk::new(topic_state, topic_files),
            topic_news: TopicNews::default(),
            identity,
            settings,
            clock,
            store,
        });
        broker.create_system_topics(broker.now());
        broker.publish_all_topics();
        broker.topic_news.loaded(broker.topics_version());
        broker.restore_producers().map_err(state)?;
        broker.start_persisting(offset_files).map_err(state)?;
        Ok(broker)
    }

    fn start_persisting(self: &Arc<Self>, offset_files: OffsetFiles) -> io::Result<()> {
        let broker = Arc::downgrade(self);
        let write = move |files: StateFiles| match broker.upgrade() {
            Some(broker) => broker.write_state(&offset_files, files),
            None => Ok(()),
        };
        let broker = Arc::downgrade(self);
        let written = move |files| {
            if let Some(broker) = broker.upgrade() {
                broker.state_written(files);
            }
        };
        let thread = self.persist.start(self.settings.fold_interval, write, written)?;
        *self.persist_thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    fn write_state(&self, offset_files: &OffsetFiles, files: StateFiles) -> io::Result<()> {
        if files.contains(StateFile::Topics) {
            self.save_topics()?;
        }
        // Behind the settings: who altered them sees them act with the answer.
        if self.apply_topic_retention() {
            self.save_topics()?;
        }
        if files.contains(StateFile::SubscriptionGroups) {
            self.group_settings.save()?;
        }
        if files.contains(StateFile::Offsets) {
            self.expire_offsets();
            offset_files.save(&self.ledger)?;
        }
        if files.contains(StateFile::Config) {
            self.config.save()?;
        }
        if files.contains(StateFile::Producers) {
            self.save_producers()?;
        }
        Ok(())
    }

    /// Writes all state and closes the store cleanly. Blocks. No request may follow.
    ///
    /// # Errors
    /// The disk's: the next start recovers then.
    pub fn close(&self) -> Result<(), CloseError> {
        self.persist.stop();
        let thread = self.persist_thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("the thread that writes the state files panicked");
        }
        self.store.clone().close()
    }
}

/// The cluster id of the data directory, made with it.
fn cluster_id(disk: &Arc<dyn Disk>, own: &Path) -> io::Result<String> {
    let file = SideJson::<IdentityFile>::new(disk, own.join("identity"), *b"GIDENTY1");
    let mut identity = file.load()?;
    if identity.cluster_id.is_empty() {
        use base64::Engine;
        identity.cluster_id =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes());
        file.save(&identity)?;
    }
    Ok(identity.cluster_id)
}

fn send_properties(identity: &Identity, settings: &BrokerSettings) -> Vec<u8> {
    let (region, trace, cluster) = (&settings.region, settings.trace_on, &identity.cluster);
    format!("MSG_REGION\x01{region}\x02TRACE_ON\x01{trace}\x02CLUSTER\x01{cluster}\x02").into_bytes()
}
