//! Questions that a consumer answers itself: INVOKE_BROKER_TO_GET_CONSUMER_STATUS (223),
//! GET_CONSUMER_RUNNING_INFO (307), CONSUME_MESSAGE_DIRECTLY (309); and their frames to the client.
//!
//! What the client answers to 307 and 309 is handed on as it is, its code and remark too.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.callConsumer`, `Broker2Client.getConsumeStatus`.

use std::collections::HashMap;
use std::sync::Arc;

use gantry_protocols::outbox::Outbox;
use gantry_protocols::remoting::bodies::progress::ConsumerStatusBody;
use gantry_protocols::remoting::bodies::{self, encode_fastjson};
use gantry_protocols::remoting::header::HeadEncodeError;
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::client::{ConsumeDirectlyRequest, ConsumerRunningRequest};
use gantry_protocols::remoting::headers::consumer_admin::TopicOfGroupRequest;
use gantry_protocols::remoting::{Codec, Flag, Head, RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal, Reply, Waiting};
use super::{Lane, Route, errors};
use crate::broker::Broker;
use crate::broker::client_calls::{
    CALL_TIMEOUT_MS, CallId, CallOutcome, ClientAnswer, ClientAsk, STATUS_TIMEOUT_MS,
};
use crate::broker::mailbox::Signal;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::INVOKE_BROKER_TO_GET_CONSUMER_STATUS, Lane::Admin, status),
    Route::new(RequestCode::GET_CONSUMER_RUNNING_INFO, Lane::Admin, running),
    Route::new(RequestCode::CONSUME_MESSAGE_DIRECTLY, Lane::Admin, consume),
];

fn running(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ConsumerRunningRequest<'_> = call.header()?;
    let (group, client_id) = (Arc::from(&*request.consumer_group), Arc::from(&*request.client_id));
    let ask = ClientAsk::Running { group, client_id, with_stacks: request.jstack_enable };
    put(call, &request.consumer_group, &request.client_id, ask)
}

fn consume(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ConsumeDirectlyRequest<'_> = call.header()?;
    let id = request.msg_id.as_deref().unwrap_or_default();
    let found = call.broker().message_of_id(id).map_err(|error| errors::read(&error))?;
    let missing = || Refusal::new(ResponseCode::SYSTEM_ERROR, format!("no message has the id {id}"));
    let frame = found.ok_or_else(missing)?;
    let client = request.client_id.as_deref().unwrap_or_default();
    let group = Arc::from(&*request.consumer_group);
    let ask = ClientAsk::Consume { group, client_id: client.into(), message_id: id.into(), frame };
    put(call, &request.consumer_group, client, ask)
}

fn put(call: &mut Call<'_>, group: &str, client: &str, ask: ClientAsk) -> Result<Answer, Refusal> {
    let asker = (call.reply.mailbox, call.reply.to.token);
    let id = call.broker().ask_client((group, client), ask, asker, CALL_TIMEOUT_MS);
    let id = id.map_err(|error| errors::ask(&error))?;
    Ok(Answer::Parked(Box::new(Asked { id, who: format!("<{group}> <{client}>") })))
}

/// A question to one client.
struct Asked {
    id: CallId,
    who: String,
}

