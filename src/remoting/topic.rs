//! Topics of administrators: UPDATE_AND_CREATE_TOPIC (17), its list form (18), GET_ALL_TOPIC_CONFIG (21),
//! GET_TOPIC_STATS_INFO (202), DELETE_TOPIC_IN_BROKER (215), GET_SYSTEM_TOPIC_LIST_FROM_BROKER (305),
//! GET_TOPIC_CONFIG (351).
//!
//! A change is answered when the state files hold it. The pages of 21 are those of RocketMQ 5.3.4 and newer; a
//! request without their fields gets everything.
//! Source: RocketMQ 5.3.3 `broker/processor/AdminBrokerProcessor.java`.

use gantry_protocols::remoting::bodies::message_queue::{ByQueue, MessageQueue};
use gantry_protocols::remoting::bodies::stats::{TopicOffset, TopicStatsTable};
use gantry_protocols::remoting::bodies::topic::{
    DataVersion, TopicConfig as ConfigBody, TopicConfigList, TopicConfigWrapper, TopicList,
};
use gantry_protocols::remoting::bodies::{self, encode_fastjson};
use gantry_protocols::remoting::headers::CustomHeader;
use gantry_protocols::remoting::headers::topic::{
    AllTopicConfigRequest, AllTopicConfigResponse, CreateTopicRequest, TopicRequest,
};
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route, errors};
use crate::broker::statistics::Subject;
use crate::broker::topic_admin::TopicWish;
use crate::semantics::data_version;
use crate::semantics::topic_attributes::{self, AttributeChange};
use crate::semantics::topics::{FilterType, Perm, TopicConfig};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::UPDATE_AND_CREATE_TOPIC, Lane::Admin, put),
    Route::new(RequestCode::UPDATE_AND_CREATE_TOPIC_LIST, Lane::Admin, put_list),
    Route::new(RequestCode::GET_ALL_TOPIC_CONFIG, Lane::Admin, all),
    Route::new(RequestCode::GET_TOPIC_STATS_INFO, Lane::Admin, stats),
    Route::new(RequestCode::DELETE_TOPIC_IN_BROKER, Lane::Admin, delete),
    Route::new(RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_BROKER, Lane::Admin, system),
    Route::new(RequestCode::GET_TOPIC_CONFIG, Lane::Admin, config),
];

/// Topics of one page, whatever is asked for (`splitMetadataSize`).
const PAGE_TOPICS: i32 = 2_000;

fn put(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateTopicRequest<'_> = call.header()?;
    let text = request.attributes.as_deref().unwrap_or("");
    let wish = TopicWish {
        name: &request.topic,
        read_queues: request.read_queue_nums,
        write_queues: request.write_queue_nums,
        perm: Perm(request.perm),
        filter_type: filter_type(&request.topic_filter_type)?,
        sys_flag: request.topic_sys_flag.unwrap_or(0),
        order: request.order,
        attributes: topic_attributes::parse(text).map_err(|error| errors::attribute(&error))?,
    };
    let put = call.broker().put_topics(&[wish]).map_err(|error| errors::put_topic(&error))?;
    call.success_when(put)
}

/// All topics of the list or none; stock stops at the first one that is so already, and answers success.
fn put_list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body: TopicConfigList = call.json_body()?;
    let wishes: Result<Vec<_>, _> = body.topic_config_list.iter().map(wish).collect();
    let put = call.broker().put_topics(&wishes?).map_err(|error| errors::put_topic(&error))?;
    call.success_when(put)
}

fn wish(body: &ConfigBody) -> Result<TopicWish<'_>, Refusal> {
    let signed = body.attributes.iter().map(|(key, value)| AttributeChange::signed(key, value));
    let attributes: Result<Vec<_>, _> = signed.collect();
    Ok(TopicWish {
        name: &body.topic_name,
        read_queues: body.read_queue_nums,
        write_queues: body.write_queue_nums,
        perm: Perm(body.perm),
        filter_type: filter_type(&body.topic_filter_type)?,
        sys_flag: body.topic_sys_flag,
        order: body.order,
        attributes: attributes.map_err(|error| errors::attribute(&error))?,
    })
}

