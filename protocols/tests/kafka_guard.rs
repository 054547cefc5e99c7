//! The guard against the crate's encoder: random requests of every advertised key and version, nulls included, must
//! be measured to the last byte and come back through the decoder.

mod kafka_requests;

use bytes::{Bytes, BytesMut};
use gantry_protocols::kafka::guard;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};
use kafka_requests::{Again, decode_again};
use proptest::prelude::*;

/// Random choices: bytes from the strategy, then zeros.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }
    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }
    fn i8(&mut self) -> i8 {
        self.byte().cast_signed()
    }
    fn i16(&mut self) -> i16 {
        i16::from_be_bytes([self.byte(), self.byte()])
    }
    fn i32(&mut self) -> i32 {
        i32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
    fn i64(&mut self) -> i64 {
        i64::from(self.i32()) << 20
    }
    fn text<T: From<StrBytes>>(&mut self) -> T {
        let length = usize::from(self.byte());
        StrBytes::from_string("xö-".repeat(length % 70)).into()
    }
    fn blob(&mut self) -> Bytes {
        vec![self.byte(); usize::from(self.byte()) * 3].into()
    }
    fn maybe<T>(&mut self, of: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| of(self))
    }
    fn list<T>(&mut self, mut of: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 4).map(|_| of(self)).collect()
    }
    fn numbers(&mut self) -> Vec<i32> {
        self.list(Self::i32)
    }
    /// `of` from version `since` on, the default before.
    fn since<T: Default>(&mut self, is: bool, of: impl FnOnce(&mut Self) -> T) -> T {
        if is { of(self) } else { T::default() }
    }
}

/// Encodes a request with the crate.
fn encoded(request: &impl Encodable, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    request.encode(&mut out, version).unwrap_or_else(|error| panic!("version {version}: {error}"));
    out.freeze()
}

type Generator = fn(&mut Dice<'_>, i16) -> Bytes;

/// Key and generator of every key advertised.
const GENERATORS: &[(i16, Generator)] = &[
    (0, produce),
    (1, fetch),
    (2, list_offsets),
    (3, metadata),
    (8, offset_commit),
    (9, offset_fetch),
    (10, find_coordinator),
    (11, join_group),
    (12, heartbeat),
    (13, leave_group),
    (14, sync_group),
    (15, describe_groups),
    (16, list_groups),
    (17, sasl_handshake),
    (18, api_versions),
    (19, create_topics),
    (20, delete_topics),
    (21, delete_records),
    (22, init_producer_id),
    (23, offset_for_leader_epoch),
    (24, add_partitions_to_txn),
    (25, add_offsets_to_txn),
    (26, end_txn),
    (28, txn_offset_commit),
    (29, describe_acls),
    (30, create_acls),
    (31, delete_acls),
    (32, describe_configs),
    (33, alter_configs),
    (35, describe_log_dirs),
    (36, sasl_authenticate),
    (37, create_partitions),
    (42, delete_groups),
    (44, incremental_alter_configs),
    (47, offset_delete),
    (50, describe_scram),
    (51, alter_scram),
    (60, describe_cluster),
    (61, describe_producers),
    (65, describe_transactions),
    (66, list_transactions),
];

fn produce(d: &mut Dice<'_>, v: i16) -> Bytes {
    use produce_request::*;
    let partition = |d: &mut Dice<'_>| {
        PartitionProduceData::default().with_index(d.i32()).with_records(d.maybe(Dice::blob))
    };
    let topic = |d: &mut Dice<'_>| {
        let topic = TopicProduceData::default().with_partition_data(d.list(partition));
        if v <= 12 { topic.with_name(d.text()) } else { topic }
    };
    let request = ProduceRequest::default()
        .with_transactional_id(d.maybe(Dice::text))
        .with_acks(d.i16())
        .with_timeout_ms(d.i32())
        .with_topic_data(d.list(topic));
    encoded(&request, v)
}

