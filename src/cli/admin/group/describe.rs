//! `gantry group describe`: who holds a group, its members, the lag of every queue.

use std::collections::HashMap;

use clap::Args;
use gantry_protocols::cursor::{ReadError, Reader};
use gantry_protocols::remoting::bodies::client::ConsumerConnection;
use serde::Serialize;

use super::super::wire::Wire;
use super::found::{Found, lag};
use crate::cli::failure::{EXIT_CODES, Failure};
use crate::cli::output::{Answer, Screen, Section, Table};
use crate::cli::time;
use crate::mapping::{group_names, names};

const EXAMPLES: &str = "\
Examples:
  gantry group describe billing
  gantry group describe billing -o json | jq '[.queues[].lag] | add'

A queue's holder is the member that Kafka's description assigns it to; for native members that is the default
strategy's share.";

/// Says all about a group: who holds it, members, lag of every queue.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Describe {
    /// The group, by its name in either dialect
    #[arg(value_name = "GROUP")]
    group: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    group: String,
    kafka_name: String,
    holder: Option<&'static str>,
    state: String,
    protocol: Option<String>,
    model: Option<String>,
    lag: i64,
    retries: Option<i32>,
    consume_enabled: Option<bool>,
    subscriptions: Vec<Subscription>,
    members: Vec<Member>,
    queues: Vec<QueueRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    topic: String,
    expression: String,
    r#type: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    dialect: &'static str,
    member: String,
    client: String,
    address: String,
    language: Option<String>,
    version: Option<i32>,
    instance: Option<String>,
    queues: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueRow {
    topic: String,
    broker: String,
    queue: i32,
    committed: i64,
    end: i64,
    lag: i64,
    /// When the last consumed message was stored, milliseconds since 1970; 0 for none.
    last_consumed_timestamp: i64,
    holder: Option<String>,
}

/// Member by stored topic and partition.
type Holders = HashMap<(String, i32), String>;

impl Describe {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let found = Found::by_name(wire, &self.group)?;
        screen.answer(&description(&found));
        Ok(())
    }
}

fn description(found: &Found) -> Description {
    let holders = holders(found);
    let members = match &found.native {
        Some(native) => native_members(native, &holders),
        None => kafka_members(found, &holders),
    };
    let kafka = found.kafka.as_ref();
    let state = kafka.map(|kafka| kafka.group_state.to_string());
    let idle = || if found.native.is_some() { "Stable".to_owned() } else { "Empty".to_owned() };
    Description {
        group: found.group.clone(),
        kafka_name: group_names::kafka_view(&found.group).into_owned(),
        holder: found.holder(),
        state: state.unwrap_or_else(idle),
        protocol: kafka.map(|kafka| kafka.protocol_data.to_string()).filter(|protocol| !protocol.is_empty()),
        model: found.native.as_ref().map(|native| native.message_model.name().to_owned()),
        lag: lag(&found.stats),
        retries: found.settings.as_ref().map(|settings| settings.retry_max_times),
        consume_enabled: found.settings.as_ref().map(|settings| settings.consume_enable),
        subscriptions: found.native.as_ref().map(subscriptions).unwrap_or_default(),
        members,
        queues: queues(found, &holders),
    }
}

fn subscriptions(native: &ConsumerConnection) -> Vec<Subscription> {
    let one = native.subscription_table.values().map(|one| Subscription {
        topic: one.topic.clone(),
        expression: one.sub_string.clone(),
        r#type: one.expression_type.clone(),
    });
    one.collect()
}

fn native_members(native: &ConsumerConnection, holders: &Holders) -> Vec<Member> {
    let one = native.connection_set.iter().map(|one| Member {
        dialect: "native",
        member: one.client_id.clone(),
        client: one.client_id.clone(),
        address: one.client_addr.clone(),
        language: Some(one.language.clone()),
        version: Some(one.version),
        instance: None,
        queues: held_by(holders, &one.client_id),
    });
    one.collect()
}

fn kafka_members(found: &Found, holders: &Holders) -> Vec<Member> {
    let members = found.kafka.iter().flat_map(|kafka| &kafka.members);
    let one = members.map(|one| Member {
        dialect: "kafka",
        member: one.member_id.to_string(),
        client: one.client_id.to_string(),
        address: one.client_host.trim_start_matches('/').to_owned(),
        language: None,
        version: None,
        instance: one.group_instance_id.as_ref().map(|id| id.to_string()),
        queues: held_by(holders, &one.member_id),
    });
    one.collect()
}

fn held_by(holders: &Holders, member: &str) -> usize {
    holders.values().filter(|holder| *holder == member).count()
}

