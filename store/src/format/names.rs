//! The property names that RocketMQ and Gantry themselves use, and the test whether a name is one of them.
//!
//! A name that comes from outside (a Kafka header) must not act as one of these.
//! Source: RocketMQ 5.3.3 `common/message/MessageConst.java`; the names that begin with `__K` are ours.

macro_rules! names {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        $($(#[$doc])* pub const $constant: &str = $name;)*
        /// Every name of this file.
        pub const SYSTEM_NAMES: &[&str] = &[$($name),*];
    };
}

names! {
    /// Index keys, separated by single spaces.
    KEYS = "KEYS";
    /// The tag.
    TAGS = "TAGS";
    /// Whether the producer waits for the flush.
    WAIT = "WAIT";
    /// Delay level, 1 to 18.
    DELAY = "DELAY";
    /// Topic a retried message was first sent to.
    RETRY_TOPIC = "RETRY_TOPIC";
    /// Topic a parked (delayed, half, timer) message is meant for.
    REAL_TOPIC = "REAL_TOPIC";
    /// Queue a parked message is meant for.
    REAL_QID = "REAL_QID";
    /// Marks a half message.
    TRAN_MSG = "TRAN_MSG";
    /// Producer group.
    PGROUP = "PGROUP";
    /// Smallest offset of the queue, set by clients on received messages.
    MIN_OFFSET = "MIN_OFFSET";
    /// Largest offset of the queue, set by clients on received messages.
    MAX_OFFSET = "MAX_OFFSET";
    /// Buyer id, a user's field with a system name.
    BUYER_ID = "BUYER_ID";
    /// Message id of the first copy of a retried message.
    ORIGIN_MESSAGE_ID = "ORIGIN_MESSAGE_ID";
    /// Set by migration tools.
    TRANSFER_FLAG = "TRANSFER_FLAG";
    /// Set by migration tools.
    CORRECTION_FLAG = "CORRECTION_FLAG";
    /// Set by migration tools.
    MQ2_FLAG = "MQ2_FLAG";
    /// Reconsume times of a message that a client sends back as a new one.
    RECONSUME_TIME = "RECONSUME_TIME";
    /// Region of the broker.
    MSG_REGION = "MSG_REGION";
    /// Whether clients trace the message.
    TRACE_ON = "TRACE_ON";
    /// Message id given by the producer.
    UNIQ_KEY = "UNIQ_KEY";
    /// Additional id given by the producer.
    EXTEND_UNIQ_INFO = "EXTEND_UNIQ_INFO";
    /// Largest number of redeliveries.
    MAX_RECONSUME_TIMES = "MAX_RECONSUME_TIMES";
    /// When a client began to consume the message.
    CONSUME_START_TIME = "CONSUME_START_TIME";
    /// Messages inside the body of a batch frame.
    INNER_NUM = "INNER_NUM";
    /// Queue offset of the first message inside the body of a batch frame.
    INNER_BASE = "INNER_BASE";
    /// Used by deduplicating clients.
    DUP_INFO = "DUP_INFO";
    /// Seconds before a half message is checked.
    CHECK_IMMUNITY_TIME_IN_SECONDS = "CHECK_IMMUNITY_TIME_IN_SECONDS";
    /// Queue offset of the half message that was put back.
    TRAN_PREPARED_QUEUE_OFFSET = "TRAN_PREPARED_QUEUE_OFFSET";
    /// Transaction id.
    TRANSACTION_ID = "__transactionId__";
    /// How often a half message was checked.
    TRANSACTION_CHECK_TIMES = "TRANSACTION_CHECK_TIMES";
    /// Name space instance.
    INSTANCE_ID = "INSTANCE_ID";
    /// Request-reply: joins the reply to its request.
    CORRELATION_ID = "CORRELATION_ID";
    /// Request-reply: client that waits.
    REPLY_TO_CLIENT = "REPLY_TO_CLIENT";
    /// Request-reply: time to live.
    TTL = "TTL";
    /// Request-reply: when the reply reached the broker.
    ARRIVE_TIME = "ARRIVE_TIME";
    /// Request-reply: when the reply was pushed.
    PUSH_REPLY_TIME = "PUSH_REPLY_TIME";
    /// Cluster of the broker.
    CLUSTER = "CLUSTER";
    /// Message type.
    MSG_TYPE = "MSG_TYPE";
    /// POP handle; never stored.
    POP_CK = "POP_CK";
    /// Offset of the POP check point.
    POP_CK_OFFSET = "POP_CK_OFFSET";
    /// First time the message was popped.
    FIRST_POP_TIME = "1ST_POP_TIME";
    /// Key that keeps messages in order.
    SHARDING_KEY = "__SHARDINGKEY";
    /// Queue to forward to.
    PROPERTY_FORWARD_QUEUE_ID = "PROPERTY_FORWARD_QUEUE_ID";
    /// Redirected by an escape bridge.
    REDIRECT = "REDIRECT";
    /// Light queues the message is also dispatched to.
    INNER_MULTI_DISPATCH = "INNER_MULTI_DISPATCH";
    /// Offsets in those light queues.
    INNER_MULTI_QUEUE_OFFSET = "INNER_MULTI_QUEUE_OFFSET";
    /// Trace context.
    TRACE_CONTEXT = "TRACE_CONTEXT";
    /// Delay in seconds.
    TIMER_DELAY_SEC = "TIMER_DELAY_SEC";
    /// Delay in milliseconds.
    TIMER_DELAY_MS = "TIMER_DELAY_MS";
    /// Time of delivery, ms.
    TIMER_DELIVER_MS = "TIMER_DELIVER_MS";
    /// Host of the producer, set by proxies.
    BORN_HOST = "__BORNHOST";
    /// Time of sending, set by proxies.
    BORN_TIMESTAMP = "BORN_TIMESTAMP";
    /// When a timer message entered the wheel.
    TIMER_ENQUEUE_MS = "TIMER_ENQUEUE_MS";
    /// When a timer message left the wheel.
    TIMER_DEQUEUE_MS = "TIMER_DEQUEUE_MS";
    /// How often a timer message was rolled.
    TIMER_ROLL_TIMES = "TIMER_ROLL_TIMES";
    /// When a timer message is due.
    TIMER_OUT_MS = "TIMER_OUT_MS";
    /// Which timer message a recall removes.
    TIMER_DEL_UNIQKEY = "TIMER_DEL_UNIQKEY";
    /// Delay level of a timer message.
    TIMER_DELAY_LEVEL = "TIMER_DELAY_LEVEL";
    /// Time of delivery, ms, as older clients name it.
    START_DELIVER_TIME = "__STARTDELIVERTIME";
    /// Topic a dead letter comes from.
    DLQ_ORIGIN_TOPIC = "DLQ_ORIGIN_TOPIC";
    /// Message id a dead letter comes from.
    DLQ_ORIGIN_MESSAGE_ID = "DLQ_ORIGIN_MESSAGE_ID";
    /// CRC-32 of the frame, see `property_crc`.
    CRC32 = "__CRC32#";
    /// Kafka key that does not fit `KEYS`, base64.
    KAFKA_KEY = "__KK";
    /// Raw Kafka header block, base64.
    KAFKA_HEADERS = "__KH";
    /// Marks a Kafka header block that was cut on delivery.
    KAFKA_HEADERS_CUT = "__KHX";
    /// Marks a null Kafka value.
    KAFKA_NULL = "__KN";
    /// Producer state of a Kafka batch stored as native frames.
    KAFKA_PRODUCER = "__KP";
    /// Kafka control record.
    KAFKA_CONTROL = "__KC";
}

/// Names with this beginning belong to the system, whether they stand in the table or not. It covers
/// `__RMQ.TRANSIENT.`, the properties that are never stored.
pub const SYSTEM_PREFIX: &str = "__";

/// Whether a property of this name may change what a broker or client does with the message.
#[must_use]
pub fn is_system_name(name: &str) -> bool {
    name.starts_with(SYSTEM_PREFIX) || SYSTEM_NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_and_prefixes_of_the_system() {
        for name in ["DELAY", "INNER_NUM", "__SHARDINGKEY", "__RMQ.TRANSIENT.x", "TRANSACTION_CHECK_TIMES"] {
            assert!(is_system_name(name), "{name}");
        }
        for name in ["delay", "order-id", "_x", ""] {
            assert!(!is_system_name(name), "{name}");
        }
    }

    #[test]
    fn names_stand_once() {
        let distinct: std::collections::HashSet<_> = SYSTEM_NAMES.iter().collect();
        assert_eq!(distinct.len(), SYSTEM_NAMES.len());
    }
}
