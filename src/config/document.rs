//! The table as text: `conf/*.conf` and `gantry config explain`.

use super::key::{Key, Role};
use super::{keys, known};

/// A file that holds every key of `role` with its default, unit, bounds and sentence.
pub fn document(role: Role) -> String {
    let mut text = String::from(match role {
        Role::Broker => BROKER_HEAD,
        Role::Namesrv => NAMESRV_HEAD,
    });
    for key in keys_of(role) {
        let name = if key.name == "namesrvPort" && role == Role::Namesrv { "listenPort" } else { key.name };
        text.push_str(&format!("\n# {}\n# {}\n{name}={}\n", key.doc, facts(key), key.default));
    }
    text
}

/// What there is to say about one key; `None` when nobody knows it.
pub fn explain(name: &str) -> Option<String> {
    if let Some(key) = keys().find(|key| key.name == known::canonical(Role::Broker, name)) {
        return Some(format!("{}={}\n  {}\n  {}\n", key.name, key.default, key.doc, facts(key)));
    }
    known::is_without_effect(name).then(|| format!("{name}\n  Accepted and without effect here.\n"))
}

fn facts(key: &Key) -> String {
    let unset = if key.default.is_empty() { ", unset by default" } else { "" };
    format!("({} key; {}: {}{unset})", key.origin, key.unit, key.allowed)
}

/// The keys that a file of `role` holds.
pub fn keys_of(role: Role) -> impl Iterator<Item = &'static Key> {
    keys().filter(move |key| belongs(key, role))
}

/// namesrv.conf holds the name server's keys and the few of others that it needs.
fn belongs(key: &Key, role: Role) -> bool {
    match role {
        Role::Broker => true,
        Role::Namesrv => NAMESRV_KEYS.contains(&key.name),
    }
}

const NAMESRV_KEYS: &[&str] = &[
    "bindAddress",
    "namesrvPort",
    "httpPort",
    "serverChannelMaxIdleTimeSeconds",
    "storePathRootDir",
    "kvConfigPath",
    "orderMessageEnable",
    "returnOrderTopicConfigToBroker",
    "supportActingMaster",
    "enableTopicList",
    "enableAllTopicList",
];

const BROKER_HEAD: &str = "\
# Every key of `gantry start --conf FILE`, with its default. A Java properties file: RocketMQ's broker.conf is read
# as it is, and Kafka's dotted keys may stand in the same file. The environment (GANTRY_FLUSH_DISK_TYPE) and the
# command line override it. Generated from the table in src/config; a test compares the two.
";

const NAMESRV_HEAD: &str = "\
# The keys of a name server, with their defaults; RocketMQ's namesrv.conf is read as it is.
# Generated from the table in src/config; a test compares the two.
";

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config::{Settings, load, read_file};

    fn shipped(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)
    }

    #[track_caller]
    fn check(name: &str, role: Role) {
        let path = shipped(name);
        if std::env::var_os("UPDATE_CONF").is_some() {
            std::fs::write(&path, document(role)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, document(role), "rewrite {name} by running this test with UPDATE_CONF=1");
        let loaded = load(read_file(&path).unwrap(), role, true).unwrap();
        assert_eq!(loaded.settings, Settings::default());
    }

    #[test]
    fn shipped_broker_conf_holds_every_default() {
        check("broker.conf", Role::Broker);
    }

    #[test]
    fn shipped_namesrv_conf_holds_every_default() {
        check("namesrv.conf", Role::Namesrv);
    }

    #[test]
    fn name_server_keys_exist() {
        for name in NAMESRV_KEYS {
            assert!(keys().any(|key| key.name == *name), "{name}");
        }
    }

    #[test]
    fn explains_known_keys_only() {
        assert!(explain("flushDiskType").unwrap().contains("SYNC_FLUSH or ASYNC_FLUSH"));
        assert!(explain("traceOn").unwrap().contains("without effect"));
        assert_eq!(explain("nonsense"), None);
    }
}
