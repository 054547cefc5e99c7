//! `gantry topic`: create, list, describe, alter and delete topics of a running broker.
//!
//! The broker is asked in RocketMQ's dialect; what only Kafka has (topic ids, its topic settings) in Kafka's.

mod describe;
mod kafka_view;
mod names;

use clap::{Args, Subcommand, ValueEnum};
use gantry_protocols::kafka::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use gantry_protocols::kafka::messages::{CreateTopicsRequest, StrBytes};
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::topic::{TopicConfig, TopicConfigWrapper};
use gantry_protocols::remoting::headers::topic::{
    AllTopicConfigRequest, CreateTopicRequest, DeleteTopicInNamesrvRequest, TopicRequest,
};
use serde::Serialize;
use serde_json::json;

use super::Common;
use super::wire::{Wire, decode, kafka_refusal};
use crate::cli::failure::{EXIT_CODES, Exit, Failure};
use crate::cli::output::{Answer, Screen, Section, Table, confirm};
use crate::semantics::topics::{MESSAGE_TYPE, QUEUE_TYPE};
use names::{is_system, matches, stored};

/// Creates, lists, describes, alters and deletes topics.
#[derive(Debug, Args)]
pub(in crate::cli) struct Topic {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a topic
    Create(Create),
    /// List topics
    List(List),
    /// Say all about a topic: queues, settings of both dialects, groups
    Describe(describe::Describe),
    /// Change queues, permissions or settings of a topic
    Alter(Alter),
    /// Delete topics with all their messages
    Delete(Delete),
}

impl Topic {
    /// Blocks for the broker's answers.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let (mut wire, screen) = self.common.open();
        match self.verb {
            Verb::Create(create) => create.run(&mut wire, &screen),
            Verb::List(list) => list.run(&mut wire, &screen),
            Verb::Describe(describe) => describe.run(&mut wire, &screen),
            Verb::Alter(alter) => alter.run(&mut wire, &screen),
            Verb::Delete(delete) => delete.run(&mut wire, &screen),
        }
    }
}

/// Who may do what with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Permission {
    /// Write only
    W,
    /// Read only
    R,
    /// Both
    Rw,
    /// Neither
    None,
}

impl Permission {
    fn bits(self) -> i32 {
        match self {
            Permission::None => 0,
            Permission::W => 2,
            Permission::R => 4,
            Permission::Rw => 6,
        }
    }
}

/// As RocketMQ's tools write it.
fn permission_text(bits: i32) -> String {
    let bit = |mask: i32, letter: &'static str| if bits & mask == 0 { "-" } else { letter };
    format!("{}{}", bit(4, "R"), bit(2, "W"))
}

/// The storage mode by the words of the glossary.
fn mode_text(config: &TopicConfig) -> &'static str {
    match attribute(config, QUEUE_TYPE) {
        Some("BatchCQ") => "B",
        _ => "S",
    }
}

fn attribute<'a>(config: &'a TopicConfig, name: &str) -> Option<&'a str> {
    config.attributes.get(name).map(String::as_str)
}

fn message_type(config: &TopicConfig) -> &str {
    attribute(config, MESSAGE_TYPE).unwrap_or("NORMAL")
}

/// One `NAME=VALUE`.
fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text}: write it as NAME=VALUE"))?;
    if name.is_empty() {
        Err(format!("{text}: the name is missing"))
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}

const CREATE_EXAMPLES: &str = "\
Examples:
  gantry topic create orders --queues 8
  gantry topic create payments --type FIFO
  gantry topic create events --mode B --config retention.ms=86400000

