//! Roles: what a process serves behind its sockets. The one place that knows all dialects and the store.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use gantry_store::disk::{Disk, RealDisk};
use gantry_store::format::HostAddr;
use gantry_store::retention::{DeleteHours, RetentionConfig};
use gantry_store::{FlushMode, StoreConfig};

use super::broker_configs::broker_configs;
use super::name_server_role;
use super::serve::live_config::LiveConfig;
use crate::broker::{Broker, BrokerSettings, Identity, LiveSettings, OpenBroker, PullSettings};
use crate::config::{FlushDiskType, Native, Settings};
use crate::namesrv::NameServer;
use crate::semantics::kafka_group::GroupConfig;
use crate::semantics::offset_expiry::ExpiryConfig;
use crate::semantics::topics::Perm;
use crate::server::{
    self, Addresses, AnyError, BrokerAddresses, Clock, Health, Listeners, Progress, Shutdown,
};

/// A frame may be this much larger than its body: head, topic and properties.
const FRAME_OVERHEAD: u32 = 64 << 10;

/// Opens the store and makes the sessions of every dialect. Blocks while the store recovers, and reports to
/// `progress` then; called on a thread of its own.
///
/// # Errors
/// What the store or a state file says.
pub(super) fn open(
    settings: &Settings,
    configuration: &LiveConfig,
    addresses: &Addresses,
    clock: &Clock,
    shutdown: &Shutdown,
    progress: &mut Progress,
) -> Result<Listeners, AnyError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let open = |own| open_broker(settings, configuration, own, clock, &disk, progress);
    let broker = addresses.broker.as_ref().map(open).transpose()?;
    let serves_names = addresses.namesrv.is_some();
    let name_server = serves_names
        .then(|| name_server_role::open(settings, addresses, clock, &disk, broker.as_ref()))
        .transpose()?;
    drive(clock, shutdown, broker.as_ref(), name_server.as_ref());
    let registrar = broker
        .as_ref()
        .map(|broker| name_server_role::register(settings, addresses, broker, shutdown))
        .transpose()?;
    let closing = broker.clone();
    Ok(Listeners {
        namesrv: name_server.map(server::dialects::namesrv),
        remoting: broker.clone().map(server::dialects::remoting),
        kafka: broker.clone().map(server::dialects::kafka),
        registry: broker.as_ref().map(server::broker_metrics).unwrap_or_default(),
        health: Arc::new(Ready(broker)),
        close: Box::new(move || {
            drop(registrar);
            closing.map_or(Ok(()), |broker| broker.close()).map_err(AnyError::from)
        }),
    })
}

fn open_broker(
    settings: &Settings,
    configuration: &LiveConfig,
    own: &BrokerAddresses,
    clock: &Clock,
    disk: &Arc<dyn Disk>,
    progress: &mut Progress,
) -> Result<Arc<Broker>, AnyError> {
    let open = OpenBroker {
        identity: identity(settings, own),
        settings: broker_settings(settings),
        store: store_config(settings, own),
        disk: Arc::clone(disk),
        clock: clock.to_fn(),
        configs: broker_configs(settings, own),
        configuration: Arc::new(configuration.clone()),
    };
    let scanned = &mut |at: gantry_store::Progress| {
        progress.at(at.at.0.unsigned_abs(), at.end.0.unsigned_abs());
    };
    Ok(Broker::open(open, scanned)?)
}

struct Ready(Option<Arc<Broker>>);

impl Health for Ready {
    fn reasons(&self) -> Vec<String> {
        self.0.as_ref().map(|broker| broker.unreadiness()).unwrap_or_default()
    }
}

fn drive(
    clock: &Clock,
    shutdown: &Shutdown,
    broker: Option<&Arc<Broker>>,
    name_server: Option<&Arc<NameServer>>,
) {
    let (broker, name_server) = (broker.cloned(), name_server.cloned());
    let stop = shutdown.clone();
    let timers = server::dialects::drive_timers(clock.clone(), shutdown.clone(), move |now, waker| {
        let failure = broker.as_ref().and_then(|broker| broker.fatal_failure());
        if let Some(failure) = failure.filter(|_| !stop.is_stopping()) {
            tracing::error!(
                failure,
                "the store failed for good; the broker stops, restart it once the disk works"
            );
            stop.stop();
        }
        let ticks = [
            broker.as_ref().and_then(|broker| broker.tick(now, waker)),
            name_server.as_ref().and_then(|server| server.tick(now, waker)),
        ];
        ticks.into_iter().flatten().min()
    });
    tokio::spawn(timers);
}

fn identity(settings: &Settings, addresses: &BrokerAddresses) -> Identity {
    let advertised = settings.kafka.advertised_listeners.as_ref();
    Identity {
        cluster: settings.identity.broker_cluster_name.clone(),
        broker: settings.identity.broker_name.clone(),
        broker_id: i64::from(settings.identity.broker_id),
        node_id: i32::try_from(settings.identity.broker_id).unwrap_or(0),
        cluster_id: String::new(),
        store_host: store_host(settings, addresses),
        remoting_port: addresses.remoting.port(),
        native_host: settings.identity.broker_ip1.map(|address| address.to_string()),
        kafka_port: addresses.kafka.port(),
        kafka_advertised: advertised.map(|address| (address.host.clone(), address.port)),
        rack: settings.kafka.broker_rack.clone(),
    }
}

