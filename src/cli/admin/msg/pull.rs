//! Messages as RocketMQ clients read them: PULL_MESSAGE (11), one queue at a time.

use gantry_protocols::remoting::headers::pull::{PullFlag, PullMessageRequest, PullMessageResponse};
use gantry_protocols::remoting::{RequestCode, ResponseCode};
use gantry_store::format::FrameView;

use super::super::wire::{peer_failure, refusal};
use super::message::Message;
use crate::cli::failure::Failure;
use crate::peer::Peer;

/// The group that RocketMQ's own tools read with: every broker has it, and nothing is committed for it.
const TOOLS_GROUP: &str = "TOOLS_CONSUMER";
const MESSAGES: i32 = 32;

/// A place in a queue.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) queue: i32,
    pub(super) offset: i64,
    /// Tags to read, `*` for all.
    pub(super) tags: String,
}

/// Reads what is at the place and moves it on; holds up to `hold_ms` where there is nothing. Blocks.
pub(super) fn pull(peer: &mut Peer, at: &mut Place, hold_ms: i64) -> Result<Vec<Message>, Failure> {
    let suspend = if hold_ms > 0 { PullFlag::SUSPEND.0 } else { 0 };
    let header = PullMessageRequest {
        consumer_group: TOOLS_GROUP.into(),
        topic: at.topic.as_str().into(),
        queue_id: at.queue,
        queue_offset: at.offset,
        max_msg_nums: MESSAGES,
        sys_flag: PullFlag::SUBSCRIPTION.0 | suspend,
        commit_offset: 0,
        suspend_timeout_millis: hold_ms,
        subscription: Some(at.tags.as_str().into()),
        sub_version: 0,
        expression_type: Some("TAG".into()),
        max_msg_bytes: None,
        request_source: None,
        proxy_forward_client_id: None,
        broker_name: None,
    };
    let code = RequestCode::PULL_MESSAGE;
    let reply = peer.invoke(code, &header, b"").map_err(|error| peer_failure(&error))?;
    match reply.code {
        ResponseCode::SUCCESS
        | ResponseCode::PULL_NOT_FOUND
        | ResponseCode::PULL_RETRY_IMMEDIATELY
        | ResponseCode::PULL_OFFSET_MOVED => {}
        _ => return Err(refusal(peer.address(), code, &reply)),
    }
    let mut messages = Vec::new();
    if reply.code == ResponseCode::SUCCESS {
        messages = frames(&reply.body)?;
        messages.retain(|message| wants(&at.tags, message));
    }
    at.offset = reply.header::<PullMessageResponse>()?.next_begin_offset;
    Ok(messages)
}

/// The frames of an answer, one behind the other.
pub(super) fn frames(mut body: &[u8]) -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    while !body.is_empty() {
        let frame = FrameView::parse(body)?;
        messages.push(Message::of_frame(&frame));
        body = body.get(frame.bytes().len()..).unwrap_or_default();
    }
    Ok(messages)
}

/// The broker compares hashes of tags; the words are compared here.
pub(super) fn wants(tags: &str, message: &Message) -> bool {
    let tag = message.tag();
    tags.trim() == "*" || tags.split("||").any(|wanted| Some(wanted.trim()) == tag.as_deref())
}