Modes: S stores one frame a message (RocketMQ's way), B stores Kafka batches as they come; both dialects read both.
With --config, or with a dot in its name, the topic is created in Kafka's dialect, where mode B is the default; else in
RocketMQ's.";

/// Creates a topic; one that exists is not touched.
#[derive(Debug, Args)]
#[command(after_help = format!("{CREATE_EXAMPLES}\n\n{EXIT_CODES}"))]
struct Create {
    /// The topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Queues, which are Kafka's partitions
    #[arg(long, short = 'n', value_name = "N", default_value_t = 8, visible_alias = "partitions", value_parser = clap::value_parser!(i32).range(1..=65_536))]
    queues: i32,
    /// What may be done with it
    #[arg(long, value_enum, value_name = "PERM", default_value_t = Permission::Rw, hide_default_value = true)]
    perm: Permission,
    /// Kind of messages: NORMAL, FIFO, DELAY, TRANSACTION, MIXED
    #[arg(long = "type", value_name = "TYPE", ignore_case = true, value_parser = ["NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"], hide_possible_values = true)]
    kind: Option<String>,
    /// Storage mode for the topic's life: S or B
    #[arg(long, value_name = "MODE", ignore_case = true, value_parser = ["S", "B"], hide_possible_values = true)]
    mode: Option<String>,
    /// Mark it as ordered
    #[arg(long)]
    order: bool,
    /// A topic setting of Kafka's; can be repeated
    #[arg(long, short = 'c', value_name = "NAME=VALUE", value_parser = setting)]
    config: Vec<(String, String)>,
}

impl Create {
    fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        // Names with a dot are Kafka's: RocketMQ refuses to create them.
        if self.config.is_empty() && !self.topic.contains('.') {
            self.create_native(wire)?;
        } else {
            self.create_kafka(wire)?;
        }
        let (topic, queues) = (&self.topic, self.queues);
        screen.done(
            &format!("created topic {topic} with {queues} queues"),
            &json!({"topic": topic, "queues": queues, "created": true}),
        );
        Ok(())
    }

    /// The settings besides the count of queues, as both dialects name them.
    fn attributes(&self) -> Vec<(String, String)> {
        let mode = self.mode.as_deref().map(|mode| {
            let queue_type = if mode.eq_ignore_ascii_case("B") { "BatchCQ" } else { "SimpleCQ" };
            (QUEUE_TYPE.to_owned(), queue_type.to_owned())
        });
        let kind = self.kind.as_ref().map(|kind| (MESSAGE_TYPE.to_owned(), kind.to_uppercase()));
        mode.into_iter().chain(kind).collect()
    }

    fn create_native(&self, wire: &mut Wire) -> Result<(), Failure> {
        // The request changes a topic that exists; whoever creates does not mean that.
        match config_of(wire, &self.topic) {
            Ok(_) => return Err(exists(&self.topic)),
            Err(failure) if failure.exit() == Exit::NotFound => {}
            Err(failure) => return Err(failure),
        }
        let attributes = self.attributes();
        let changes: Vec<String> =
            attributes.iter().map(|(name, value)| format!("+{name}={value}")).collect();
        let config = TopicConfig {
            topic_name: self.topic.clone(),
            read_queue_nums: self.queues,
            write_queue_nums: self.queues,
            perm: self.perm.bits(),
            order: self.order,
            ..TopicConfig::default()
        };
        put(wire, &config, &changes.join(","))
    }

    fn create_kafka(&self, wire: &mut Wire) -> Result<(), Failure> {
        if self.perm != Permission::Rw || self.order {
            return Err(Failure::usage("--perm and --order do not exist where Kafka creates a topic")
                .cure("create it without them, then say `gantry topic alter`"));
        }
        let configs =
            self.attributes().into_iter().chain(self.config.iter().cloned()).map(|(name, value)| {
                CreatableTopicConfig::default()
                    .with_name(StrBytes::from_string(name))
                    .with_value(Some(StrBytes::from_string(value)))
            });
        let topic = CreatableTopic::default()
            .with_name(StrBytes::from_string(self.topic.clone()).into())
            .with_num_partitions(self.queues)
            .with_replication_factor(-1)
            .with_configs(configs.collect());
        let timeout_ms = i32::try_from(wire.timeout().as_millis()).unwrap_or(i32::MAX);
        let response = wire.kafka(7, |_| {
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms)
        })?;
        let what = format!("topic {} was not created", self.topic);
        response
            .topics
            .iter()
            .try_for_each(|one| kafka_refusal(&what, one.error_code, one.error_message.as_deref()))
    }
}

fn exists(topic: &str) -> Failure {
    Failure::failed(format!("topic {topic} exists already"))
        .cure(format!("`gantry topic alter {topic}` changes it, `gantry topic describe {topic}` shows it"))
}

