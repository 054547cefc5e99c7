//! Bodies of our own REGISTER_BROKER: every topic of the broker, in as few requests as frames allow.

use std::sync::Arc;

use gantry_protocols::remoting::bodies::register::RegisterBrokerBody;
use gantry_protocols::remoting::bodies::topic::{TopicConfig, TopicConfigWrapper};

use super::bodies::version_body;
use super::local::LocalBroker;
use crate::broker::{Broker, Topic};
use crate::limits;
use crate::mapping::names;
use crate::semantics::data_version::DataVersion;
use crate::semantics::topics::FilterType;

/// All topics that are told, under the names that RocketMQ clients use.
///
/// A name server applies topics it knows only with a version that it does not know. So each part has a version
/// of its own, and the last one the table's.
pub(super) fn parts(broker: &Broker, version: DataVersion) -> Vec<RegisterBrokerBody> {
    let topics: Vec<_> = broker.topics().iter().filter_map(|topic| told(broker, topic)).collect();
    let chunks: Vec<_> = topics.chunks(limits::TOPICS_PER_REGISTRATION).collect();
    let last = chunks.len().saturating_sub(1);
    let part = |(at, chunk): (usize, &&[TopicConfig])| {
        let ahead = i64::try_from(last - at).unwrap_or(0);
        let version = DataVersion { counter: version.counter.wrapping_sub(ahead), ..version };
        body(chunk, version)
    };
    chunks.iter().enumerate().map(part).collect()
}

fn body(topics: &[TopicConfig], version: DataVersion) -> RegisterBrokerBody {
    RegisterBrokerBody {
        filter_server_list: Vec::new(),
        topic_config_serialize_wrapper: TopicConfigWrapper {
            data_version: version_body(version),
            topic_config_table: topics
                .iter()
                .map(|topic| (topic.topic_name.clone(), topic.clone()))
                .collect(),
            ..TopicConfigWrapper::default()
        },
    }
}

/// A topic as clients may use it; `None` while a crash could still lose it.
fn told(broker: &Broker, topic: &Arc<Topic>) -> Option<TopicConfig> {
    let config = topic.config();
    let queues = LocalBroker::queues(broker, &config.name)?;
    let filter = match config.filter_type {
        FilterType::SingleTag => "SINGLE_TAG",
        FilterType::MultiTag => "MULTI_TAG",
    };
    Some(TopicConfig {
        attributes: config.attributes.clone(),
        order: config.order,
        perm: queues.perm.0,
        read_queue_nums: queues.read_queues,
        topic_filter_type: filter.to_owned(),
        topic_name: names::native_alias(&config.name).into_owned(),
        topic_sys_flag: queues.sys_flag,
        write_queue_nums: queues.write_queues,
    })
}
