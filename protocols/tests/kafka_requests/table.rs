//! Every request type of the `kafka-protocol` crate under the name of its API key: the one table for the tests of
//! this package and for the fuzz target of compat-tests, which includes this file by its path.

/// Calls the macro `$with` with rows of key and request type.
macro_rules! for_each_request {
    ($with:ident) => {
        $with! {
            Produce: ProduceRequest, Fetch: FetchRequest, ListOffsets: ListOffsetsRequest, Metadata: MetadataRequest,
            OffsetCommit: OffsetCommitRequest, OffsetFetch: OffsetFetchRequest, FindCoordinator: FindCoordinatorRequest,
            JoinGroup: JoinGroupRequest, Heartbeat: HeartbeatRequest, LeaveGroup: LeaveGroupRequest,
            SyncGroup: SyncGroupRequest, DescribeGroups: DescribeGroupsRequest, ListGroups: ListGroupsRequest,
            SaslHandshake: SaslHandshakeRequest, ApiVersions: ApiVersionsRequest, CreateTopics: CreateTopicsRequest,
            DeleteTopics: DeleteTopicsRequest, DeleteRecords: DeleteRecordsRequest, InitProducerId: InitProducerIdRequest,
            OffsetForLeaderEpoch: OffsetForLeaderEpochRequest, AddPartitionsToTxn: AddPartitionsToTxnRequest,
            AddOffsetsToTxn: AddOffsetsToTxnRequest, EndTxn: EndTxnRequest, WriteTxnMarkers: WriteTxnMarkersRequest,
            TxnOffsetCommit: TxnOffsetCommitRequest, DescribeAcls: DescribeAclsRequest, CreateAcls: CreateAclsRequest,
            DeleteAcls: DeleteAclsRequest, DescribeConfigs: DescribeConfigsRequest, AlterConfigs: AlterConfigsRequest,
            DescribeLogDirs: DescribeLogDirsRequest, SaslAuthenticate: SaslAuthenticateRequest,
            CreatePartitions: CreatePartitionsRequest, DeleteGroups: DeleteGroupsRequest, ElectLeaders: ElectLeadersRequest,
            IncrementalAlterConfigs: IncrementalAlterConfigsRequest,
            AlterPartitionReassignments: AlterPartitionReassignmentsRequest,
            ListPartitionReassignments: ListPartitionReassignmentsRequest, OffsetDelete: OffsetDeleteRequest,
            DescribeClientQuotas: DescribeClientQuotasRequest, AlterClientQuotas: AlterClientQuotasRequest,
            DescribeUserScramCredentials: DescribeUserScramCredentialsRequest,
            AlterUserScramCredentials: AlterUserScramCredentialsRequest, DescribeQuorum: DescribeQuorumRequest,
            UpdateFeatures: UpdateFeaturesRequest, DescribeCluster: DescribeClusterRequest,
            DescribeProducers: DescribeProducersRequest, DescribeTransactions: DescribeTransactionsRequest,
            ListTransactions: ListTransactionsRequest, ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest,
            ConsumerGroupDescribe: ConsumerGroupDescribeRequest, ListConfigResources: ListConfigResourcesRequest,
            DescribeTopicPartitions: DescribeTopicPartitionsRequest, ShareGroupHeartbeat: ShareGroupHeartbeatRequest,
            ShareGroupDescribe: ShareGroupDescribeRequest, ShareFetch: ShareFetchRequest,
            ShareAcknowledge: ShareAcknowledgeRequest,
        }
    };
}