fn fetch(d: &mut Dice<'_>, v: i16) -> Bytes {
    use fetch_request::*;
    let partition = |d: &mut Dice<'_>| {
        let mut partition = FetchPartition::default().with_partition(d.i32()).with_fetch_offset(d.i64());
        partition.current_leader_epoch = if v >= 9 { d.i32() } else { -1 };
        partition.last_fetched_epoch = if v >= 12 { d.i32() } else { -1 };
        partition.log_start_offset = if v >= 5 { d.i64() } else { -1 };
        partition
    };
    let topic = |d: &mut Dice<'_>| {
        let topic = FetchTopic::default().with_partitions(d.list(partition));
        if v <= 12 { topic.with_topic(d.text()) } else { topic }
    };
    let forgotten = |d: &mut Dice<'_>| {
        let topic = ForgottenTopic::default().with_partitions(d.numbers());
        if v <= 12 { topic.with_topic(d.text()) } else { topic }
    };
    let mut request = FetchRequest::default().with_topics(d.list(topic)).with_max_bytes(d.i32());
    if v >= 7 {
        request = request.with_session_id(d.i32()).with_forgotten_topics_data(d.list(forgotten));
    }
    request.rack_id = d.since(v >= 11, Dice::text);
    request.cluster_id = d.since(v >= 12, |d| d.maybe(Dice::text));
    if v >= 15 {
        request.replica_state =
            ReplicaState::default().with_replica_id(d.i32().into()).with_replica_epoch(d.i64());
    }
    encoded(&request, v)
}

fn list_offsets(d: &mut Dice<'_>, v: i16) -> Bytes {
    use list_offsets_request::*;
    let partition = |d: &mut Dice<'_>| {
        let mut partition =
            ListOffsetsPartition::default().with_partition_index(d.i32()).with_timestamp(d.i64());
        partition.current_leader_epoch = if v >= 4 { d.i32() } else { -1 };
        partition
    };
    let topic =
        |d: &mut Dice<'_>| ListOffsetsTopic::default().with_name(d.text()).with_partitions(d.list(partition));
    let mut request = ListOffsetsRequest::default().with_topics(d.list(topic));
    request.isolation_level = d.since(v >= 2, Dice::i8);
    encoded(&request, v)
}

fn metadata(d: &mut Dice<'_>, v: i16) -> Bytes {
    let topic = |d: &mut Dice<'_>| {
        let name = if v >= 10 { d.maybe(Dice::text) } else { Some(d.text()) };
        metadata_request::MetadataRequestTopic::default().with_name(name)
    };
    let topics = if v >= 1 { d.maybe(|d| d.list(topic)) } else { Some(d.list(topic)) };
    let mut request = MetadataRequest::default().with_topics(topics);
    request.allow_auto_topic_creation = v < 4 || d.flag();
    request.include_topic_authorized_operations = v >= 8 && d.flag();
    encoded(&request, v)
}

fn offset_commit(d: &mut Dice<'_>, v: i16) -> Bytes {
    use offset_commit_request::*;
    let partition = |d: &mut Dice<'_>| {
        let mut partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(d.i64())
            .with_committed_metadata(d.maybe(Dice::text));
        partition.committed_leader_epoch = if v >= 6 { d.i32() } else { -1 };
        partition
    };
    let topic = |d: &mut Dice<'_>| {
        OffsetCommitRequestTopic::default().with_name(d.text()).with_partitions(d.list(partition))
    };
    let mut request = OffsetCommitRequest::default()
        .with_group_id(d.text())
        .with_generation_id_or_member_epoch(d.i32())
        .with_member_id(d.text())
        .with_topics(d.list(topic));
    request.group_instance_id = d.since(v >= 7, |d| d.maybe(Dice::text));
    encoded(&request, v)
}

