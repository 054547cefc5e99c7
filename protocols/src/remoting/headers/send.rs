//! Sending: SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320), SEND_REPLY_MESSAGE (324, 325),
//! CONSUMER_SEND_MSG_BACK (36), PUSH_REPLY_MESSAGE_TO_CLIENT (326).
//!
//! Source: RocketMQ 5.3.3 `header/SendMessageRequestHeader.java`, `SendMessageRequestHeaderV2.java`,
//! `SendMessageResponseHeader.java`, `ConsumerSendMsgBackRequestHeader.java`, `ReplyMessageRequestHeader.java`.

use super::{Text, custom_header};
use crate::remoting::ext::ExtValue;

custom_header! {
    /// Asks to store the message, or the batch of messages, in the body.
    ///
    /// Codes 10 and 324 use the long keys, the others the letters; both are read, the letters are written.
    pub struct SendMessageRequest<'a> {
        producer_group: Text<'a> = "producerGroup" | "a",
        topic: Text<'a> = "topic" | "b",
        /// Topic whose settings a missing topic is created from.
        default_topic: Text<'a> = "defaultTopic" | "c",
        default_topic_queue_nums: i32 = "defaultTopicQueueNums" | "d",
        /// Negative: the broker chooses.
        queue_id: i32 = "queueId" | "e",
        sys_flag: i32 = "sysFlag" | "f",
        /// Milliseconds since 1970.
        born_timestamp: i64 = "bornTimestamp" | "g",
        flag: i32 = "flag" | "h",
        /// The property string, to be unescaped into the place where it is stored.
        properties: Option<ExtValue<'a>> = "properties" | "i",
        reconsume_times: Option<i32> = "reconsumeTimes" | "j",
        unit_mode: Option<bool> = "unitMode" | "k",
        max_reconsume_times: Option<i32> = "maxReconsumeTimes" | "l",
        batch: Option<bool> = "batch" | "m",
        broker_name: Option<Text<'a>> = "bname" | "n",
    }
}

custom_header! {
    /// Says where a message was stored; all of it is needed for the codes 0, 10, 11 and 12.
    pub struct SendMessageResponse<'a> {
        /// Offset message id; those of a batch are separated by commas.
        msg_id: Text<'a> = "msgId",
        queue_id: i32 = "queueId",
        /// Queue offset, of the first message of a batch.
        queue_offset: i64 = "queueOffset",
        transaction_id: Option<Text<'a>> = "transactionId",
        batch_uniq_id: Option<Text<'a>> = "batchUniqId",
        recall_handle: Option<Text<'a>> = "recallHandle",
        region: Option<Text<'a>> = "MSG_REGION",
        trace_on: Option<bool> = "TRACE_ON",
    }
}

custom_header! {
    /// Asks to deliver a message again later.
    pub struct ConsumerSendMsgBackRequest<'a> {
        /// Commit offset of the message.
        offset: i64 = "offset",
        group: Text<'a> = "group",
        /// 0: the broker chooses by the number of attempts; negative: to the DLQ at once.
        delay_level: i32 = "delayLevel",
        origin_msg_id: Option<Text<'a>> = "originMsgId",
        origin_topic: Option<Text<'a>> = "originTopic",
        unit_mode: bool = "unitMode" or false,
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
        broker_name: Option<Text<'a>> = "bname",
    }
}

custom_header! {
    /// Hands a reply message to the client that waits for it; its body is the reply.
    pub struct ReplyMessageRequest<'a> {
        producer_group: Text<'a> = "producerGroup",
        topic: Text<'a> = "topic",
        default_topic: Text<'a> = "defaultTopic",
        default_topic_queue_nums: i32 = "defaultTopicQueueNums",
        queue_id: i32 = "queueId",
        sys_flag: i32 = "sysFlag",
        /// Milliseconds since 1970.
        born_timestamp: i64 = "bornTimestamp",
        flag: i32 = "flag",
        properties: Option<ExtValue<'a>> = "properties",
        reconsume_times: Option<i32> = "reconsumeTimes",
        unit_mode: Option<bool> = "unitMode",
        born_host: Text<'a> = "bornHost",
        store_host: Text<'a> = "storeHost",
        /// Milliseconds since 1970.
        store_timestamp: i64 = "storeTimestamp",
    }
}
