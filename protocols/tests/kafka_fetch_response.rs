//! The scatter encoder of fetch responses against the crate's encoder: the same bytes, no payload copied.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::fetch_response::*;
use kafka_protocol::messages::fetch_response as theirs;
use kafka_protocol::messages::{BrokerId, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;

fn endpoint() -> impl Strategy<Value = (i32, String, i32, Option<String>)> {
    (any::<i32>(), ".{0,9}", any::<i32>(), proptest::option::of("[a-z]{0,300}"))
}

fn partition() -> impl Strategy<Value = FetchedPartition> {
    let offsets = (any::<i64>(), any::<i64>(), any::<i64>());
    let aborted = proptest::option::of(proptest::collection::vec((any::<i64>(), any::<i64>()), 0..4));
    let tags =
        (proptest::option::of((0..9_i32, any::<i64>())), proptest::option::of((0..9_i32, any::<i32>())));
    let records = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..4);
    (any::<i32>(), any::<i16>(), offsets, aborted, any::<i32>(), tags, records).prop_map(
        |(partition, code, offsets, aborted, replica, (diverging, leader), records)| FetchedPartition {
            partition,
            error_code: ErrorCode(code),
            high_watermark: offsets.0,
            last_stable_offset: offsets.1,
            log_start_offset: offsets.2,
            aborted_transactions: aborted.map(|list| {
                list.into_iter()
                    .map(|(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset })
                    .collect()
            }),
            preferred_read_replica: replica,
            diverging_epoch: diverging.map(|(epoch, end_offset)| EpochEnd { epoch, end_offset }),
            current_leader: leader.map(|(leader_id, leader_epoch)| LeaderEpoch { leader_id, leader_epoch }),
            records: records.into_iter().map(Bytes::from).collect(),
        },
    )
}

/// The crate's value with the fields that `version` lacks at their defaults, as its encoder demands.
fn crate_partition(ours: &FetchedPartition, version: i16) -> theirs::PartitionData {
    let aborted = |transaction: &AbortedTransaction| {
        theirs::AbortedTransaction::default()
            .with_producer_id(transaction.producer_id.into())
            .with_first_offset(transaction.first_offset)
    };
    let mut data = theirs::PartitionData::default()
        .with_partition_index(ours.partition)
        .with_error_code(ours.error_code.0)
        .with_high_watermark(ours.high_watermark)
        .with_last_stable_offset(ours.last_stable_offset)
        .with_log_start_offset(ours.log_start_offset)
        .with_aborted_transactions(
            ours.aborted_transactions.as_ref().map(|list| list.iter().map(aborted).collect()),
        )
        .with_records(Some(ours.records.concat().into()));
    if version >= 11 {
        data.preferred_read_replica = BrokerId(ours.preferred_read_replica);
    }
    if let Some(end) = ours.diverging_epoch.filter(|_| version >= 12) {
        data.diverging_epoch =
            theirs::EpochEndOffset::default().with_epoch(end.epoch).with_end_offset(end.end_offset);
    }
    if let Some(leader) = ours.current_leader.filter(|_| version >= 12) {
        data.current_leader = theirs::LeaderIdAndEpoch::default()
            .with_leader_id(leader.leader_id.into())
            .with_leader_epoch(leader.leader_epoch);
    }
    data
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn crate_frame(ours: &FetchResponse<'_>, version: i16) -> BytesMut {
    let topic = |topic: &FetchedTopic<'_>| {
        let partitions =
            topic.partitions.iter().map(|partition| crate_partition(partition, version)).collect();
        theirs::FetchableTopicResponse::default()
            .with_topic(TopicName(text(topic.name)))
            .with_topic_id(format!("{:032x}", u128::from_be_bytes(topic.topic_id)).parse().unwrap())
            .with_partitions(partitions)
    };
    let endpoint = |endpoint: &NodeEndpoint<'_>| {
        theirs::NodeEndpoint::default()
            .with_node_id(endpoint.node_id.into())
            .with_host(text(endpoint.host))
            .with_port(endpoint.port)
            .with_rack(endpoint.rack.map(text))
    };
    let mut response = kafka_protocol::messages::FetchResponse::default()
        .with_throttle_time_ms(ours.throttle_time_ms)
        .with_error_code(ours.error_code.0)
        .with_responses(ours.topics.iter().map(topic).collect());
    if version >= 7 {
        response.session_id = ours.session_id;
    }
    if version >= 16 {
        response.node_endpoints = ours.node_endpoints.iter().map(endpoint).collect();
    }
    let mut out = BytesMut::from(&[0; 4][..]);
    ResponseHeader::default().with_correlation_id(41).encode(&mut out, i16::from(version >= 12)).unwrap();
    response.encode(&mut out, version).unwrap();
    let length = out.len() as i32 - 4;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn frames_are_those_of_the_crate_in_every_version(
        (throttle, code, session) in any::<(i32, i16, i32)>(),
        topics in proptest::collection::vec(
            ("[a-z.]{0,20}", any::<[u8; 16]>(), proptest::collection::vec(partition(), 0..5)), 0..4),
        endpoints in proptest::collection::vec(endpoint(), 0..3),
    ) {
        let response = FetchResponse {
            throttle_time_ms: throttle,
            error_code: ErrorCode(code),
            session_id: session,
            topics: topics.iter().map(|(name, topic_id, partitions)| FetchedTopic {
                name, topic_id: *topic_id, partitions: partitions.clone(),
            }).collect(),
            node_endpoints: endpoints.iter().map(|(node_id, host, port, rack)| NodeEndpoint {
                node_id: *node_id, host, port: *port, rack: rack.as_deref(),
            }).collect(),
        };
        for version in MIN_VERSION..=MAX_VERSION {
            let mut segments = Vec::new();
            response.encode(version, 41, &mut segments).unwrap();
            prop_assert_eq!(&segments.concat()[..], &crate_frame(&response, version)[..], "version {}", version);
        }
    }
}

#[test]
fn payload_leaves_by_reference_between_our_own_bytes() {
    let head = Bytes::from(vec![1; 16]);
    let rest = Bytes::from(vec![2; 4000]);
    let records = vec![head.clone(), rest.clone(), Bytes::new()];
    let with_data = FetchedPartition { records, ..FetchedPartition::new(0) };
    let topic = FetchedTopic {
        name: "t",
        partitions: vec![with_data, FetchedPartition::new(1)],
        ..Default::default()
    };
    let response = FetchResponse { topics: vec![topic], ..Default::default() };
    let mut segments = Vec::new();
    response.encode(11, 1, &mut segments).unwrap();
    let pointers: Vec<_> = segments.iter().map(|segment| segment.as_ptr()).collect();
    assert_eq!(segments.len(), 4);
    assert_eq!(pointers[1..3], [head.as_ptr(), rest.as_ptr()]);
    let total: usize = segments.iter().map(Bytes::len).sum();
    assert_eq!(segments[0][..4], (total as i32 - 4).to_be_bytes());
}

#[test]
fn other_versions_are_refused_and_leave_no_segment() {
    for version in [3, 18] {
        let mut segments = Vec::new();
        let refused = FetchResponse::default().encode(version, 1, &mut segments);
        assert_eq!((refused, segments.len()), (Err(FetchEncodeError::Version(version)), 0));
    }
}