fn offset_fetch(d: &mut Dice<'_>, v: i16) -> Bytes {
    use offset_fetch_request::*;
    let mut request = OffsetFetchRequest::default().with_require_stable(v >= 7 && d.flag());
    if v <= 7 {
        let topic = |d: &mut Dice<'_>| {
            OffsetFetchRequestTopic::default().with_name(d.text()).with_partition_indexes(d.numbers())
        };
        request.group_id = d.text();
        request.topics = if v >= 2 { d.maybe(|d| d.list(topic)) } else { Some(d.list(topic)) };
        return encoded(&request, v);
    }
    let topic = |d: &mut Dice<'_>| {
        OffsetFetchRequestTopics::default().with_name(d.text()).with_partition_indexes(d.numbers())
    };
    request.groups = d.list(|d| {
        let group = OffsetFetchRequestGroup::default().with_group_id(d.text());
        let group = group.with_topics(d.maybe(|d| d.list(topic)));
        if v >= 9 { group.with_member_id(d.maybe(Dice::text)).with_member_epoch(d.i32()) } else { group }
    });
    encoded(&request, v)
}

fn find_coordinator(d: &mut Dice<'_>, v: i16) -> Bytes {
    let mut request = FindCoordinatorRequest::default();
    request.key = d.since(v <= 3, Dice::text);
    request.key_type = d.since(v >= 1, Dice::i8);
    request.coordinator_keys = d.since(v >= 4, |d| d.list(Dice::text));
    encoded(&request, v)
}

fn join_group(d: &mut Dice<'_>, v: i16) -> Bytes {
    let protocol = |d: &mut Dice<'_>| {
        join_group_request::JoinGroupRequestProtocol::default().with_name(d.text()).with_metadata(d.blob())
    };
    let mut request = JoinGroupRequest::default()
        .with_group_id(d.text())
        .with_member_id(d.text())
        .with_protocol_type(d.text())
        .with_protocols(d.list(protocol));
    request.rebalance_timeout_ms = if v >= 1 { d.i32() } else { -1 };
    request.group_instance_id = d.since(v >= 5, |d| d.maybe(Dice::text));
    request.reason = d.since(v >= 8, |d| d.maybe(Dice::text));
    encoded(&request, v)
}

fn heartbeat(d: &mut Dice<'_>, v: i16) -> Bytes {
    let mut request = HeartbeatRequest::default().with_group_id(d.text()).with_member_id(d.text());
    request.group_instance_id = d.since(v >= 3, |d| d.maybe(Dice::text));
    encoded(&request, v)
}

fn leave_group(d: &mut Dice<'_>, v: i16) -> Bytes {
    let member = |d: &mut Dice<'_>| {
        let mut member = leave_group_request::MemberIdentity::default().with_member_id(d.text());
        member.group_instance_id = d.maybe(Dice::text);
        member.reason = d.since(v >= 5, |d| d.maybe(Dice::text));
        member
    };
    let mut request = LeaveGroupRequest::default().with_group_id(d.text());
    request.member_id = d.since(v <= 2, Dice::text);
    request.members = d.since(v >= 3, |d| d.list(member));
    encoded(&request, v)
}

fn sync_group(d: &mut Dice<'_>, v: i16) -> Bytes {
    let assignment = |d: &mut Dice<'_>| {
        sync_group_request::SyncGroupRequestAssignment::default()
            .with_member_id(d.text())
            .with_assignment(d.blob())
    };
    let mut request =
        SyncGroupRequest::default().with_group_id(d.text()).with_assignments(d.list(assignment));
    request.group_instance_id = d.since(v >= 3, |d| d.maybe(Dice::text));
    request.protocol_type = d.since(v >= 5, |d| d.maybe(Dice::text));
    request.protocol_name = d.since(v >= 5, |d| d.maybe(Dice::text));
    encoded(&request, v)
}

fn describe_groups(d: &mut Dice<'_>, v: i16) -> Bytes {
    let request = DescribeGroupsRequest::default().with_groups(d.list(Dice::text));
    encoded(&request.with_include_authorized_operations(v >= 3 && d.flag()), v)
}

fn list_groups(d: &mut Dice<'_>, v: i16) -> Bytes {
    let mut request = ListGroupsRequest::default();
    request.states_filter = d.since(v >= 4, |d| d.list(Dice::text));
    request.types_filter = d.since(v >= 5, |d| d.list(Dice::text));
    encoded(&request, v)
}

fn sasl_handshake(d: &mut Dice<'_>, v: i16) -> Bytes {
    encoded(&SaslHandshakeRequest::default().with_mechanism(d.text()), v)
}

