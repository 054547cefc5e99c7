//! The broker's settings as Kafka clients are told: its own rows for Kafka, and facts that Kafka has settings for.
//!
//! Not those behind settings of topics: the broker knows them itself, since they can be altered.

use crate::broker::BrokerConfig;
use crate::config::{self, Origin, Settings, Unit};
use crate::limits;
use crate::semantics::kafka_configs::{CONFIG_KEYS, ValueType};
use crate::server::BrokerAddresses;

pub(super) fn broker_configs(settings: &Settings, addresses: &BrokerAddresses) -> Vec<BrokerConfig> {
    let behind_topics = |name: &str| CONFIG_KEYS.iter().any(|key| key.broker_name == name);
    let rows = config::keys().filter(|key| key.origin == Origin::Kafka && !behind_topics(key.name));
    let rows = rows.map(|key| {
        let value = key.show(settings);
        let is_set = value != key.default;
        BrokerConfig { name: key.name, value, value_type: value_type(key.unit), is_set, doc: key.doc }
    });
    // An unset row says nothing; some of them follow as facts.
    let mut all: Vec<_> = rows.filter(|row| !row.value.is_empty()).collect();
    for fact in facts(settings, addresses) {
        if !all.iter().any(|row| row.name == fact.name) {
            all.push(fact);
        }
    }
    all
}

fn facts(settings: &Settings, addresses: &BrokerAddresses) -> Vec<BrokerConfig> {
    let listener = format!("PLAINTEXT://{}", addresses.kafka);
    let advertised = settings.kafka.advertised_listeners.as_ref();
    let advertised = advertised
        .map_or_else(|| listener.clone(), |address| format!("PLAINTEXT://{}:{}", address.host, address.port));
    let root = &settings.store.root;
    let root = std::path::absolute(root).unwrap_or_else(|_| root.clone()).display().to_string();
    let id = settings.identity.broker_id.to_string();
    let fact = |name, value, value_type, doc| BrokerConfig { name, value, value_type, is_set: false, doc };
    let text = ValueType::Text;
    vec![
        fact("advertised.listeners", advertised, text, "Address that Kafka clients are told."),
        fact("broker.id", id.clone(), ValueType::Int, "Number of the broker."),
        fact("default.replication.factor", "1".to_owned(), ValueType::Int, "There is one broker."),
        fact("delete.topic.enable", "true".to_owned(), ValueType::Bool, "Topics can be deleted."),
        fact("listeners", listener, text, "Where Kafka listens."),
        fact("log.dirs", root, text, "Directory of all data."),
        fact("node.id", id, ValueType::Int, "Number of the broker."),
        fact(
            "socket.request.max.bytes",
            limits::KAFKA_FRAME_SIZE.to_string(),
            ValueType::Int,
            "Largest request; only Produce may be that large.",
        ),
    ]
}

fn value_type(unit: Unit) -> ValueType {
    match unit {
        Unit::Flag => ValueType::Bool,
        Unit::Text | Unit::Path | Unit::Address => ValueType::Text,
        Unit::Port | Unit::Count | Unit::Percent | Unit::Bytes => ValueType::Int,
        Unit::Milliseconds | Unit::Seconds | Unit::Minutes | Unit::Hours => ValueType::Long,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_configured_and_where_clients_find_the_broker() {
        let mut settings = Settings::default();
        settings.kafka.num_partitions = 7;
        let kafka = ([127, 0, 0, 1], 9092).into();
        let addresses = BrokerAddresses { remoting: kafka, fast: None, kafka };
        let configs = broker_configs(&settings, &addresses);
        let find = |name| configs.iter().find(|config| config.name == name).unwrap();
        assert_eq!((find("num.partitions").value.as_str(), find("num.partitions").is_set), ("7", true));
        assert_eq!(find("advertised.listeners").value, "PLAINTEXT://127.0.0.1:9092");
        assert!(configs.iter().all(|config| config.name != "message.max.bytes" && !config.value.is_empty()));
    }
}
