//! Keys without a row: other spellings, and those that must not be passed over in silence.

use super::key::Role;
use super::without_effect;

/// The name under which a key of a `role` file stands in the table.
pub(super) fn canonical(role: Role, name: &str) -> &str {
    match (role, name) {
        (Role::Namesrv, "listenPort") => "namesrvPort",
        // Spellings of RocketMQ 3 and 4.
        (_, "mapedFileSizeCommitLog") => "mappedFileSizeCommitLog",
        (_, "mapedFileSizeConsumeQueue") => "mappedFileSizeConsumeQueue",
        _ => name,
    }
}

/// True for a key that RocketMQ or Kafka knows and that changes nothing here.
pub(super) fn is_without_effect(name: &str) -> bool {
    names_without_effect().any(|known| known == name)
}

/// All of them.
pub(super) fn names_without_effect() -> impl Iterator<Item = &'static str> {
    use without_effect::{AUTH, BROKER, KAFKA, MESSAGE_STORE, NAMESRV, NETTY};
    [BROKER, MESSAGE_STORE, NETTY, NAMESRV, AUTH, KAFKA].into_iter().flatten().copied()
}

/// Why a value of a key without effect cannot be passed over: who set it relies on what would not happen.
pub(super) fn refusal(name: &str, value: &str) -> Option<&'static str> {
    let row = REFUSALS.iter().find(|row| row.name == name)?;
    let harmless = row.harmless.iter().any(|word| word.eq_ignore_ascii_case(value));
    (!harmless).then_some(row.why)
}

struct Refusal {
    name: &'static str,
    harmless: &'static [&'static str],
    why: &'static str,
}

const OFF: &[&str] = &["false", ""];

const REFUSALS: &[Refusal] = &[
    Refusal { name: "aclEnable", harmless: OFF, why: OPEN },
    Refusal { name: "authenticationEnabled", harmless: OFF, why: OPEN },
    Refusal { name: "authorizationEnabled", harmless: OFF, why: OPEN },
    Refusal { name: "brokerRole", harmless: &["ASYNC_MASTER"], why: "replication is not supported yet" },
    Refusal { name: "enableControllerMode", harmless: OFF, why: "controller mode is not supported yet" },
    Refusal { name: "enableDLegerCommitLog", harmless: OFF, why: "DLedger is not supported" },
    Refusal {
        name: "storeType",
        harmless: &["default", ""],
        why: "only the file store (default) is supported",
    },
];

const OPEN: &str = "authentication is not supported yet, and starting without it would leave the broker open";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn a_key_has_an_effect_or_has_none() {
        for key in keys() {
            assert!(!is_without_effect(key.name), "{}", key.name);
        }
    }

    #[test]
    fn every_refused_key_is_known() {
        for row in REFUSALS {
            assert!(is_without_effect(row.name), "{}", row.name);
        }
    }

    #[test]
    fn refuses_what_would_leave_the_broker_open() {
        assert!(refusal("authenticationEnabled", "true").is_some());
        assert!(refusal("authenticationEnabled", "false").is_none());
        assert!(refusal("brokerRole", "SLAVE").is_some());
        assert!(refusal("traceOn", "true").is_none());
    }
}