fn api_versions(d: &mut Dice<'_>, v: i16) -> Bytes {
    let mut request = ApiVersionsRequest::default();
    request.client_software_name = d.since(v >= 3, Dice::text);
    request.client_software_version = d.since(v >= 3, Dice::text);
    encoded(&request, v)
}

fn create_topics(d: &mut Dice<'_>, v: i16) -> Bytes {
    use create_topics_request::*;
    let config = |d: &mut Dice<'_>| {
        CreatableTopicConfig::default().with_name(d.text()).with_value(d.maybe(Dice::text))
    };
    let assignment =
        |d: &mut Dice<'_>| CreatableReplicaAssignment::default().with_broker_ids(d.list(|d| d.i32().into()));
    let topic = |d: &mut Dice<'_>| {
        CreatableTopic::default()
            .with_name(d.text())
            .with_num_partitions(d.i32())
            .with_assignments(d.list(assignment))
            .with_configs(d.list(config))
    };
    encoded(&CreateTopicsRequest::default().with_topics(d.list(topic)).with_validate_only(d.flag()), v)
}

fn delete_topics(d: &mut Dice<'_>, v: i16) -> Bytes {
    let topic =
        |d: &mut Dice<'_>| delete_topics_request::DeleteTopicState::default().with_name(d.maybe(Dice::text));
    let mut request = DeleteTopicsRequest::default().with_timeout_ms(d.i32());
    request.topics = d.since(v >= 6, |d| d.list(topic));
    request.topic_names = d.since(v <= 5, |d| d.list(Dice::text));
    encoded(&request, v)
}

fn delete_records(d: &mut Dice<'_>, v: i16) -> Bytes {
    use delete_records_request::*;
    let partition = |d: &mut Dice<'_>| DeleteRecordsPartition::default().with_offset(d.i64());
    let topic = |d: &mut Dice<'_>| {
        DeleteRecordsTopic::default().with_name(d.text()).with_partitions(d.list(partition))
    };
    encoded(&DeleteRecordsRequest::default().with_topics(d.list(topic)), v)
}

fn init_producer_id(d: &mut Dice<'_>, v: i16) -> Bytes {
    let mut request = InitProducerIdRequest::default().with_transactional_id(d.maybe(Dice::text));
    if v >= 3 {
        request = request.with_producer_id(d.i64().into()).with_producer_epoch(d.i16());
    }
    encoded(&request, v)
}

fn offset_for_leader_epoch(d: &mut Dice<'_>, v: i16) -> Bytes {
    use offset_for_leader_epoch_request::*;
    let partition = |d: &mut Dice<'_>| OffsetForLeaderPartition::default().with_leader_epoch(d.i32());
    let topic = |d: &mut Dice<'_>| {
        OffsetForLeaderTopic::default().with_topic(d.text()).with_partitions(d.list(partition))
    };
    encoded(&OffsetForLeaderEpochRequest::default().with_topics(d.list(topic)), v)
}

fn add_partitions_to_txn(d: &mut Dice<'_>, v: i16) -> Bytes {
    use add_partitions_to_txn_request::*;
    let topic = |d: &mut Dice<'_>| {
        AddPartitionsToTxnTopic::default().with_name(d.text()).with_partitions(d.numbers())
    };
    let transaction = |d: &mut Dice<'_>| {
        AddPartitionsToTxnTransaction::default().with_transactional_id(d.text()).with_topics(d.list(topic))
    };
    let mut request = AddPartitionsToTxnRequest::default();
    request.transactions = d.since(v >= 4, |d| d.list(transaction));
    request.v3_and_below_transactional_id = d.since(v <= 3, Dice::text);
    request.v3_and_below_topics = d.since(v <= 3, |d| d.list(topic));
    encoded(&request, v)
}

fn add_offsets_to_txn(d: &mut Dice<'_>, v: i16) -> Bytes {
    encoded(&AddOffsetsToTxnRequest::default().with_transactional_id(d.text()).with_group_id(d.text()), v)
}

fn end_txn(d: &mut Dice<'_>, v: i16) -> Bytes {
    encoded(&EndTxnRequest::default().with_transactional_id(d.text()).with_committed(d.flag()), v)
}