/// Settings of one topic; not found when there is none.
fn config_of(wire: &mut Wire, topic: &str) -> Result<TopicConfig, Failure> {
    let header = TopicRequest { topic: topic.into() };
    let found = wire.broker(RequestCode::GET_TOPIC_CONFIG, &header, b"").and_then(|reply| decode(&reply));
    found.map_err(|failure: Failure| if failure.exit() == Exit::NotFound { no_topic(topic) } else { failure })
}

fn no_topic(topic: &str) -> Failure {
    Failure::not_found(format!("there is no topic {topic}")).cure("`gantry topic list` shows which there are")
}

/// Creates or changes a topic; `attributes` as `+name=value`.
fn put(wire: &mut Wire, config: &TopicConfig, attributes: &str) -> Result<(), Failure> {
    let header = CreateTopicRequest {
        topic: config.topic_name.as_str().into(),
        default_topic: "TBW102".into(),
        read_queue_nums: config.read_queue_nums,
        write_queue_nums: config.write_queue_nums,
        perm: config.perm,
        topic_filter_type: config.topic_filter_type.as_str().into(),
        topic_sys_flag: Some(config.topic_sys_flag),
        order: config.order,
        attributes: Some(attributes).filter(|text| !text.is_empty()).map(Into::into),
        force: None,
    };
    wire.broker(RequestCode::UPDATE_AND_CREATE_TOPIC, &header, b"").map(drop)
}

const LIST_EXAMPLES: &str = "\
Examples:
  gantry topic list
  gantry topic list 'orders*' -o wide           messages, Kafka's names and ids, too
  gantry topic list -q | xargs -n1 gantry topic describe

Not listed without --all: retry and dead letter topics, system topics.";

/// Lists topics.
#[derive(Debug, Args)]
#[command(after_help = format!("{LIST_EXAMPLES}\n\n{EXIT_CODES}"))]
struct List {
    /// Only names like this; * stands for any text
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// Retry, dead letter and system topics, too
    #[arg(long, short)]
    all: bool,
}

/// A topic in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicRow {
    topic: String,
    queues: i32,
    read_queues: i32,
    mode: &'static str,
    r#type: String,
    perm: String,
    order: bool,
    messages: Option<i64>,
    kafka_name: Option<String>,
    topic_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct TopicRows(Vec<TopicRow>);

impl List {
    fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let header = AllTopicConfigRequest { topic_seq: None, data_version: None, max_topic_num: None };
        let reply = wire.broker(RequestCode::GET_ALL_TOPIC_CONFIG, &header, b"")?;
        let all: TopicConfigWrapper = decode(&reply)?;
        let own = if self.all { Vec::new() } else { names::own_names(wire) };
        let wanted = |config: &&TopicConfig| {
            self.pattern.as_deref().is_none_or(|pattern| matches(pattern, &config.topic_name))
                && (self.all || !is_system(&config.topic_name, &own))
        };
        let mut rows: Vec<TopicRow> = all.topic_config_table.values().filter(wanted).map(row).collect();
        rows.sort_by(|a, b| a.topic.cmp(&b.topic));
        if screen.wants_all() {
            wire.if_kafka(|wire| kafka_view::add(wire, &mut rows));
        }
        if rows.is_empty() {
            screen.note("no topics; `gantry topic create NAME` makes one, so does the first send");
        }
        screen.answer(&TopicRows(rows));
        Ok(())
    }
}

fn row(config: &TopicConfig) -> TopicRow {
    TopicRow {
        topic: config.topic_name.clone(),
        queues: config.write_queue_nums,
        read_queues: config.read_queue_nums,
        mode: mode_text(config),
        r#type: message_type(config).to_owned(),
        perm: permission_text(config.perm),
        order: config.order,
        messages: None,
        kafka_name: None,
        topic_id: None,
    }
}

impl Answer for TopicRows {
    fn sections(&self, wide: bool) -> Vec<Section> {
        let plain = ["topic", "#queues", "mode", "type", "perm"];
        let more = ["#read queues", "order", "#messages", "kafka name", "topic id"];
        let columns: Vec<_> = plain.iter().chain(more.iter().filter(|_| wide)).copied().collect();
        let mut table = Table::new(&columns);
        for row in &self.0 {
            let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
            let cells = [
                row.topic.clone(),
                row.queues.to_string(),
                row.mode.to_owned(),
                row.r#type.clone(),
                row.perm.clone(),
                row.read_queues.to_string(),
                row.order.to_string(),
                number(row.messages),
                row.kafka_name.clone().unwrap_or_default(),
                row.topic_id.clone().unwrap_or_default(),
            ];
            table.row(cells.into_iter().take(columns.len()));
        }
        vec![Section::Table(table)]
    }
}

