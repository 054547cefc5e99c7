//! `gantry msg send`: one message from the command line, one a line of standard input, or a file.

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use bytes::BytesMut;
use clap::Args;
use gantry_protocols::kafka::batch_builder::{BatchBuilder, BatchFields, NewRecord};
use gantry_protocols::kafka::messages::metadata_request::MetadataRequestTopic;
use gantry_protocols::kafka::messages::produce_request::{PartitionProduceData, TopicProduceData};
use gantry_protocols::kafka::messages::{MetadataRequest, ProduceRequest, StrBytes, TopicName};
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::ext::ExtValue;
use gantry_protocols::remoting::headers::send::{SendMessageRequest, SendMessageResponse};
use gantry_store::format::properties::PropertiesWriter;
use serde_json::{Value, json};

use super::super::wire::{Wire, kafka_refusal};
use super::{Dialect, partitioner};
use crate::cli::failure::{EXIT_CODES, Failure};
use crate::cli::output::{Format, Screen, print};
use crate::server::Clock;

const EXAMPLES: &str = "\
Examples:
  gantry msg send orders 'hello' --tag A --key k1
  seq 100 | gantry msg send orders              a message a line
  gantry msg send orders --file picture.png -H type=image/png
  gantry msg send events '{}' --via kafka --key k1 -H trace=7

A topic that does not exist is created by the broker, if its settings allow that. Each line of the answer says where
a message was stored.";

/// Sends messages: one from the command line, one a line of standard input, or a file.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Send {
    /// The topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// The message; without it and without --file each line of standard input is one
    #[arg(value_name = "VALUE", conflicts_with = "file")]
    value: Option<String>,
    /// A file that is the message
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A key; can be repeated in RocketMQ's dialect
    #[arg(long, short, value_name = "KEY")]
    key: Vec<String>,
    /// The tag that consumers filter by
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// A property, which is Kafka's header; can be repeated
    #[arg(long = "property", short = 'H', visible_alias = "header", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// The queue, which is Kafka's partition [default: chosen by the broker, in Kafka by the key]
    #[arg(long, value_name = "N", visible_alias = "partition", value_parser = clap::value_parser!(i32).range(0..))]
    queue: Option<i32>,
    /// In whose words to send
    #[arg(long, value_enum, value_name = "DIALECT", default_value_t = Dialect::Native)]
    via: Dialect,
}

/// One `NAME=VALUE`.
fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text}: write it as NAME=VALUE")),
    }
}

/// Where a message was stored.
struct Stored {
    topic: String,
    queue: i32,
    offset: i64,
    ids: Option<(String, String)>,
}

impl Stored {
    fn json(&self) -> Value {
        let mut all = json!({"topic": self.topic, "queue": self.queue, "offset": self.offset});
        if let (Some((id, offset_id)), Some(members)) = (&self.ids, all.as_object_mut()) {
            members.insert("msgId".to_owned(), json!(id));
            members.insert("offsetMsgId".to_owned(), json!(offset_id));
        }
        all
    }

    fn sentence(&self) -> String {
        let ids = self.ids.as_ref().map(|(id, offset_id)| format!("  id {id}  offset id {offset_id}"));
        format!("stored {}/{}@{}{}", self.topic, self.queue, self.offset, ids.unwrap_or_default())
    }
}

