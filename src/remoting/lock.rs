//! Queue locks of orderly consumers: LOCK_BATCH_MQ (41), UNLOCK_BATCH_MQ (42).
//!
//! The answer names the queues that the client holds now; it asks again every 20 seconds to keep them. A queue of
//! another broker's name is not granted.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.lockBatchMQ`, `unlockBatchMQ`.

use std::sync::Arc;

use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::lock::{LockBatchRequest, LockBatchResponse};
use gantry_protocols::remoting::bodies::message_queue::MessageQueue;

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::broker::Broker;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::LOCK_BATCH_MQ, Lane::Client, lock),
    Route::new(RequestCode::UNLOCK_BATCH_MQ, Lane::Client, unlock),
];

fn lock(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: LockBatchRequest = call.json_body()?;
    let client: Arc<str> = request.client_id.into();
    let wanted: Vec<_> = ours(call.broker(), &request.mq_set).collect();
    let queues: Vec<_> = wanted.iter().map(|queue| (&*queue.topic, queue.queue_id)).collect();
    let granted = call.broker().lock_queues(&request.consumer_group, &client, &queues, call.reply.now);
    let granted = granted.into_iter().filter_map(|at| wanted.get(at)).map(|queue| (*queue).clone());
    let answer = LockBatchResponse { lock_ok_mq_set: granted.collect() };
    call.answer_json(&answer)
}

fn unlock(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: LockBatchRequest = call.json_body()?;
    let queues: Vec<_> =
        ours(call.broker(), &request.mq_set).map(|queue| (&*queue.topic, queue.queue_id)).collect();
    call.broker().unlock_queues(&request.consumer_group, &request.client_id, &queues);
    call.success()
}

fn ours<'q>(broker: &Broker, queues: &'q [MessageQueue]) -> impl Iterator<Item = &'q MessageQueue> {
    let name = broker.identity().broker.clone();
    queues.iter().filter(move |queue| queue.broker_name == name)
}