const ALTER_EXAMPLES: &str = "\
Examples:
  gantry topic alter orders --queues 16
  gantry topic alter orders --perm r            no more sends
  gantry topic alter events --config retention.ms=3600000 --unset max.message.bytes

The number of a topic's queues should only grow: consumers look for messages where they were stored.";

/// Changes a topic that exists.
#[derive(Debug, Args)]
#[command(after_help = format!("{ALTER_EXAMPLES}\n\n{EXIT_CODES}"), group = clap::ArgGroup::new("change").required(true).multiple(true).args(["queues", "read_queues", "perm", "order", "config", "unset"]))]
struct Alter {
    /// The topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Queues to write to and to read from
    #[arg(long, short = 'n', value_name = "N", visible_alias = "partitions", value_parser = clap::value_parser!(i32).range(1..=65_536))]
    queues: Option<i32>,
    /// Queues to read from, when fewer are written to
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=65_536))]
    read_queues: Option<i32>,
    /// What may be done with it
    #[arg(long, value_enum, value_name = "PERM")]
    perm: Option<Permission>,
    /// Whether it is ordered: true or false
    #[arg(long, value_name = "BOOL")]
    order: Option<bool>,
    /// A topic setting of Kafka's; can be repeated
    #[arg(long, short = 'c', value_name = "NAME=VALUE", value_parser = setting)]
    config: Vec<(String, String)>,
    /// Give a topic setting its default again; can be repeated
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
}

impl Alter {
    fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let mut config = config_of(wire, &stored(&self.topic))?;
        if !(self.config.is_empty() && self.unset.is_empty()) {
            kafka_view::alter_configs(wire, &config.topic_name, &self.config, &self.unset)?;
        }
        let native = self.queues.is_some()
            || self.read_queues.is_some()
            || self.perm.is_some()
            || self.order.is_some();
        if native {
            config.write_queue_nums = self.queues.unwrap_or(config.write_queue_nums);
            config.read_queue_nums = self.read_queues.or(self.queues).unwrap_or(config.read_queue_nums);
            config.perm = self.perm.map_or(config.perm, Permission::bits);
            config.order = self.order.unwrap_or(config.order);
            put(wire, &config, "")?;
        }
        let topic = &self.topic;
        screen.done(&format!("altered topic {topic}"), &json!({"topic": topic, "altered": true}));
        Ok(())
    }
}

const DELETE_EXAMPLES: &str = "\
Examples:
  gantry topic delete orders                    asks first, on a terminal
  gantry topic delete orders payments --yes";

/// Deletes topics with all their messages.
#[derive(Debug, Args)]
#[command(after_help = format!("{DELETE_EXAMPLES}\n\n{EXIT_CODES}"))]
struct Delete {
    /// The topics
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        // All of them have to be there before the first one goes.
        let topics: Vec<String> = self.topics.iter().map(|typed| stored(typed)).collect();
        for topic in &topics {
            config_of(wire, topic)?;
        }
        let names = topics.join(", ");
        confirm(&format!("Delete {names} with all messages?"), self.yes)?;
        for topic in &topics {
            let header = TopicRequest { topic: topic.as_str().into() };
            wire.broker(RequestCode::DELETE_TOPIC_IN_BROKER, &header, b"")?;
            let header = DeleteTopicInNamesrvRequest { topic: topic.as_str().into(), cluster_name: None };
            if let Err(failure) = wire.namesrv(RequestCode::DELETE_TOPIC_IN_NAMESRV, &header, b"") {
                screen.note(&format!("the name server still names {topic}: {}", failure.what()));
            }
        }
        screen.done(&format!("deleted {names}"), &json!({"topics": topics, "deleted": true}));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_a_name() {
        assert_eq!(setting("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(setting("a").is_err());
        assert!(setting("=a").is_err());
    }

    #[test]
    fn permissions_are_written_as_the_tools_write_them() {
        let texts: Vec<String> = [0, 2, 4, 6, 7].map(permission_text).into();
        assert_eq!(texts, ["--", "-W", "R-", "RW", "RW"]);
    }
}
