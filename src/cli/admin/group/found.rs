//! A group as both dialects know it, and what every command about groups asks.

use gantry_protocols::kafka::messages::describe_groups_response::DescribedGroup;
use gantry_protocols::kafka::messages::{DescribeGroupsRequest, StrBytes};
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::client::ConsumerConnection;
use gantry_protocols::remoting::bodies::group::{SubscriptionGroupConfig, SubscriptionGroupTable};
use gantry_protocols::remoting::bodies::stats::ConsumeStats;
use gantry_protocols::remoting::headers::client::ConsumerGroupRequest;
use gantry_protocols::remoting::headers::group::{AllSubscriptionGroupRequest, ConsumeStatsRequest};
use indexmap::IndexMap;

use super::super::wire::{Wire, decode, kafka_refusal};
use crate::cli::failure::{Exit, Failure};
use crate::mapping::group_names;

/// What is known of a group.
#[derive(Debug)]
pub(super) struct Found {
    /// Its stored name.
    pub(super) group: String,
    pub(super) settings: Option<SubscriptionGroupConfig>,
    /// Native members, when there are any.
    pub(super) native: Option<ConsumerConnection>,
    /// What Kafka says, when it knows the group.
    pub(super) kafka: Option<DescribedGroup>,
    pub(super) stats: ConsumeStats,
}

impl Found {
    /// Asks both dialects; `typed` is the name in either.
    pub(super) fn by_name(wire: &mut Wire, typed: &str) -> Result<Found, Failure> {
        let group = stored(typed);
        let settings = settings(wire)?.shift_remove(&group);
        let native = connections(wire, &group)?;
        let kafka = wire.if_kafka(|wire| describe(wire, &group)).flatten();
        let stats = stats(wire, &group, None)?;
        if settings.is_none() && native.is_none() && kafka.is_none() && stats.offset_table.0.is_empty() {
            return Err(Failure::not_found(format!("there is no group {group}"))
                .cure("`gantry group list` shows which there are"));
        }
        Ok(Found { group, settings, native, kafka, stats })
    }

    /// The dialect of its live members.
    pub(super) fn holder(&self) -> Option<&'static str> {
        let kafka_members = self.kafka.as_ref().is_some_and(|kafka| !kafka.members.is_empty());
        self.native.as_ref().map(|_| "native").or(kafka_members.then_some("kafka"))
    }

    /// Live members, of whichever dialect.
    pub(super) fn member_count(&self) -> usize {
        let kafka = self.kafka.as_ref().map_or(0, |kafka| kafka.members.len());
        self.native.as_ref().map_or(kafka, |native| native.connection_set.len())
    }

    /// Refuses while there are members.
    pub(super) fn must_be_idle(&self, done: &str) -> Result<(), Failure> {
        let Some(holder) = self.holder() else { return Ok(()) };
        let (group, count) = (&self.group, self.member_count());
        Err(Failure::failed(format!("group {group} cannot be {done} while it has live members"))
            .cause(format!("{count} {holder} members"))
            .cure("stop them first; `gantry group describe` names them"))
    }
}

/// The stored name of a group typed in either dialect.
fn stored(typed: &str) -> String {
    // A stored name is its own Kafka name unless it holds what only Kafka's may hold.
    let is_native = typed.chars().all(|c| c.is_ascii_alphanumeric() || "_-%|".contains(c));
    if is_native { typed.to_owned() } else { group_names::from_kafka(typed).into_owned() }
}

/// Settings of all groups.
pub(super) fn settings(wire: &mut Wire) -> Result<IndexMap<String, SubscriptionGroupConfig>, Failure> {
    let header = AllSubscriptionGroupRequest { group_seq: None, data_version: None, max_group_num: None };
    let code = RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG;
    let table: Option<SubscriptionGroupTable> = wire.broker_if_served(code, &header)?;
    Ok(table.unwrap_or_default().subscription_group_table)
}

/// Native members; `None` when there are none.
pub(super) fn connections(wire: &mut Wire, group: &str) -> Result<Option<ConsumerConnection>, Failure> {
    let header = ConsumerGroupRequest { consumer_group: group.into() };
    match wire.broker(RequestCode::GET_CONSUMER_CONNECTION_LIST, &header, b"") {
        Ok(reply) => Ok(Some(decode(&reply)?).filter(is_native)),
        Err(failure) if failure.exit() == Exit::NotFound || failure.is_not_served() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A Gantry lists Kafka's members here too, in a language and a version that no RocketMQ client has; a group never has
/// members of both dialects.
fn is_native(found: &ConsumerConnection) -> bool {
    found.connection_set.iter().any(|one| one.language != "OTHER" || one.version != i32::MAX)
}

/// How far a group has come, in one topic or in all.
pub(super) fn stats(wire: &mut Wire, group: &str, topic: Option<&str>) -> Result<ConsumeStats, Failure> {
    let header =
        ConsumeStatsRequest { consumer_group: group.into(), topic: topic.map(Into::into), topic_list: None };
    match wire.broker(RequestCode::GET_CONSUME_STATS, &header, b"") {
        Ok(reply) => decode(&reply),
        Err(failure) if failure.exit() == Exit::NotFound => Ok(ConsumeStats::default()),
        Err(failure) => Err(failure),
    }
}

/// Messages that a group has not consumed.
pub(super) fn lag(stats: &ConsumeStats) -> i64 {
    stats.offset_table.0.values().map(|queue| queue.broker_offset - queue.consumer_offset).sum()
}

/// What Kafka says of a group; `None` when it does not know it.
fn describe(wire: &mut Wire, group: &str) -> Result<Option<DescribedGroup>, Failure> {
    let id = StrBytes::from_string(group_names::kafka_view(group).into_owned());
    let response = wire.kafka(5, |_| DescribeGroupsRequest::default().with_groups(vec![id.into()]))?;
    let Some(found) = response.groups.into_iter().next() else { return Ok(None) };
    kafka_refusal(&format!("group {group} in Kafka"), found.error_code, found.error_message.as_deref())?;
    Ok(Some(found).filter(|found| found.group_state.as_str() != "Dead"))
}