fn txn_offset_commit(d: &mut Dice<'_>, v: i16) -> Bytes {
    use txn_offset_commit_request::*;
    let partition = |d: &mut Dice<'_>| {
        TxnOffsetCommitRequestPartition::default().with_committed_metadata(d.maybe(Dice::text))
    };
    let topic = |d: &mut Dice<'_>| {
        TxnOffsetCommitRequestTopic::default().with_name(d.text()).with_partitions(d.list(partition))
    };
    let mut request = TxnOffsetCommitRequest::default().with_group_id(d.text()).with_topics(d.list(topic));
    request.member_id = d.since(v >= 3, Dice::text);
    request.group_instance_id = d.since(v >= 3, |d| d.maybe(Dice::text));
    encoded(&request, v)
}

fn describe_acls(d: &mut Dice<'_>, v: i16) -> Bytes {
    let request = DescribeAclsRequest::default()
        .with_resource_name_filter(d.maybe(Dice::text))
        .with_pattern_type_filter(3)
        .with_principal_filter(d.maybe(Dice::text))
        .with_host_filter(d.maybe(Dice::text));
    encoded(&request, v)
}

fn create_acls(d: &mut Dice<'_>, v: i16) -> Bytes {
    let acl = |d: &mut Dice<'_>| {
        create_acls_request::AclCreation::default().with_resource_name(d.text()).with_principal(d.text())
    };
    encoded(&CreateAclsRequest::default().with_creations(d.list(acl)), v)
}

fn delete_acls(d: &mut Dice<'_>, v: i16) -> Bytes {
    let filter = |d: &mut Dice<'_>| {
        delete_acls_request::DeleteAclsFilter::default()
            .with_resource_name_filter(d.maybe(Dice::text))
            .with_principal_filter(d.maybe(Dice::text))
            .with_host_filter(d.maybe(Dice::text))
    };
    encoded(&DeleteAclsRequest::default().with_filters(d.list(filter)), v)
}

fn describe_configs(d: &mut Dice<'_>, v: i16) -> Bytes {
    let resource = |d: &mut Dice<'_>| {
        describe_configs_request::DescribeConfigsResource::default()
            .with_resource_name(d.text())
            .with_configuration_keys(d.maybe(|d| d.list(Dice::text)))
    };
    let request =
        DescribeConfigsRequest::default().with_resources(d.list(resource)).with_include_synonyms(d.flag());
    encoded(&request.with_include_documentation(v >= 3 && d.flag()), v)
}

fn alter_configs(d: &mut Dice<'_>, v: i16) -> Bytes {
    use alter_configs_request::*;
    let config =
        |d: &mut Dice<'_>| AlterableConfig::default().with_name(d.text()).with_value(d.maybe(Dice::text));
    let resource = |d: &mut Dice<'_>| {
        AlterConfigsResource::default().with_resource_name(d.text()).with_configs(d.list(config))
    };
    encoded(&AlterConfigsRequest::default().with_resources(d.list(resource)), v)
}

fn describe_log_dirs(d: &mut Dice<'_>, v: i16) -> Bytes {
    let topic = |d: &mut Dice<'_>| {
        describe_log_dirs_request::DescribableLogDirTopic::default()
            .with_topic(d.text())
            .with_partitions(d.numbers())
    };
    encoded(&DescribeLogDirsRequest::default().with_topics(d.maybe(|d| d.list(topic))), v)
}

fn sasl_authenticate(d: &mut Dice<'_>, v: i16) -> Bytes {
    encoded(&SaslAuthenticateRequest::default().with_auth_bytes(d.blob()), v)
}

fn create_partitions(d: &mut Dice<'_>, v: i16) -> Bytes {
    use create_partitions_request::*;
    let assignment =
        |d: &mut Dice<'_>| CreatePartitionsAssignment::default().with_broker_ids(d.list(|d| d.i32().into()));
    let topic = |d: &mut Dice<'_>| {
        CreatePartitionsTopic::default().with_name(d.text()).with_assignments(d.maybe(|d| d.list(assignment)))
    };
    encoded(&CreatePartitionsRequest::default().with_topics(d.list(topic)), v)
}