impl Send {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let mut way = match self.via {
            Dialect::Native => Way::Native,
            Dialect::Kafka => Way::Kafka(self.partitions(wire)?),
        };
        let mut send = |body: &[u8]| -> Result<(), Failure> {
            let stored = match &mut way {
                Way::Native => self.send_native(wire, body)?,
                Way::Kafka(partitions) => self.send_kafka(wire, partitions, body)?,
            };
            if screen.format == Format::Json {
                // One value a line: there may be many.
                print(&format!("{}\n", stored.json()));
            } else if screen.format == Format::Yaml {
                print("---\n");
                screen.done("", &stored.json());
            } else {
                screen.done(&stored.sentence(), &stored.json());
            }
            Ok(())
        };
        if let Some(value) = &self.value {
            return send(value.as_bytes());
        }
        if let Some(file) = &self.file {
            let read = fs::read(file);
            let body = read
                .map_err(|error| Failure::failed(format!("cannot read {}", file.display())).cause(error))?;
            return send(&body);
        }
        if io::stdin().is_terminal() {
            screen.note("reading messages from the terminal, one a line; Ctrl-D ends");
        }
        for line in io::stdin().lock().split(b'\n') {
            send(&line?)?;
        }
        Ok(())
    }

    fn send_native(&self, wire: &mut Wire, body: &[u8]) -> Result<Stored, Failure> {
        let id = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
        let properties = self.property_block(&id)?;
        let header = SendMessageRequest {
            producer_group: "gantry_cli".into(),
            topic: self.topic.as_str().into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 4,
            queue_id: self.queue.unwrap_or(-1),
            sys_flag: 0,
            born_timestamp: Clock::system().now(),
            flag: 0,
            properties: Some(ExtValue::plain(&properties)),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: Some(false),
            broker_name: None,
        };
        let reply = wire.broker(RequestCode::SEND_MESSAGE_V2, &header, body)?;
        let stored: SendMessageResponse<'_> = reply.header()?;
        Ok(Stored {
            topic: self.topic.clone(),
            queue: stored.queue_id,
            offset: stored.queue_offset,
            ids: Some((id, stored.msg_id.into_owned())),
        })
    }

    fn property_block(&self, id: &str) -> Result<String, Failure> {
        let mut block = Vec::new();
        let mut writer = PropertiesWriter::new(&mut block);
        let keys = self.key.join(" ");
        let own = [
            ("UNIQ_KEY", id),
            ("WAIT", "true"),
            ("KEYS", &keys),
            ("TAGS", self.tag.as_deref().unwrap_or("")),
        ];
        let set = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().filter(|(_, value)| !value.is_empty()).chain(set) {
            writer.put(name, value.as_bytes()).map_err(|error| {
                Failure::usage(format!("property {name} cannot be sent in RocketMQ's dialect")).cause(error)
            })?;
        }
        Ok(String::from_utf8_lossy(&block).into_owned())
    }

    fn partitions(&self, wire: &mut Wire) -> Result<Partitions, Failure> {
        let name: TopicName = StrBytes::from_string(self.topic.clone()).into();
        // A topic that was just created has no leader for a moment.
        for last in [false, false, true] {
            let asked = vec![MetadataRequestTopic::default().with_name(Some(name.clone()))];
            let response = wire.kafka(12, |_| {
                MetadataRequest::default().with_topics(Some(asked)).with_allow_auto_topic_creation(true)
            })?;
            for topic in response.topics {
                let refused = kafka_refusal(&format!("topic {}", self.topic), topic.error_code, None);
                match refused {
                    Ok(()) => return Ok(Partitions { count: topic.partitions.len(), next: 0 }),
                    Err(failure) if last => return Err(failure),
                    Err(_) => {}
                }
            }
        }
        Err(Failure::failed(format!("Kafka says nothing about topic {}", self.topic)))
    }

    fn send_kafka(
        &self,
        wire: &mut Wire,
        partitions: &mut Partitions,
        body: &[u8],
    ) -> Result<Stored, Failure> {
        let key = match self.key.as_slice() {
            [] => None,
            [key] => Some(key.as_bytes()),
            _ => {
                return Err(
                    Failure::usage("a Kafka record has one key").cure("say --key once, or --via native")
                );
            }
        };
        let partition = self.queue.unwrap_or_else(|| partitions.choose(key));
        let timeout_ms = i32::try_from(wire.timeout().as_millis()).unwrap_or(i32::MAX);
        let records = self.batch(key, body)?;
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(records.freeze()));
        let name = StrBytes::from_string(self.topic.clone());
        let topic = TopicProduceData::default().with_name(name.into()).with_partition_data(vec![data]);
        let response = wire.kafka(9, |_| {
            ProduceRequest::default().with_acks(-1).with_timeout_ms(timeout_ms).with_topic_data(vec![topic])
        })?;
        let answers = response.responses.into_iter().flat_map(|topic| topic.partition_responses);
        let answer =
            answers.last().ok_or_else(|| Failure::failed("Kafka did not say where it stored the record"))?;
        let what = format!("nothing was stored in {}/{partition}", self.topic);
        kafka_refusal(&what, answer.error_code, answer.error_message.as_deref())?;
        Ok(Stored { topic: self.topic.clone(), queue: partition, offset: answer.base_offset, ids: None })
    }

    fn batch(&self, key: Option<&[u8]>, body: &[u8]) -> Result<BytesMut, Failure> {
        let tag = self.tag.iter().map(|tag| ("rmq.tags", tag.as_str()));
        let set = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            tag.chain(set).map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))).collect();
        let mut builder = BatchBuilder::new();
        let timestamp = Clock::system().now();
        builder.push(NewRecord { timestamp, offset_delta: 0, key, value: Some(body) }, headers)?;
        let mut records = BytesMut::new();
        builder.finish(&BatchFields::default(), &mut records)?;
        Ok(records)
    }
}

/// How messages go.
enum Way {
    Native,
    Kafka(Partitions),
}

/// The partitions of a topic, chosen by key, else one after the other.
struct Partitions {
    count: usize,
    next: usize,
}

impl Partitions {
    fn choose(&mut self, key: Option<&[u8]>) -> i32 {
        let chosen = match key {
            Some(key) => partitioner::partition(key, self.count),
            None => {
                self.next += 1;
                (self.next - 1).checked_rem(self.count).unwrap_or(0)
            }
        };
        i32::try_from(chosen).unwrap_or(0)
    }
}
