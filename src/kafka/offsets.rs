//! OffsetCommit (8) and OffsetFetch (9): where a group goes on, one truth for both dialects.
//!
//! An unknown group or partition is success with offset -1; the metadata string comes back byte for byte.
//! Source: Kafka 4.1 `OffsetMetadataManager`, KIP-447 (require_stable), KIP-709 (several groups).

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::offset_commit_request::OffsetCommitRequestPartition;
use gantry_protocols::kafka::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use gantry_protocols::kafka::messages::offset_fetch_request::OffsetFetchRequestGroup;
use gantry_protocols::kafka::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use gantry_protocols::kafka::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, StrBytes,
    TopicName,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, errors, names};
use crate::broker::offsets::{Committed, KafkaCommit};
use crate::broker::{Broker, Durability, Topic};

pub(super) const ROUTES: &[Route] =
    &[Route::new(8, (2, 9), Lane::Group, offset_commit), Route::new(9, (1, 9), Lane::Group, offset_fetch)];

fn offset_commit(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: OffsetCommitRequest = call.decode()?;
    let (broker, version, now) = (call.broker(), call.version(), call.reply.now);
    let group = names::group(&request.group_id);
    let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
    let generation = request.generation_id_or_member_epoch;
    let allowed = broker.validate_kafka_commit(&group, request.member_id.as_str(), instance, generation, now);
    let refused = allowed.err().map(|error| errors::commit_refusal(&error, version));
    let mut durability = Durability::NONE;
    let topics = request.topics.into_iter().map(|topic| {
        let found = names::topic(broker, &topic.name);
        let partitions = topic.partitions.iter().map(|asked| {
            let error = refused.or_else(|| {
                commit(broker, &group, found.as_deref(), asked, now)
                    .map(|done| durability = durability.and(done))
                    .err()
            });
            OffsetCommitResponsePartition::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(error.map_or(0, |error| error.0))
        });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    call.answer_when(
        durability,
        OffsetCommitResponse::default().with_topics(topics),
        |mut response, cause| {
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions
                .filter(|one| one.error_code == 0)
                .for_each(|one| one.error_code = errors::durability(cause).0);
            response
        },
    )
}

fn commit(
    broker: &Broker,
    group: &str,
    topic: Option<&Topic>,
    asked: &OffsetCommitRequestPartition,
    now: crate::semantics::Millis,
) -> Result<Durability, ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let commit = KafkaCommit {
        partition: asked.partition_index,
        offset: asked.committed_offset,
        leader_epoch: asked.committed_leader_epoch,
        metadata: asked.committed_metadata.as_deref().unwrap_or_default(),
    };
    broker.commit_kafka_offset(group, topic, &commit, now).map_err(|error| errors::commit(&error))
}

fn offset_fetch(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: OffsetFetchRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    if version >= 8 {
        let groups = request.groups.into_iter().map(|group| fetch_group(broker, group, version)).collect();
        return call.answer(&OffsetFetchResponse::default().with_groups(groups));
    }
    let group = names::group(&request.group_id);
    let topics: Vec<_> = match request.topics {
        Some(asked) if !(asked.is_empty() && version < 2) => {
            let one = |topic: TopicName, indexes: Vec<i32>| fetch_topic(broker, &group, &topic, &indexes);
            asked.into_iter().map(|t| (t.name.clone(), one(t.name, t.partition_indexes))).collect()
        }
        _ => all_topics(broker, &group),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, committed)| {
            let mut partition = OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(committed.offset)
                .with_metadata(Some(StrBytes::from_string(committed.metadata)));
            if version >= 5 {
                partition.committed_leader_epoch = committed.leader_epoch;
            }
            partition
        });
        OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    let topics = topics.collect();
    call.answer(&OffsetFetchResponse::default().with_topics(topics))
}

fn fetch_group(broker: &Broker, asked: OffsetFetchRequestGroup, _version: i16) -> OffsetFetchResponseGroup {
    let group = names::group(&GroupId(asked.group_id.0.clone()));
    let topics = match asked.topics {
        Some(topics) => topics
            .into_iter()
            .map(|topic| {
                (topic.name.clone(), fetch_topic(broker, &group, &topic.name, &topic.partition_indexes))
            })
            .collect(),
        None => all_topics(broker, &group),
    };
    let topics = topics.into_iter().map(|(name, partitions): (TopicName, Vec<(i32, Committed)>)| {
        let partitions = partitions.into_iter().map(|(index, committed)| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.leader_epoch)
                .with_metadata(Some(StrBytes::from_string(committed.metadata)))
        });
        OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
    });
    let topics = topics.collect();
    OffsetFetchResponseGroup::default().with_group_id(asked.group_id).with_topics(topics)
}

fn fetch_topic(broker: &Broker, group: &str, name: &TopicName, indexes: &[i32]) -> Vec<(i32, Committed)> {
    let topic = names::topic(broker, name);
    let one = |index: i32| match &topic {
        Some(topic) => broker.kafka_committed(group, topic.name(), index),
        None => Committed::none(),
    };
    indexes.iter().map(|&index| (index, one(index))).collect()
}

fn all_topics(broker: &Broker, group: &str) -> Vec<(TopicName, Vec<(i32, Committed)>)> {
    let mut all = Vec::new();
    for (stored, queues) in broker.committed_topics(group) {
        let Some(topic) = broker.topic(&stored).filter(|topic| topic.kafka_name().is_some()) else {
            continue;
        };
        let partitions =
            queues.into_iter().map(|index| (index, broker.kafka_committed(group, &stored, index)));
        all.push((names::name_of(&topic), partitions.collect()));
    }
    all
}
