//! Transactions: END_TRANSACTION (37), CHECK_TRANSACTION_STATE (39).
//!
//! Source: RocketMQ 5.3.3 `header/EndTransactionRequestHeader.java`,
//! `CheckTransactionStateRequestHeader.java`.

use super::{Text, custom_header};

custom_header! {
    /// Ends a transaction; stock clients send it one-way.
    pub struct EndTransactionRequest<'a> {
        topic: Option<Text<'a>> = "topic",
        producer_group: Text<'a> = "producerGroup",
        /// Queue offset of the half message.
        tran_state_table_offset: i64 = "tranStateTableOffset",
        /// Commit offset of the half message.
        commit_log_offset: i64 = "commitLogOffset",
        /// 8 commit, 12 rollback, 0 unknown.
        commit_or_rollback: i32 = "commitOrRollback",
        from_transaction_check: Option<bool> = "fromTransactionCheck",
        msg_id: Text<'a> = "msgId",
        transaction_id: Option<Text<'a>> = "transactionId",
    }
}

custom_header! {
    /// Asks a producer how a transaction ended; the body is the half message as stored.
    pub struct CheckTransactionStateRequest<'a> {
        topic: Option<Text<'a>> = "topic",
        /// Queue offset of the half message.
        tran_state_table_offset: i64 = "tranStateTableOffset",
        /// Commit offset of the half message.
        commit_log_offset: i64 = "commitLogOffset",
        msg_id: Option<Text<'a>> = "msgId",
        transaction_id: Option<Text<'a>> = "transactionId",
        offset_msg_id: Option<Text<'a>> = "offsetMsgId",
        broker_name: Option<Text<'a>> = "bname",
    }
}
