//! Arguments that nearly every request may carry beside its own.
//!
//! Source: RocketMQ 5.3.3 `remoting/rpc/RpcRequestHeader.java`, `TopicRequestHeader.java`.

use super::{Text, custom_header};

custom_header! {
    /// Routing of a request between brokers, and the name of the broker the client meant.
    pub struct RpcFields<'a> {
        namespace: Option<Text<'a>> = "ns",
        namespaced: Option<bool> = "nsd",
        broker_name: Option<Text<'a>> = "bname",
        oneway: Option<bool> = "oway",
        /// `false`: another broker forwarded the request, static topics are not mapped again.
        logical: Option<bool> = "lo",
    }
}
