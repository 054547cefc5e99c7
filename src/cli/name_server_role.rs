//! The name server's part of a process: one of its own, and the broker's registration with others.

use std::sync::Arc;

use gantry_store::disk::Disk;
use gantry_store::state_file::StateFile;

use crate::broker::Broker;
use crate::config::{Key, Role, Settings};
use crate::namesrv::{
    KvKeeper, LocalBroker, NameServer, NameServerConfig, Registrar, RegistrarConfig, Switches,
};
use crate::semantics::registration::RegistrationRules;
use crate::server::{Addresses, AnyError, Clock, Shutdown};

/// The name server of this process, which knows `broker` without being told.
pub(super) fn open(
    settings: &Settings,
    addresses: &Addresses,
    clock: &Clock,
    disk: &Arc<dyn Disk>,
    broker: Option<&Arc<Broker>>,
) -> Result<Arc<NameServer>, AnyError> {
    let default = || settings.store.root.join("namesrv").join("kvConfig.json");
    // Its directory is synced by name, so it has to have one.
    let path = std::path::absolute(settings.namesrv.kv_config_path.clone().unwrap_or_else(default))?;
    if let Some(dir) = path.parent() {
        disk.create_dirs(dir)?;
    }
    let (keeper, saved) = KvKeeper::open(StateFile::new(Arc::clone(disk), path))?;
    let local = broker.map(|broker| Arc::<Broker>::clone(broker) as Arc<dyn LocalBroker>);
    let listed = crate::config::keys_of(Role::Namesrv).map(|key| listed(key, settings, addresses));
    let config = NameServerConfig { switches: switches(settings), listed: listed.collect() };
    Ok(NameServer::new(config, keeper, saved, local, clock.to_fn()))
}

/// A key as a request for the configuration shows it: the name of namesrv.conf, and the port that 0 became.
fn listed(key: &Key, settings: &Settings, addresses: &Addresses) -> (&'static str, String) {
    match (key.name, addresses.namesrv) {
        ("namesrvPort", Some(own)) => ("listenPort", own.port().to_string()),
        ("httpPort", _) => (key.name, addresses.http.port().to_string()),
        _ => (key.name, key.show(settings)),
    }
}

fn switches(settings: &Settings) -> Switches {
    let namesrv = &settings.namesrv;
    Switches {
        order_messages: namesrv.order_message_enable,
        return_orders: namesrv.return_order_topic_config,
        acting_master: namesrv.support_acting_master,
        topic_list: namesrv.enable_topic_list,
        all_topic_list: namesrv.enable_all_topic_list,
    }
}

/// Starts to register `broker` with the name servers of other processes; it leaves them when the stop begins.
pub(super) fn register(
    settings: &Settings,
    addresses: &Addresses,
    broker: &Arc<Broker>,
    shutdown: &Shutdown,
) -> Result<Option<Registrar>, AnyError> {
    let wanted = &settings.registration;
    let Some(own) = addresses.broker.filter(|_| !wanted.namesrv_addr.is_empty()) else { return Ok(None) };
    let ms = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let config = RegistrarConfig {
        name_servers: wanted.namesrv_addr.iter().map(str::to_owned).collect(),
        rules: RegistrationRules {
            period_ms: ms(wanted.register_period_ms),
            forced: wanted.force_register,
            heartbeat_ms: wanted.acting_master.then(|| ms(wanted.heartbeat_interval_ms)),
        },
        timeout_ms: wanted.acting_master.then(|| ms(wanted.not_active_timeout_ms)),
        listens: own.remoting,
        own_name_server: addresses.namesrv,
    };
    let registrar = Registrar::start(broker, &config)?;
    let (farewell, shutdown) = (registrar.farewell(), shutdown.clone());
    tokio::spawn(async move {
        shutdown.stopping().await;
        farewell();
    });
    Ok(Some(registrar))
}
