//! The cluster and its disks: DescribeLogDirs (35), DescribeCluster (60).
//!
//! Source: Kafka 4.1 `KafkaApis.handleDescribeCluster`, `ReplicaManager.describeLogDirs`, KIP-700, KIP-827, KIP-919.

use std::sync::Arc;

use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::messages::describe_cluster_response::DescribeClusterBroker;
use gantry_protocols::kafka::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use gantry_protocols::kafka::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, StrBytes,
};

use super::call::{Answer, Call, CallError};
use super::{Lane, Route, names};
use crate::broker::{Broker, Topic};

pub(super) const ROUTES: &[Route] = &[
    Route::new(35, (1, 4), Lane::Admin, describe_log_dirs),
    Route::new(60, (0, 2), Lane::Admin, describe_cluster),
];

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Everything a client may ask of a cluster without access control: create, alter, describe, act as a broker,
/// describe and alter settings, write idempotently.
pub(super) const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

fn describe_cluster(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DescribeClusterRequest = call.decode()?;
    let version = call.version();
    let endpoint = if version >= 1 { request.endpoint_type } else { BROKERS };
    let identity = call.broker().identity();
    let mut response = DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(identity.cluster_id.clone()))
        .with_controller_id(BrokerId(identity.node_id));
    if version >= 1 {
        response.endpoint_type = endpoint;
    }
    let refused = match endpoint {
        BROKERS => None,
        CONTROLLERS => Some((ErrorCode::MISMATCHED_ENDPOINT_TYPE, "this listener is a broker's")),
        _ => {
            Some((ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, "endpoint types are 1 (brokers) and 2 (controllers)"))
        }
    };
    if let Some((code, words)) = refused {
        response.error_message = Some(StrBytes::from_static_str(words));
        return call.answer(&response.with_error_code(code.0));
    }
    let (host, port) = call.broker().kafka_address(call.reply.mailbox);
    let me = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(identity.node_id))
        .with_host(StrBytes::from_string(host))
        .with_port(i32::from(port))
        .with_rack(identity.rack.clone().map(StrBytes::from_string));
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    call.answer(&response.with_error_message(None).with_brokers(vec![me]))
}

fn describe_log_dirs(call: &mut Call<'_>) -> Result<Answer, CallError> {
    let request: DescribeLogDirsRequest = call.decode()?;
    let (broker, version) = (call.broker(), call.version());
    let mut dir =
        DescribeLogDirsResult::default().with_log_dir(StrBytes::from_string(broker.log_dir().to_owned()));
    let topics: Vec<_> = match request.topics {
        None => {
            let every =
                names::all(broker).into_iter().map(|topic| sizes(broker, &topic, 0..topic.partitions()));
            every.collect()
        }
        Some(asked) => {
            let found = asked.into_iter().filter_map(|asked| {
                let topic: Arc<Topic> = names::topic(broker, &asked.topic)?;
                Some(sizes(broker, &topic, asked.partitions.into_iter()))
            });
            found.collect()
        }
    };
    let mut told = Vec::with_capacity(topics.len());
    for topic in topics {
        match topic {
            Ok(topic) if topic.partitions.is_empty() => {}
            Ok(topic) => told.push(topic),
            Err(code) => dir.error_code = code.0,
        }
    }
    dir.topics = told;
    if version >= 4 {
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let room = broker.room();
        dir.total_bytes = room.map_or(-1, |room| bytes(room.total));
        dir.usable_bytes = room.map_or(-1, |room| bytes(room.usable));
    }
    call.answer(&DescribeLogDirsResponse::default().with_results(vec![dir]))
}

/// Sizes of those partitions that exist.
fn sizes(
    broker: &Broker,
    topic: &Topic,
    partitions: impl Iterator<Item = i32>,
) -> Result<DescribeLogDirsTopic, ErrorCode> {
    let mut found = Vec::new();
    for index in partitions {
        match broker.partition_size(topic, index) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                let size = i64::try_from(bytes).unwrap_or(i64::MAX);
                found.push(
                    DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(size),
                );
            }
            Err(error) => return Err(super::errors::read(&error)),
        }
    }
    Ok(DescribeLogDirsTopic::default().with_name(names::name_of(topic)).with_partitions(found))
}