impl Waiting for Asked {
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> bool {
        let Some(Signal::Answered(_, _, outcome)) = signal else { return false };
        match outcome {
            CallOutcome::Answered(ClientAnswer { code, remark, body }) => {
                reply.write(ResponseCode(code), remark.as_deref(), &mut vec![body], |_| {});
            }
            CallOutcome::TimedOut => {
                let remark = format!("consumer {} Timeout: no answer within {CALL_TIMEOUT_MS} ms", self.who);
                reply.refuse(&Refusal::new(ResponseCode::CONSUME_MSG_TIMEOUT, remark));
            }
            CallOutcome::Gone => {
                let remark = format!("invoke consumer {} Exception: its connection is closed", self.who);
                reply.refuse(&Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
            }
        }
        true
    }

    fn abandon(&mut self, broker: &Broker) {
        broker.forget_call(self.id);
    }
}

/// Asks one client of the group, or all; those that do not answer are left out.
fn status(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicOfGroupRequest<'_> = call.header()?;
    let (broker, group) = (call.broker(), &request.group);
    let wanted = request.client.as_deref().filter(|client| !client.trim().is_empty());
    let mut clients = broker.consumer_ids(group);
    clients.retain(|client| wanted.is_none_or(|wanted| wanted == client));
    clients.dedup();
    let mut asked = StatusOfGroup::default();
    for client in clients {
        let ask = ClientAsk::Status { group: Arc::from(&**group), topic: Arc::from(&*request.topic) };
        let asker = (call.reply.mailbox, call.reply.to.token);
        if let Ok(id) = broker.ask_client((group, &client), ask, asker, STATUS_TIMEOUT_MS) {
            asked.open.insert(id, client);
        }
    }
    if asked.open.is_empty() {
        let remark = format!("No Any Consumer online in the consumer group: [{group}]");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    Ok(Answer::Parked(Box::new(asked)))
}

/// Questions to the clients of a group.
#[derive(Default)]
struct StatusOfGroup {
    open: HashMap<CallId, String>,
    table: ConsumerStatusBody,
}

impl Waiting for StatusOfGroup {
    fn resume(&mut self, reply: &mut Reply<'_>, signal: Option<Signal>) -> bool {
        let Some(Signal::Answered(_, id, outcome)) = signal else { return false };
        if let (Some(client), CallOutcome::Answered(answer)) = (self.open.remove(&id), outcome)
            && let Ok(body) = bodies::decode::<ConsumerStatusBody>(&answer.body)
        {
            self.table.consumer_table.insert(client, body.message_queue_table);
        }
        if !self.open.is_empty() {
            return false;
        }
        match encode_fastjson(&self.table) {
            Ok(body) => reply.write(ResponseCode::SUCCESS, None, &mut vec![body], |_| {}),
            Err(error) => reply.refuse(&error.into()),
        }
        true
    }

    fn abandon(&mut self, broker: &Broker) {
        self.open.keys().for_each(|id| broker.forget_call(*id));
    }
}

/// Writes a question as a request of ours.
pub(super) fn write(
    broker: &Broker,
    codec: Codec,
    id: CallId,
    ask: &ClientAsk,
    out: &mut Outbox,
) -> Result<(), HeadEncodeError> {
    let head = |code| Head::request(code, id.0, Flag::REQUEST);
    match ask {
        ClientAsk::Running { group, client_id, with_stacks } => {
            let header = ConsumerRunningRequest {
                consumer_group: (&**group).into(),
                client_id: (&**client_id).into(),
                jstack_enable: *with_stacks,
            };
            head(RequestCode::GET_CONSUMER_RUNNING_INFO).write(codec, 0, out.head(), |ext| header.write(ext))
        }
        ClientAsk::Consume { group, client_id, message_id, frame } => {
            let header = ConsumeDirectlyRequest {
                consumer_group: (&**group).into(),
                client_id: Some((&**client_id).into()),
                msg_id: Some((&**message_id).into()),
                broker_name: Some(broker.identity().broker.as_str().into()),
                topic: None,
                topic_sys_flag: None,
                group_sys_flag: broker.group_settings(group).map(|settings| settings.sys_flag),
            };
            let head = head(RequestCode::CONSUME_MESSAGE_DIRECTLY);
            head.write(codec, frame.len(), out.head(), |ext| header.write(ext))?;
            out.push(frame.clone());
            Ok(())
        }
        ClientAsk::Status { group, topic } => {
            let header =
                TopicOfGroupRequest { group: (&**group).into(), topic: (&**topic).into(), client: None };
            head(RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT)
                .write(codec, 0, out.head(), |ext| header.write(ext))
        }
    }
}