fn delete_groups(d: &mut Dice<'_>, v: i16) -> Bytes {
    encoded(&DeleteGroupsRequest::default().with_groups_names(d.list(Dice::text)), v)
}

fn incremental_alter_configs(d: &mut Dice<'_>, v: i16) -> Bytes {
    use incremental_alter_configs_request::*;
    let config = |d: &mut Dice<'_>| {
        AlterableConfig::default().with_config_operation(d.i8()).with_value(d.maybe(Dice::text))
    };
    let resource = |d: &mut Dice<'_>| {
        AlterConfigsResource::default().with_resource_name(d.text()).with_configs(d.list(config))
    };
    encoded(&IncrementalAlterConfigsRequest::default().with_resources(d.list(resource)), v)
}

fn offset_delete(d: &mut Dice<'_>, v: i16) -> Bytes {
    use offset_delete_request::*;
    let partition = |d: &mut Dice<'_>| OffsetDeleteRequestPartition::default().with_partition_index(d.i32());
    let topic = |d: &mut Dice<'_>| {
        OffsetDeleteRequestTopic::default().with_name(d.text()).with_partitions(d.list(partition))
    };
    encoded(&OffsetDeleteRequest::default().with_group_id(d.text()).with_topics(d.list(topic)), v)
}

fn describe_scram(d: &mut Dice<'_>, v: i16) -> Bytes {
    let user =
        |d: &mut Dice<'_>| describe_user_scram_credentials_request::UserName::default().with_name(d.text());
    encoded(&DescribeUserScramCredentialsRequest::default().with_users(d.maybe(|d| d.list(user))), v)
}

fn alter_scram(d: &mut Dice<'_>, v: i16) -> Bytes {
    use alter_user_scram_credentials_request::*;
    let deletion = |d: &mut Dice<'_>| ScramCredentialDeletion::default().with_name(d.text());
    let upsertion = |d: &mut Dice<'_>| {
        ScramCredentialUpsertion::default()
            .with_name(d.text())
            .with_salt(d.blob())
            .with_salted_password(d.blob())
    };
    let request = AlterUserScramCredentialsRequest::default().with_deletions(d.list(deletion));
    encoded(&request.with_upsertions(d.list(upsertion)), v)
}

fn describe_cluster(d: &mut Dice<'_>, v: i16) -> Bytes {
    let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(d.flag());
    encoded(&request.with_include_fenced_brokers(v >= 2 && d.flag()), v)
}

fn describe_producers(d: &mut Dice<'_>, v: i16) -> Bytes {
    let topic = |d: &mut Dice<'_>| {
        describe_producers_request::TopicRequest::default()
            .with_name(d.text())
            .with_partition_indexes(d.numbers())
    };
    encoded(&DescribeProducersRequest::default().with_topics(d.list(topic)), v)
}

fn describe_transactions(d: &mut Dice<'_>, v: i16) -> Bytes {
    encoded(&DescribeTransactionsRequest::default().with_transactional_ids(d.list(Dice::text)), v)
}

fn list_transactions(d: &mut Dice<'_>, v: i16) -> Bytes {
    let mut request = ListTransactionsRequest::default()
        .with_state_filters(d.list(Dice::text))
        .with_producer_id_filters(d.list(|d| d.i64().into()));
    request.duration_filter = if v >= 1 { d.i64() } else { -1 };
    request.transactional_id_pattern = d.since(v >= 2, |d| d.maybe(Dice::text));
    encoded(&request, v)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_the_crate_writes_the_guard_measures_to_the_last_byte(
        choices in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        for &(key, generate) in GENERATORS {
            let (min, max) = guard::measured_versions(key).unwrap();
            for version in min..=max {
                let body = generate(&mut Dice(choices.iter()), version);
                prop_assert_eq!(guard::check_body(key, version, &body), Ok(()), "key {} version {}", key, version);
                let again = decode_again(key, version, body.clone());
                prop_assert_eq!(again, Some(Again { left: 0, body }), "key {} version {}", key, version);
            }
        }
    }
}
