//! The one map from the broker's errors to Kafka's codes. Exhaustive: a new error does not compile without a code.

use gantry_protocols::kafka::batch_error::BatchError;
use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_store::{AppendError, PushError};

use crate::broker::DurabilityError;
use crate::broker::alter_configs::AlterConfigsError;
use crate::broker::delete_records::DeleteRecordsError;
use crate::broker::group_admin::DeleteError;
use crate::broker::offsets::OffsetError;
use crate::broker::partition_growth::GrowError;
use crate::broker::produce::ProduceError;
use crate::broker::read::ReadRefusal;
use crate::broker::topics::{CreateTopicError, DeleteTopicError};
use crate::mapping::incoming_error::IncomingError;
use crate::semantics::fetch_session::SessionRefusal;
use crate::semantics::kafka_group::GroupError;
use crate::semantics::offsets::CommitError;
use crate::semantics::producers::SequenceError;
use crate::semantics::topic_defaults::BrokerConfigError;

pub(super) fn produce(error: &ProduceError) -> ErrorCode {
    match error {
        ProduceError::RequiredAcks(_) => ErrorCode::INVALID_REQUIRED_ACKS,
        ProduceError::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ProduceError::NotWritable => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ProduceError::NotEnoughReplicas { .. } => ErrorCode::NOT_ENOUGH_REPLICAS,
        ProduceError::Batch(error) => incoming(error),
        ProduceError::Transactional => ErrorCode::INVALID_TXN_STATE,
        ProduceError::NoSequence => ErrorCode::INVALID_RECORD,
        ProduceError::Sequence(SequenceError::InvalidProducerEpoch { .. }) => {
            ErrorCode::INVALID_PRODUCER_EPOCH
        }
        ProduceError::Sequence(SequenceError::OutOfOrderSequence { .. }) => {
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        }
        ProduceError::Explode(_) | ProduceError::Verbatim(_) => ErrorCode::INVALID_RECORD,
        ProduceError::Frame(PushError::TooLarge { .. } | PushError::RecordCount { .. }) => {
            ErrorCode::MESSAGE_TOO_LARGE
        }
        ProduceError::Frame(_) => ErrorCode::INVALID_RECORD,
        ProduceError::Queue(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        ProduceError::Append(error) => append(error),
    }
}

fn append(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        AppendError::QueueRemoved => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AppendError::DiskFull | AppendError::Io(_) | AppendError::Closed | AppendError::Poisoned(_) => {
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    }
}

fn incoming(error: &IncomingError) -> ErrorCode {
    match error {
        IncomingError::Batch(error) => batch(error),
        IncomingError::TooLarge { .. }
        | IncomingError::TooManyRecords { .. }
        | IncomingError::DecompressedTooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        IncomingError::ZstdTooOld { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        IncomingError::Compression(_) => ErrorCode::CORRUPT_MESSAGE,
        IncomingError::Lz4Linked | IncomingError::Record { .. } | IncomingError::InvalidRecords(_) => {
            ErrorCode::INVALID_RECORD
        }
        IncomingError::Timestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
    }
}

/// The code stands in the documentation of each variant of [`BatchError`].
fn batch(error: &BatchError) -> ErrorCode {
    match error {
        BatchError::Truncated { .. } | BatchError::Length(_) | BatchError::Crc { .. } => {
            ErrorCode::CORRUPT_MESSAGE
        }
        BatchError::Magic(_)
        | BatchError::UnknownCodec(_)
        | BatchError::Empty
        | BatchError::SecondBatch(_)
        | BatchError::Count(_)
        | BatchError::CountOfOffsets { .. }
        | BatchError::Control
        | BatchError::LogAppendTime
        | BatchError::Sequence { .. }
        | BatchError::NoProducer => ErrorCode::INVALID_RECORD,
    }
}

/// For requests that read: look-ups and bounds.
pub(super) fn read(error: &ReadRefusal) -> ErrorCode {
    match error {
        ReadRefusal::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ReadRefusal::NotReadable => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ReadRefusal::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadRefusal::FencedEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
        ReadRefusal::UnknownEpoch { .. } => ErrorCode::UNKNOWN_LEADER_EPOCH,
        ReadRefusal::Store(_) | ReadRefusal::Queue(_) | ReadRefusal::Convert { .. } => {
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    }
}

/// For a fetched partition: only codes that consumers survive (Kafka's `FetchCollector`); all of `read`'s are.
pub(super) fn fetch(error: &ReadRefusal) -> ErrorCode {
    read(error)
}

pub(super) fn fetch_session(refusal: SessionRefusal) -> ErrorCode {
    match refusal {
        SessionRefusal::NotFound => ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
        SessionRefusal::Epoch => ErrorCode::INVALID_FETCH_SESSION_EPOCH,
        SessionRefusal::TopicIds => ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR,
    }
}

pub(super) fn durability(error: DurabilityError) -> ErrorCode {
    match error {
        DurabilityError::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
        DurabilityError::StoreFailed | DurabilityError::StateFile => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

pub(super) fn create_topic(error: &CreateTopicError) -> ErrorCode {
    match error {
        CreateTopicError::Name(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        CreateTopicError::Exists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
        CreateTopicError::NamedTwice | CreateTopicError::AssignmentWithCounts => ErrorCode::INVALID_REQUEST,
        CreateTopicError::Partitions(_) => ErrorCode::INVALID_PARTITIONS,
        CreateTopicError::ReplicationFactor(_) => ErrorCode::INVALID_REPLICATION_FACTOR,
        CreateTopicError::Assignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        CreateTopicError::NullConfig(_)
        | CreateTopicError::Config(_)
        | CreateTopicError::Attribute { .. } => ErrorCode::INVALID_CONFIG,
        CreateTopicError::Automatic(_) | CreateTopicError::Change(_) => ErrorCode::INVALID_REQUEST,
    }
}

pub(super) fn delete_topic(error: &DeleteTopicError) -> ErrorCode {
    match error {
        DeleteTopicError::Missing(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        DeleteTopicError::System(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        DeleteTopicError::Store(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

pub(super) fn alter_configs(error: &AlterConfigsError) -> ErrorCode {
    match error {
        AlterConfigsError::UnknownTopic => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AlterConfigsError::Config(_) | AlterConfigsError::Attribute(_) | AlterConfigsError::QueueType => {
            ErrorCode::INVALID_CONFIG
        }
        // Not INVALID_CONFIG, also for a value that does not fit: KAFKA-13609.
        AlterConfigsError::Broker(BrokerConfigError::NotAlterable(_) | BrokerConfigError::Value(_)) => {
            ErrorCode::INVALID_REQUEST
        }
    }
}

pub(super) fn grow_topic(error: &GrowError) -> ErrorCode {
    match error {
        GrowError::UnknownTopic => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        GrowError::NotMore { .. } | GrowError::TooMany(_) => ErrorCode::INVALID_PARTITIONS,
    }
}

pub(super) fn delete_records(error: &DeleteRecordsError) -> ErrorCode {
    match error {
        DeleteRecordsError::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        DeleteRecordsError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        DeleteRecordsError::Policy => ErrorCode::POLICY_VIOLATION,
    }
}

pub(super) fn commit(error: &OffsetError) -> ErrorCode {
    match error {
        OffsetError::Rule(CommitError::MetadataTooLarge { .. }) => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        OffsetError::Rule(CommitError::ResetPending) => ErrorCode::REBALANCE_IN_PROGRESS,
        OffsetError::UnknownPartition { .. } | OffsetError::UnknownTopic(_) => {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        }
        OffsetError::UnknownGroup(_) => ErrorCode::GROUP_ID_NOT_FOUND,
        OffsetError::Held { .. } => ErrorCode::UNKNOWN_MEMBER_ID,
        OffsetError::Journal(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

pub(super) fn delete_group(error: &DeleteError) -> ErrorCode {
    match error {
        DeleteError::NotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        DeleteError::NonEmpty(_) => ErrorCode::NON_EMPTY_GROUP,
        DeleteError::Subscribed => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        DeleteError::Offsets(error) => commit(error),
    }
}

/// A commit that the group does not admit; a missing group has its own code from version 9 on.
pub(super) fn commit_refusal(error: &GroupError, version: i16) -> ErrorCode {
    match error {
        GroupError::GroupIdNotFound if version < 9 => ErrorCode::ILLEGAL_GENERATION,
        error => group(*error),
    }
}

pub(super) fn group(error: GroupError) -> ErrorCode {
    match error {
        GroupError::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        GroupError::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
        GroupError::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        GroupError::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        GroupError::UnknownMemberId => ErrorCode::UNKNOWN_MEMBER_ID,
        GroupError::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        GroupError::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        GroupError::MemberIdRequired => ErrorCode::MEMBER_ID_REQUIRED,
        GroupError::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
        GroupError::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
        GroupError::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
    }
}
