//! `gantry topic describe`: one topic as both dialects see it.

use clap::Args;
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::group::GroupList;
use gantry_protocols::remoting::bodies::stats::TopicStatsTable;
use gantry_protocols::remoting::headers::topic::TopicRequest;
use indexmap::IndexMap;
use serde::Serialize;

use super::super::wire::{Wire, decode};
use super::kafka_view::{self, Config};
use super::{config_of, message_type, mode_text, permission_text, stored};
use crate::cli::failure::{EXIT_CODES, Failure};
use crate::cli::output::{Answer, Screen, Section, Table};
use crate::cli::time;
use crate::mapping::names::{kafka_view, native_alias};

const EXAMPLES: &str = "\
Examples:
  gantry topic describe orders
  gantry topic describe orders -o wide          every setting, not only those that were set
  gantry topic describe orders -o json | jq '.queues[].maxOffset'";

/// Says all about a topic: queues, settings of both dialects, groups.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Describe {
    /// The topic
    #[arg(value_name = "TOPIC")]
    topic: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    topic: String,
    queues: i32,
    read_queues: i32,
    mode: &'static str,
    r#type: String,
    perm: String,
    order: bool,
    messages: i64,
    attributes: IndexMap<String, String>,
    native_name: String,
    kafka_name: Option<String>,
    topic_id: Option<String>,
    groups: Option<Vec<String>>,
    configs: Option<Vec<Config>>,
    queue_list: Vec<QueueRow>,
}

/// A queue and its bounds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueRow {
    broker: String,
    queue: i32,
    min_offset: i64,
    max_offset: i64,
    messages: i64,
    /// Milliseconds since 1970; 0 for none.
    last_store_timestamp: i64,
    leader: Option<i32>,
    leader_epoch: Option<i32>,
}

impl Describe {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let topic = stored(&self.topic);
        let config = config_of(wire, &topic)?;
        let header = TopicRequest { topic: topic.as_str().into() };
        let stats: TopicStatsTable =
            decode(&wire.broker(RequestCode::GET_TOPIC_STATS_INFO, &header, b"")?)?;
        let groups: Option<GroupList> =
            wire.broker_if_served(RequestCode::QUERY_TOPIC_CONSUME_BY_WHO, &header)?;
        let queue_list = queues(&stats);
        let mut description = Description {
            queues: config.write_queue_nums,
            read_queues: config.read_queue_nums,
            mode: mode_text(&config),
            r#type: message_type(&config).to_owned(),
            perm: permission_text(config.perm),
            order: config.order,
            messages: queue_list.iter().map(|queue| queue.messages).sum(),
            attributes: config.attributes,
            native_name: native_alias(&topic).into_owned(),
            kafka_name: kafka_view(&topic).map(|name| name.into_owned()),
            topic_id: None,
            groups: groups.map(|groups| groups.group_list),
            configs: None,
            queue_list,
            topic,
        };
        wire.if_kafka(|wire| add_kafka(wire, &mut description));
        screen.answer(&description);
        Ok(())
    }
}

fn queues(stats: &TopicStatsTable) -> Vec<QueueRow> {
    let mut rows: Vec<QueueRow> = stats
        .offset_table
        .0
        .iter()
        .map(|(queue, bounds)| QueueRow {
            broker: queue.broker_name.clone(),
            queue: queue.queue_id,
            min_offset: bounds.min_offset,
            max_offset: bounds.max_offset,
            messages: bounds.max_offset - bounds.min_offset,
            last_store_timestamp: bounds.last_update_timestamp,
            leader: None,
            leader_epoch: None,
        })
        .collect();
    rows.sort_by(|a, b| (&a.broker, a.queue).cmp(&(&b.broker, b.queue)));
    rows
}

fn add_kafka(wire: &mut Wire, description: &mut Description) -> Result<(), Failure> {
    let Some(name) = description.kafka_name.clone() else { return Ok(()) };
    // A topic that Kafka does not list has none of this.
    let found = kafka_view::metadata(wire, Some(&name))?.into_iter().find(|topic| topic.error_code == 0);
    let Some(topic) = found else {
        description.kafka_name = None;
        return Ok(());
    };
    description.topic_id = kafka_view::id_text(&topic);
    for row in &mut description.queue_list {
        let partition = topic.partitions.iter().find(|one| one.partition_index == row.queue);
        row.leader = partition.map(|one| one.leader_id.0);
        row.leader_epoch = partition.map(|one| one.leader_epoch);
    }
    match kafka_view::configs(wire, &name) {
        Ok(configs) => description.configs = Some(configs),
        Err(failure) if failure.is_not_served() => {}
        Err(failure) => return Err(failure),
    }
    Ok(())
}

impl Answer for Description {
    fn sections(&self, wide: bool) -> Vec<Section> {
        let attributes: Vec<String> =
            self.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut facts = vec![
            ("Topic", self.topic.clone()),
            ("Queues", format!("{} to write, {} to read", self.queues, self.read_queues)),
            ("Messages", self.messages.to_string()),
            ("Mode", self.mode.to_owned()),
            ("Type", self.r#type.clone()),
            ("Permission", self.perm.clone()),
            ("Ordered", self.order.to_string()),
            ("Attributes", attributes.join(", ")),
            ("RocketMQ clients use", self.native_name.clone()),
            ("Kafka name", self.kafka_name.clone().unwrap_or_default()),
            ("Topic id", self.topic_id.clone().unwrap_or_default()),
        ];
        if let Some(groups) = &self.groups {
            facts.push(("Groups", groups.join(", ")));
        }
        let mut sections = vec![Section::Facts(facts)];
        let configs = self.configs.iter().flatten().filter(|config| wide || config.set);
        let mut settings = Table::new(&["setting", "value", "set here"]);
        let mut count = 0;
        for config in configs {
            count += 1;
            settings.row([
                config.name.clone(),
                config.value.clone().unwrap_or_default(),
                config.set.to_string(),
            ]);
        }
        if count > 0 {
            sections.push(Section::Table(settings));
        }
        sections.push(Section::Table(self.queue_table(wide)));
        sections
    }
}

impl Description {
    fn queue_table(&self, wide: bool) -> Table {
        let plain = ["#queue", "broker", "#min", "#max", "#messages", "last stored"];
        let columns: Vec<_> =
            plain.into_iter().chain(["#leader", "#epoch"].into_iter().filter(|_| wide)).collect();
        let mut table = Table::new(&columns);
        let number = |number: Option<i32>| number.map_or_else(String::new, |number| number.to_string());
        for row in &self.queue_list {
            let cells = [
                row.queue.to_string(),
                row.broker.clone(),
                row.min_offset.to_string(),
                row.max_offset.to_string(),
                row.messages.to_string(),
                time::shown(row.last_store_timestamp),
                number(row.leader),
                number(row.leader_epoch),
            ];
            table.row(cells.into_iter().take(columns.len()));
        }
        table
    }
}