/// The address in message ids: `brokerIP1`, else where the broker listens, else (bound to all) the address this
/// machine would use to reach others; loopback when there is none.
fn store_host(settings: &Settings, addresses: &BrokerAddresses) -> HostAddr {
    let listen = addresses.remoting.ip();
    let ip = settings.identity.broker_ip1.unwrap_or(listen);
    let ip = if ip.is_unspecified() { outward().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { ip };
    HostAddr { ip, port: i32::from(addresses.remoting.port()) }
}

/// The local address of a route to elsewhere; nothing is sent.
fn outward() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

fn live_settings(native: &Native) -> LiveSettings {
    LiveSettings {
        auto_create_topic: native.auto_create_topic_enable,
        permission: Perm(i32::try_from(native.broker_permission).unwrap_or(0)),
        pulls: PullSettings {
            max_messages: native.max_transfer_count as usize,
            max_bytes: native.max_transfer_size as usize,
            long_polling: native.long_polling_enable,
            short_polling_ms: i64::try_from(native.short_polling_ms).unwrap_or(i64::MAX),
        },
        max_query_messages: native.max_query_count as usize,
        notify_consumers: native.notify_consumer_ids_changed_enable,
    }
}

pub(super) fn broker_settings(settings: &Settings) -> BrokerSettings {
    let (native, kafka) = (&settings.native, &settings.kafka);
    let ms = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let count = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    BrokerSettings {
        live: live_settings(native),
        auto_create_groups: native.auto_create_subscription_group,
        default_topic_queues: count(native.default_topic_queue_nums),
        auto_create_kafka_topics: kafka.auto_create_topics_enable,
        num_partitions: count(kafka.num_partitions),
        max_message_size: settings.store.max_message_size as usize,
        sync_flush: settings.store.flush_disk_type == FlushDiskType::Sync,
        sync_flush_timeout_ms: ms(settings.store.sync_flush_timeout_ms),
        region: settings.identity.region_id.clone(),
        fetch_sessions: kafka.fetch_sessions as usize,
        groups: GroupConfig {
            min_session_timeout_ms: ms(kafka.min_session_timeout_ms),
            max_session_timeout_ms: ms(kafka.max_session_timeout_ms),
            initial_rebalance_delay_ms: ms(kafka.initial_rebalance_delay_ms),
            max_size: kafka.max_group_size as usize,
        },
        cluster_topic: native.cluster_topic_enable,
        broker_topic: native.broker_topic_enable,
        index_keys: settings.store.message_index_enable,
        channel_expiry_ms: ms(native.channel_expired_ms),
        fold_interval: Duration::from_millis(native.flush_consumer_offset_interval_ms),
        message_max_bytes: count(kafka.message_max_bytes),
        fetch_max_bytes: i64::from(kafka.fetch_max_bytes),
        offset_expiry: ExpiryConfig {
            retention_ms: i64::from(kafka.offsets_retention_minutes) * 60_000,
            check_interval_ms: ms(kafka.offsets_retention_check_interval_ms),
        },
        offset_metadata_max_bytes: kafka.offset_metadata_max_bytes as usize,
        producer_id_expiration_ms: ms(kafka.producer_id_expiration_ms),
        file_retention_ms: match retention(settings).file_reserved_hours {
            u32::MAX => -1,
            hours => i64::from(hours) * 3_600_000,
        },
        retention_check_interval_ms: ms(kafka.retention_check_interval_ms),
        ..BrokerSettings::default()
    }
}

fn store_config(settings: &Settings, addresses: &BrokerAddresses) -> StoreConfig {
    let store = &settings.store;
    let units = |bytes: u64, unit: u64| u32::try_from(bytes.div_ceil(unit)).unwrap_or(u32::MAX);
    let mut config = StoreConfig::new(&store.root);
    config.commit_log_file_size = store.commit_log_file_size;
    config.queue_file_units = units(store.consume_queue_file_size, 20);
    config.batch_queue_file_units = units(store.batch_consume_queue_file_size, 46);
    config.index_slots = store.max_hash_slots;
    config.index_entries = store.max_index_entries;
    config.flush = match store.flush_disk_type {
        FlushDiskType::Sync => FlushMode::Sync,
        FlushDiskType::Async => FlushMode::Async { interval_ms: store.flush_interval_ms },
    };
    config.max_frame_size = store.max_message_size.saturating_add(FRAME_OVERHEAD);
    config.store_host = store_host(settings, addresses);
    config.retention = retention(settings);
    config
}

pub(super) fn retention(settings: &Settings) -> RetentionConfig {
    let store = &settings.store;
    let percent = |value: u32| u8::try_from(value).unwrap_or(100);
    let hours: Vec<_> =
        (0..24).filter(|hour| store.delete_when.contains(*hour)).map(|hour| hour.to_string()).collect();
    let defaults = RetentionConfig::default();
    let delete_when = DeleteHours::parse(&hours.join(";")).unwrap_or(defaults.delete_when);
    let reserved = || u32::try_from(store.file_reserved_hours).unwrap_or(u32::MAX);
    let mut config = defaults;
    config.file_reserved_hours = settings.kafka.retention_hours().unwrap_or_else(reserved);
    config.delete_when = delete_when;
    config.clean_file_forcibly = store.clean_file_forcibly_enable;
    let (used, forcibly, warning) =
        (store.disk_max_used_percent, store.disk_clean_forcibly_percent, store.disk_warning_percent);
    config.with_percentages(percent(used), percent(forcibly), percent(warning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_configured_is_the_broker_s_own_default() {
        let configured = broker_settings(&Settings::default());
        assert_eq!(format!("{configured:?}"), format!("{:?}", BrokerSettings::default()));
    }

    #[test]
    fn kafka_s_retention_wins_over_file_reserved_time() {
        let mut settings = Settings::default();
        settings.store.file_reserved_hours = 10;
        assert_eq!(retention(&settings).file_reserved_hours, 10);
        settings.kafka.log_retention_minutes = Some(61);
        assert_eq!(retention(&settings).file_reserved_hours, 2);
    }
}
