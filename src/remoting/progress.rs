//! How far groups have come, for administrators: GET_CONSUME_STATS (208), QUERY_CONSUME_TIME_SPAN (303),
//! QUERY_CORRECTION_OFFSET (308), GET_BROKER_CONSUME_STATS (317).
//!
//! The offset pulled last is not kept: it is shown as the committed one, so nothing ever seems to be in flight.
//! Source: RocketMQ 5.3.3 `AdminBrokerProcessor.java`.

use gantry_protocols::remoting::bodies::encode_fastjson;
use gantry_protocols::remoting::bodies::message_queue::{ByQueue, MessageQueue};
use gantry_protocols::remoting::bodies::progress::{
    ConsumeStatsList, QueryConsumeTimeSpanBody, QueryCorrectionOffsetBody, QueueTimeSpan,
};
use gantry_protocols::remoting::bodies::stats::{ConsumeOffset, ConsumeStats};
use gantry_protocols::remoting::headers::consumer_admin::{
    BrokerConsumeStatsRequest, QueryCorrectionOffsetRequest, TopicOfGroupRequest,
};
use gantry_protocols::remoting::headers::group::ConsumeStatsRequest;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::broker::Broker;
use crate::broker::progress::TopicProgress;
use crate::broker::statistics::Subject;
use crate::semantics::Millis;

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::GET_CONSUME_STATS, Lane::Admin, of_group),
    Route::new(RequestCode::QUERY_CONSUME_TIME_SPAN, Lane::Admin, time_span),
    Route::new(RequestCode::QUERY_CORRECTION_OFFSET, Lane::Admin, correction),
    Route::new(RequestCode::GET_BROKER_CONSUME_STATS, Lane::Admin, of_all),
];

/// A list of topics is taken as it is; a single topic only while the group's live members subscribe it.
fn of_group(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ConsumeStatsRequest<'_> = call.header()?;
    let (broker, group) = (call.broker(), &request.consumer_group);
    let listed: Vec<&str> = words(request.topic_list.as_deref(), ';').collect();
    let found = match request.topic.as_deref().filter(|topic| !topic.trim().is_empty()) {
        Some(topic) if listed.is_empty() => broker.progress_if_subscribed(group, topic),
        _ => broker.progress(group, &listed),
    };
    let mut all = ConsumeStats::default();
    for topic in &found {
        let stats = stats(broker, group, topic, call.reply.now);
        all.consume_tps += stats.consume_tps;
        all.offset_table.0.extend(stats.offset_table.0);
    }
    call.answer_body(encode_fastjson(&all))
}

fn of_all(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: BrokerConsumeStatsRequest = call.header()?;
    let broker = call.broker();
    let mut list =
        ConsumeStatsList { broker_addr: Some(call.reply.mailbox.local().to_string()), ..Default::default() };
    for (group, topics) in broker.progress_of_all() {
        let shown: Vec<_> = topics.iter().filter(|topic| topic.is_order || !request.is_order).collect();
        let behind = shown.iter().flat_map(|topic| &topic.queues).map(|queue| queue.end - queue.committed);
        list.total_diff += behind.sum::<i64>();
        let stats = shown.iter().map(|topic| stats(broker, &group, topic, call.reply.now)).collect();
        list.consume_stats_list.push([(group, stats)].into_iter().collect());
    }
    call.answer_body(encode_fastjson(&list))
}

fn time_span(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicOfGroupRequest<'_> = call.header()?;
    let topic = &request.topic;
    let unknown = || Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist"));
    let found = call.broker().time_span(&request.group, topic).ok_or_else(unknown)?;
    let set = found.iter().map(|times| QueueTimeSpan {
        consume_time_stamp: times.consumed,
        delay_time: times.delay_ms,
        max_time_stamp: times.last,
        message_queue: place(call.broker(), topic, times.queue),
        min_time_stamp: times.first,
    });
    let body = QueryConsumeTimeSpanBody { consume_time_span_set: set.collect() };
    call.answer_json(&body)
}

fn correction(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: QueryCorrectionOffsetRequest<'_> = call.header()?;
    let without: Vec<&str> = words(request.filter_groups.as_deref(), ',').collect();
    let correction_offsets =
        call.broker().smallest_committed(&request.topic, &request.compare_group, &without);
    call.answer_json(&QueryCorrectionOffsetBody { correction_offsets })
}

fn words(text: Option<&str>, separator: char) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(separator).map(str::trim).filter(|word| !word.is_empty())
}

fn stats(broker: &Broker, group: &str, topic: &TopicProgress, now: Millis) -> ConsumeStats {
    let read =
        broker.statistics(Subject::Group { topic: &topic.topic, group }, now).unwrap_or_default().minute;
    let queues = topic.queues.iter().map(|queue| {
        let offset = ConsumeOffset {
            broker_offset: queue.end,
            consumer_offset: queue.committed,
            last_timestamp: queue.last_stored,
            pull_offset: queue.committed,
        };
        (place(broker, &topic.topic, queue.queue), offset)
    });
    let consume_tps = read.per_second(read.flow.messages);
    ConsumeStats { consume_tps, offset_table: ByQueue(queues.collect()) }
}

fn place(broker: &Broker, topic: &str, queue_id: i32) -> MessageQueue {
    MessageQueue { broker_name: broker.identity().broker.clone(), queue_id, topic: topic.to_owned() }
}
