//! Error codes of the Kafka protocol, by name.
//!
//! An open number: a code we do not know keeps its value and prints it. Which inner error answers with which code is
//! the broker's decision, not taken here. Source: Kafka 4.1 `Errors.java`.

use std::fmt;

/// A 16-bit error code of a response; 0 is success.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        impl ErrorCode {
            $(#[doc = $meaning] pub const $name: ErrorCode = ErrorCode($code);)*

            /// The protocol's name of the code, if it is known here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// Every code known here, ascending.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode($code)),*];
        }
    };
}

codes! {
    UNKNOWN_SERVER_ERROR = -1, "Something failed that has no code of its own.";
    NONE = 0, "Success.";
    OFFSET_OUT_OF_RANGE = 1, "The offset is outside the log.";
    CORRUPT_MESSAGE = 2, "Wrong length, magic or CRC.";
    UNKNOWN_TOPIC_OR_PARTITION = 3, "No such topic or partition here.";
    INVALID_FETCH_SIZE = 4, "The fetch size is not positive.";
    LEADER_NOT_AVAILABLE = 5, "No leader at the moment.";
    NOT_LEADER_OR_FOLLOWER = 6, "This broker does not lead the partition.";
    REQUEST_TIMED_OUT = 7, "Not done in the time the request allowed.";
    BROKER_NOT_AVAILABLE = 8, "The broker is not alive.";
    REPLICA_NOT_AVAILABLE = 9, "The replica is not here.";
    MESSAGE_TOO_LARGE = 10, "The batch exceeds the topic's limit; the client splits it.";
    STALE_CONTROLLER_EPOCH = 11, "The controller has moved on.";
    OFFSET_METADATA_TOO_LARGE = 12, "The commit's metadata text is too long.";
    NETWORK_EXCEPTION = 13, "The connection broke before the answer.";
    COORDINATOR_LOAD_IN_PROGRESS = 14, "The coordinator is loading.";
    COORDINATOR_NOT_AVAILABLE = 15, "No coordinator at the moment.";
    NOT_COORDINATOR = 16, "This broker does not coordinate the group or transaction.";
    INVALID_TOPIC_EXCEPTION = 17, "The topic name is not allowed.";
    RECORD_LIST_TOO_LARGE = 18, "The batch exceeds the segment size.";
    NOT_ENOUGH_REPLICAS = 19, "Too few replicas in sync, nothing was written.";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, "Too few replicas in sync, written all the same.";
    INVALID_REQUIRED_ACKS = 21, "acks is not -1, 0 or 1.";
    ILLEGAL_GENERATION = 22, "The group is in another generation.";
    INCONSISTENT_GROUP_PROTOCOL = 23, "Protocol type or list does not suit the group.";
    INVALID_GROUP_ID = 24, "The group id is not allowed.";
    UNKNOWN_MEMBER_ID = 25, "The group has no such member.";
    INVALID_SESSION_TIMEOUT = 26, "The session time-out is outside the broker's range.";
    REBALANCE_IN_PROGRESS = 27, "Rejoin the group.";
    INVALID_COMMIT_OFFSET_SIZE = 28, "The offset commit is too large.";
    TOPIC_AUTHORIZATION_FAILED = 29, "No right on the topic.";
    GROUP_AUTHORIZATION_FAILED = 30, "No right on the group.";
    CLUSTER_AUTHORIZATION_FAILED = 31, "No right on the cluster.";
    INVALID_TIMESTAMP = 32, "A timestamp is outside the topic's range.";
    UNSUPPORTED_SASL_MECHANISM = 33, "The SASL mechanism is not offered.";
    ILLEGAL_SASL_STATE = 34, "Authentication has to come first.";
    UNSUPPORTED_VERSION = 35, "The version is not served.";
    TOPIC_ALREADY_EXISTS = 36, "The topic exists.";
    INVALID_PARTITIONS = 37, "The number of partitions is not allowed.";
    INVALID_REPLICATION_FACTOR = 38, "The replication factor is not possible.";
    INVALID_REPLICA_ASSIGNMENT = 39, "The replica assignment is not possible.";
    INVALID_CONFIG = 40, "A setting is unknown or its value is not allowed.";
    NOT_CONTROLLER = 41, "This broker is not the controller.";
    INVALID_REQUEST = 42, "The request contradicts itself.";
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, "The stored message format cannot do this.";
    POLICY_VIOLATION = 44, "A policy of the broker forbids it.";
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, "A sequence number is missing before this one.";
    DUPLICATE_SEQUENCE_NUMBER = 46, "The batch was already written.";
    INVALID_PRODUCER_EPOCH = 47, "A newer producer holds the id (old versions).";
    INVALID_TXN_STATE = 48, "The transaction is in no state for this.";
    INVALID_PRODUCER_ID_MAPPING = 49, "The producer id is not the transactional id's.";
    INVALID_TRANSACTION_TIMEOUT = 50, "The transaction time-out is too long.";
    CONCURRENT_TRANSACTIONS = 51, "The previous transaction is still ending.";
    TRANSACTION_COORDINATOR_FENCED = 52, "The coordinator has moved on.";
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, "No right on the transactional id.";
    SECURITY_DISABLED = 54, "No authorizer is configured.";
    OPERATION_NOT_ATTEMPTED = 55, "Another part of the request failed first.";
    KAFKA_STORAGE_ERROR = 56, "The disk failed.";
    LOG_DIR_NOT_FOUND = 57, "No such log directory.";
    SASL_AUTHENTICATION_FAILED = 58, "The credentials are wrong.";
    UNKNOWN_PRODUCER_ID = 59, "Nothing is known of the producer.";
    REASSIGNMENT_IN_PROGRESS = 60, "A reassignment is running.";
    DELEGATION_TOKEN_AUTH_DISABLED = 61, "Delegation tokens are off.";
    DELEGATION_TOKEN_NOT_FOUND = 62, "No such delegation token.";
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, "The token belongs to someone else.";
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, "Tokens need an authenticated connection.";
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, "No right on the token.";
    DELEGATION_TOKEN_EXPIRED = 66, "The token has expired.";
    INVALID_PRINCIPAL_TYPE = 67, "The principal type is not supported.";
    NON_EMPTY_GROUP = 68, "The group has members.";
    GROUP_ID_NOT_FOUND = 69, "No such group.";
    FETCH_SESSION_ID_NOT_FOUND = 70, "No such fetch session.";
    INVALID_FETCH_SESSION_EPOCH = 71, "The fetch session is at another epoch.";
    LISTENER_NOT_FOUND = 72, "The leader has no such listener.";
    TOPIC_DELETION_DISABLED = 73, "Topics cannot be deleted here.";
    FENCED_LEADER_EPOCH = 74, "The client's leader epoch is old.";
    UNKNOWN_LEADER_EPOCH = 75, "The client's leader epoch is newer than ours.";
    UNSUPPORTED_COMPRESSION_TYPE = 76, "The version does not allow the codec.";
    STALE_BROKER_EPOCH = 77, "The broker has registered again.";
    OFFSET_NOT_AVAILABLE = 78, "The high watermark is not known yet.";
    MEMBER_ID_REQUIRED = 79, "Join again with the id given.";
    PREFERRED_LEADER_NOT_AVAILABLE = 80, "The preferred leader is not alive.";
    GROUP_MAX_SIZE_REACHED = 81, "The group is full.";
    FENCED_INSTANCE_ID = 82, "Another member uses the instance id.";
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, "No replica may lead.";
    ELECTION_NOT_NEEDED = 84, "The partition has its leader.";
    NO_REASSIGNMENT_IN_PROGRESS = 85, "No reassignment is running.";
    GROUP_SUBSCRIBED_TO_TOPIC = 86, "The group still consumes the topic.";
    INVALID_RECORD = 87, "A record or batch breaks a rule of the topic.";
    UNSTABLE_OFFSET_COMMIT = 88, "A transaction on the offset is open.";
    THROTTLING_QUOTA_EXCEEDED = 89, "The quota is used up.";
    PRODUCER_FENCED = 90, "A newer producer holds the transactional id.";
    RESOURCE_NOT_FOUND = 91, "No such resource.";
    DUPLICATE_RESOURCE = 92, "The resource is named twice.";
    UNACCEPTABLE_CREDENTIAL = 93, "The credential is not acceptable.";
    INCONSISTENT_VOTER_SET = 94, "The voter sets differ.";
    INVALID_UPDATE_VERSION = 95, "The update is to an impossible version.";
    FEATURE_UPDATE_FAILED = 96, "The features were not updated.";
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, "A forwarded principal is malformed.";
    SNAPSHOT_NOT_FOUND = 98, "No such snapshot.";
    POSITION_OUT_OF_RANGE = 99, "The position is outside the snapshot.";
    UNKNOWN_TOPIC_ID = 100, "No topic has this id.";
    DUPLICATE_BROKER_REGISTRATION = 101, "The broker id is taken.";
    BROKER_ID_NOT_REGISTERED = 102, "The broker id is not registered.";
    INCONSISTENT_TOPIC_ID = 103, "The topic id is not the log's.";
    INCONSISTENT_CLUSTER_ID = 104, "The cluster id differs.";
    TRANSACTIONAL_ID_NOT_FOUND = 105, "No such transactional id.";
    FETCH_SESSION_TOPIC_ID_ERROR = 106, "The session changed its use of topic ids.";
    INELIGIBLE_REPLICA = 107, "The replica may not join the in-sync set.";
    NEW_LEADER_ELECTED = 108, "The in-sync set was changed by a new leader.";
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, "The offset is in tiered storage.";
    FENCED_MEMBER_EPOCH = 110, "The member's epoch is old; rejoin with 0.";
    UNRELEASED_INSTANCE_ID = 111, "The instance id is still held.";
    UNSUPPORTED_ASSIGNOR = 112, "The server has no such assignor.";
    STALE_MEMBER_EPOCH = 113, "The member's epoch is old; heartbeat first.";
    MISMATCHED_ENDPOINT_TYPE = 114, "The request went to the wrong kind of endpoint.";
    UNSUPPORTED_ENDPOINT_TYPE = 115, "The kind of endpoint is not known.";
    UNKNOWN_CONTROLLER_ID = 116, "No such controller.";
    UNKNOWN_SUBSCRIPTION_ID = 117, "The telemetry subscription is old.";
    TELEMETRY_TOO_LARGE = 118, "The telemetry payload is too large.";
    INVALID_REGISTRATION = 119, "The broker registration is not valid.";
    TRANSACTION_ABORTABLE = 120, "Abort the transaction and go on.";
    INVALID_RECORD_STATE = 121, "The record is in no state for the acknowledgement.";
    SHARE_SESSION_NOT_FOUND = 122, "No such share session.";
    INVALID_SHARE_SESSION_EPOCH = 123, "The share session is at another epoch.";
    FENCED_STATE_EPOCH = 124, "The share group's state epoch is old.";
    INVALID_VOTER_KEY = 125, "The voter key is not known.";
    DUPLICATE_VOTER = 126, "The voter is there already.";
    VOTER_NOT_FOUND = 127, "No such voter.";
    INVALID_REGULAR_EXPRESSION = 128, "The regular expression cannot be read.";
    REBOOTSTRAP_REQUIRED = 129, "Start again from the bootstrap servers.";
    STREAMS_INVALID_TOPOLOGY = 130, "The topology is not valid.";
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, "The topology epoch is not valid.";
    STREAMS_TOPOLOGY_FENCED = 132, "The topology epoch is old.";
    SHARE_SESSION_LIMIT_REACHED = 133, "No more share sessions.";
}

impl ErrorCode {
    /// Whether the code says success.
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error code {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_from_minus_one() {
        for (expected, code) in (-1..).zip(ErrorCode::ALL) {
            assert_eq!(code.0, expected);
        }
    }

    #[test]
    fn unknown_codes_keep_their_number() {
        assert_eq!(ErrorCode(999).to_string(), "error code 999");
        assert_eq!(ErrorCode::INVALID_RECORD.to_string(), "INVALID_RECORD (87)");
    }

    #[test]
    fn names_agree_with_the_crate() {
        for code in ErrorCode::ALL {
            if let Some(theirs) = kafka_protocol::ResponseError::try_from_code(code.0) {
                let ours: String = code.name().unwrap().split('_').map(str::to_lowercase).collect();
                let theirs = format!("{theirs:?}").to_lowercase();
                assert!(ours == theirs || theirs.starts_with("unknown("), "{ours} is {theirs} to the crate");
            }
        }
    }
}