/// Who has which queue, as Kafka's description says it. Bytes that are no assignment assign nothing.
fn holders(found: &Found) -> Holders {
    let mut holders = Holders::new();
    for member in found.kafka.iter().flat_map(|kafka| &kafka.members) {
        for (topic, partitions) in assignment(&member.member_assignment).unwrap_or_default() {
            let stored =
                names::from_kafka(&topic, |_| true).map_or_else(|| topic.clone(), |name| name.into_owned());
            for partition in partitions {
                holders.insert((stored.clone(), partition), member.member_id.to_string());
            }
        }
    }
    holders
}

/// Topics and partitions of Kafka's consumer protocol. Source: Kafka 4.1 `ConsumerProtocolAssignment.json`.
fn assignment(bytes: &[u8]) -> Result<Vec<(String, Vec<i32>)>, ReadError> {
    let mut reader = Reader::new(bytes);
    reader.take_i16("version")?;
    let mut topics = Vec::new();
    for _ in 0..reader.take_i32("topics")? {
        let length = reader.take_i16("topic length")?;
        let name = String::from_utf8_lossy(reader.take_sized(i32::from(length), "topic")?).into_owned();
        let mut partitions = Vec::new();
        for _ in 0..reader.take_i32("partitions")? {
            partitions.push(reader.take_i32("partition")?);
        }
        topics.push((name, partitions));
    }
    Ok(topics)
}

fn queues(found: &Found, holders: &Holders) -> Vec<QueueRow> {
    let row = |(queue, at): (
        &gantry_protocols::remoting::bodies::message_queue::MessageQueue,
        &gantry_protocols::remoting::bodies::stats::ConsumeOffset,
    )| QueueRow {
        topic: queue.topic.clone(),
        broker: queue.broker_name.clone(),
        queue: queue.queue_id,
        committed: at.consumer_offset,
        end: at.broker_offset,
        lag: at.broker_offset - at.consumer_offset,
        last_consumed_timestamp: at.last_timestamp,
        holder: holders.get(&(queue.topic.clone(), queue.queue_id)).cloned(),
    };
    let mut rows: Vec<QueueRow> = found.stats.offset_table.0.iter().map(row).collect();
    rows.sort_by(|a, b| (&a.topic, &a.broker, a.queue).cmp(&(&b.topic, &b.broker, b.queue)));
    rows
}

impl Answer for Description {
    fn sections(&self, wide: bool) -> Vec<Section> {
        let subscribed: Vec<String> = self
            .subscriptions
            .iter()
            .map(|one| format!("{} ({} {})", one.topic, one.r#type, one.expression))
            .collect();
        let mut facts = vec![
            ("Group", self.group.clone()),
            ("Kafka name", self.kafka_name.clone()),
            ("Held by", self.holder.unwrap_or("nobody").to_owned()),
            ("State", self.state.clone()),
            ("Lag", self.lag.to_string()),
        ];
        let optional = [
            ("Model", self.model.clone()),
            ("Assignor", self.protocol.clone()),
            ("Retries", self.retries.map(|retries| retries.to_string())),
            ("Subscribes", Some(subscribed.join(", ")).filter(|text| !text.is_empty())),
        ];
        facts.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let mut sections = vec![Section::Facts(facts)];
        if !self.members.is_empty() {
            sections.push(Section::Table(self.member_table(wide)));
        }
        sections.push(Section::Table(self.queue_table(wide)));
        sections
    }
}

impl Description {
    fn member_table(&self, wide: bool) -> Table {
        let more = ["language", "version", "instance"];
        let columns: Vec<_> =
            ["member", "address", "#queues"].into_iter().chain(more.into_iter().filter(|_| wide)).collect();
        let mut table = Table::new(&columns);
        for one in &self.members {
            let cells = [
                one.member.clone(),
                one.address.clone(),
                one.queues.to_string(),
                one.language.clone().unwrap_or_default(),
                one.version.map_or_else(String::new, |version| version.to_string()),
                one.instance.clone().unwrap_or_default(),
            ];
            table.row(cells.into_iter().take(columns.len()));
        }
        table
    }

    fn queue_table(&self, wide: bool) -> Table {
        let plain = ["topic", "#queue", "#committed", "#end", "#lag", "holder"];
        let columns: Vec<_> =
            plain.into_iter().chain(["broker", "last consumed"].into_iter().filter(|_| wide)).collect();
        let mut table = Table::new(&columns);
        for row in &self.queues {
            let cells = [
                row.topic.clone(),
                row.queue.to_string(),
                row.committed.to_string(),
                row.end.to_string(),
                row.lag.to_string(),
                row.holder.clone().unwrap_or_default(),
                row.broker.clone(),
                time::shown(row.last_consumed_timestamp),
            ];
            table.row(cells.into_iter().take(columns.len()));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_assignment_and_refuses_what_breaks_off() {
        let bytes = b"\0\x03\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x05\xff\xff\xff\xff";
        assert_eq!(assignment(bytes).unwrap(), [("t".to_owned(), vec![0, 5])]);
        for len in 0..21 {
            assert!(assignment(&bytes[..len]).is_err(), "{len}");
        }
    }
}