fn filter_type(name: &str) -> Result<FilterType, Refusal> {
    match name {
        "SINGLE_TAG" => Ok(FilterType::SingleTag),
        "MULTI_TAG" => Ok(FilterType::MultiTag),
        other => {
            let remark = format!("topicFilterType `{other}` is not SINGLE_TAG or MULTI_TAG");
            Err(Refusal::new(ResponseCode::INVALID_PARAMETER, remark))
        }
    }
}

fn shown(config: &TopicConfig) -> ConfigBody {
    ConfigBody {
        attributes: config.attributes.clone(),
        order: config.order,
        perm: config.perm.0,
        read_queue_nums: config.read_queues,
        topic_filter_type: match config.filter_type {
            FilterType::SingleTag => "SINGLE_TAG".to_owned(),
            FilterType::MultiTag => "MULTI_TAG".to_owned(),
        },
        topic_name: config.name.to_string(),
        topic_sys_flag: config.sys_flag,
        write_queue_nums: config.write_queues,
    }
}

/// A page begins anew when the table changed since the one before it.
fn all(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: AllTopicConfigRequest<'_> = call.header()?;
    let (version, topics) = (call.broker().topics_version(), call.broker().topics());
    let known = request.data_version.as_deref().and_then(|text| bodies::decode(text.as_bytes()).ok());
    let is_page = known.is_some() || request.topic_seq.is_some() || request.max_topic_num.is_some();
    let count = |number: i32| usize::try_from(number).unwrap_or(0);
    let (first, most) = if is_page {
        let goes_on = known == Some(version_body(version));
        let first = request.topic_seq.filter(|_| goes_on).map_or(0, count);
        (first, count(request.max_topic_num.unwrap_or(PAGE_TOPICS).min(PAGE_TOPICS)))
    } else {
        (0, topics.len())
    };
    let page = topics.iter().skip(first).take(most);
    let body = TopicConfigWrapper {
        data_version: version_body(version),
        topic_config_table: page.map(|topic| (topic.name().to_owned(), shown(topic.config()))).collect(),
        ..TopicConfigWrapper::default()
    };
    let header = AllTopicConfigResponse { total_topic_num: i32::try_from(topics.len()).ok() };
    let body = bodies::encode(&body)?;
    call.reply.write(ResponseCode::SUCCESS, None, &mut vec![body], |ext| header.write(ext));
    Ok(Answer::Done)
}

fn version_body(version: data_version::DataVersion) -> DataVersion {
    DataVersion {
        counter: version.counter,
        state_version: version.state_version,
        timestamp: version.timestamp.0,
    }
}

fn stats(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicRequest<'_> = call.header()?;
    let broker = call.broker();
    let topic = broker.native_topic(&request.topic).ok_or_else(|| errors::no_topic(&request.topic))?;
    let put = broker.statistics(Subject::Topic(&request.topic), call.reply.now).unwrap_or_default().minute;
    let put_tps = put.per_second(put.flow.messages);
    let queue = |id: usize| MessageQueue {
        broker_name: broker.identity().broker.clone(),
        queue_id: i32::try_from(id).unwrap_or(i32::MAX),
        topic: request.topic.to_string(),
    };
    let rows = broker.topic_stats(&topic).into_iter().enumerate().map(|(id, stats)| {
        let offsets = TopicOffset {
            last_update_timestamp: stats.last_store_time,
            max_offset: stats.bounds.end,
            min_offset: stats.bounds.start,
        };
        (queue(id), offsets)
    });
    let table = TopicStatsTable { offset_table: ByQueue(rows.collect()), topic_put_tps: put_tps };
    let body = encode_fastjson(&table)?;
    call.reply.write(ResponseCode::SUCCESS, None, &mut vec![body], |_| {});
    Ok(Answer::Done)
}

fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicRequest<'_> = call.header()?;
    if request.topic.trim().is_empty() {
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, "The specified topic is blank."));
    }
    let deleted = call.broker().delete_native_topic(&request.topic);
    call.success_when(deleted.map_err(|error| errors::delete_topic(&error))?)
}

fn system(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let topic_list = call.broker().system_topics();
    call.answer_json(&TopicList { broker_addr: None, topic_list })
}

fn config(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: TopicRequest<'_> = call.header()?;
    let topic = call.broker().native_topic(&request.topic);
    let topic = topic.ok_or_else(|| errors::no_topic(&request.topic))?;
    call.answer_json(&shown(topic.config()))
}
