//! The one map from the broker's errors to remoting codes. Exhaustive: a new error does not compile without a code.
//!
//! Source: RocketMQ 5.3.3 `SendMessageProcessor.handlePutMessageResult`, `PullMessageProcessor`.

use gantry_protocols::remoting::ResponseCode;
use gantry_store::AppendError;

use super::call::Refusal;
use crate::broker::DurabilityError;
use crate::broker::append::SendError;
use crate::broker::client_calls::AskError;
use crate::broker::group_settings::GroupRefusal;
use crate::broker::offsets::OffsetError;
use crate::broker::pull::PullError;
use crate::broker::read::ReadRefusal;
use crate::broker::reset::ResetError;
use crate::broker::send_back::SendBackError;
use crate::broker::topic_admin::TopicWishError;
use crate::broker::topics::DeleteTopicError;
use crate::semantics::subscription_groups::SettingsError;
use crate::semantics::topic_attributes::AttributeError;

pub(super) fn send(error: &SendError) -> Refusal {
    let code = match error {
        SendError::TopicName { .. } | SendError::QueueId { .. } => ResponseCode::INVALID_PARAMETER,
        SendError::SystemTopic(_) | SendError::NoPermission(_) => ResponseCode::NO_PERMISSION,
        SendError::NoTopic(_) => ResponseCode::TOPIC_NOT_EXIST,
        SendError::EmptyBody => ResponseCode::SYSTEM_ERROR,
        SendError::BodySize { .. }
        | SendError::Batch(_)
        | SendError::ReservedProperty(_)
        | SendError::NotServed(_)
        | SendError::Frame(_) => ResponseCode::MESSAGE_ILLEGAL,
        SendError::NotDurable(_) => ResponseCode::SYSTEM_BUSY,
        SendError::Group(refusal) => return group(refusal),
        SendError::Queue(_) => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn send_back(error: &SendBackError) -> Refusal {
    let code = match error {
        SendBackError::Group(refusal) => return group(refusal),
        SendBackError::Read(refusal) => return read(refusal),
        SendBackError::Append(refusal) => return append(refusal),
        SendBackError::NoPermission(_) | SendBackError::NotWritable(_) => ResponseCode::NO_PERMISSION,
        SendBackError::NoTopic(_)
        | SendBackError::NoMessage(_)
        | SendBackError::Properties(_)
        | SendBackError::Send(_) => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn append(error: &AppendError) -> Refusal {
    let code = match error {
        AppendError::TooLarge { .. } => ResponseCode::MESSAGE_ILLEGAL,
        AppendError::QueueRemoved => ResponseCode::TOPIC_NOT_EXIST,
        AppendError::DiskFull | AppendError::Closed | AppendError::Poisoned(_) => {
            ResponseCode::SERVICE_NOT_AVAILABLE
        }
        AppendError::Io(_) => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn durability(error: DurabilityError) -> Refusal {
    let code = match error {
        DurabilityError::TimedOut => ResponseCode::FLUSH_DISK_TIMEOUT,
        DurabilityError::StoreFailed => ResponseCode::SERVICE_NOT_AVAILABLE,
        DurabilityError::StateFile => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn pull(error: &PullError) -> Refusal {
    let code = match error {
        PullError::NoTopic(_) => ResponseCode::TOPIC_NOT_EXIST,
        PullError::NotReadable(_) | PullError::NoPermission(_) | PullError::Held { .. } => {
            ResponseCode::NO_PERMISSION
        }
        PullError::QueueId { .. } => ResponseCode::INVALID_PARAMETER,
        PullError::Subscription(_) => ResponseCode::SUBSCRIPTION_PARSE_FAILED,
        PullError::FilterKind(_) => ResponseCode::SYSTEM_ERROR,
        PullError::NoSubscription(_) => ResponseCode::SUBSCRIPTION_NOT_EXIST,
        PullError::OldSubscription => ResponseCode::SUBSCRIPTION_NOT_LATEST,
        PullError::Group(refusal) => return group(refusal),
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn group(error: &GroupRefusal) -> Refusal {
    let code = match error {
        GroupRefusal::Unknown(_) => ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
        GroupRefusal::Disabled(_) | GroupRefusal::Broadcast(_) | GroupRefusal::Topic { .. } => {
            ResponseCode::NO_PERMISSION
        }
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn settings(error: &SettingsError) -> Refusal {
    let code = match error {
        SettingsError::Name { .. } | SettingsError::RetryQueues { .. } => ResponseCode::INVALID_PARAMETER,
        SettingsError::Attribute { .. } | SettingsError::Full(_) => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn reset(error: &ResetError) -> Refusal {
    let code = match error {
        ResetError::UnknownTopic(_) => ResponseCode::TOPIC_NOT_EXIST,
        ResetError::UnknownGroup(_) => ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
        ResetError::UnknownQueue { .. } => ResponseCode::INVALID_PARAMETER,
        ResetError::OutOfRange { .. } => ResponseCode::SYSTEM_ERROR,
        ResetError::Offset(refusal) => return commit(refusal),
        ResetError::Read(refusal) => return read(refusal),
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn ask(error: &AskError) -> Refusal {
    let code = match error {
        AskError::Offline { .. } => ResponseCode::SYSTEM_ERROR,
        AskError::Busy(_) => ResponseCode::SYSTEM_BUSY,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn commit(error: &OffsetError) -> Refusal {
    let code = match error {
        OffsetError::UnknownTopic(_) => ResponseCode::TOPIC_NOT_EXIST,
        OffsetError::UnknownGroup(_) => ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
        OffsetError::Held { .. } => ResponseCode::NO_PERMISSION,
        OffsetError::Rule(_) | OffsetError::UnknownPartition { .. } => ResponseCode::INVALID_PARAMETER,
        OffsetError::Journal(_) => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn put_topic(error: &TopicWishError) -> Refusal {
    let code = match error {
        TopicWishError::Attribute(error) => return attribute(error),
        TopicWishError::Name { .. }
        | TopicWishError::System(_)
        | TopicWishError::Rival { .. }
        | TopicWishError::NamedTwice(_)
        | TopicWishError::TooManyQueues(_)
        | TopicWishError::Change(_) => ResponseCode::INVALID_PARAMETER,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn attribute(error: &AttributeError) -> Refusal {
    let code = match error {
        AttributeError::Mixed => ResponseCode::INVALID_PARAMETER,
        AttributeError::Form(_)
        | AttributeError::Twice(_)
        | AttributeError::RemovedFromNew(_)
        | AttributeError::NotSet(_)
        | AttributeError::Unknown(_)
        | AttributeError::Unchangeable(_)
        | AttributeError::Value { .. } => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn delete_topic(error: &DeleteTopicError) -> Refusal {
    let code = match error {
        DeleteTopicError::System(_) => ResponseCode::INVALID_PARAMETER,
        DeleteTopicError::Missing(_) => ResponseCode::TOPIC_NOT_EXIST,
        DeleteTopicError::Store(_) => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}

pub(super) fn no_topic(name: &str) -> Refusal {
    Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{name}] not exist"))
}

pub(super) fn read(error: &ReadRefusal) -> Refusal {
    let code = match error {
        ReadRefusal::UnknownPartition => ResponseCode::TOPIC_NOT_EXIST,
        ReadRefusal::NotReadable => ResponseCode::NO_PERMISSION,
        ReadRefusal::OutOfRange { .. } => ResponseCode::PULL_OFFSET_MOVED,
        ReadRefusal::FencedEpoch { .. }
        | ReadRefusal::UnknownEpoch { .. }
        | ReadRefusal::Store(_)
        | ReadRefusal::Queue(_)
        | ReadRefusal::Convert { .. } => ResponseCode::SYSTEM_ERROR,
    };
    Refusal::new(code, error.to_string())
}
