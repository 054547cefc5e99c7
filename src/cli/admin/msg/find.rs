//! `gantry msg get` and `gantry msg query`: messages by id, by place, by key.

use clap::Args;
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::headers::query::{QueryMessageRequest, ViewMessageRequest};
use gantry_store::format::message_id;

use super::super::wire::Wire;
use super::fetch::Lookup;
use super::format::Template;
use super::message::{Message, Native};
use super::print::Printer;
use super::pull::{Place, frames, pull};
use crate::cli::failure::{EXIT_CODES, Exit, Failure};
use crate::cli::output::{Format, Screen};
use crate::cli::time;
use crate::mapping::names::kafka_view;
use crate::server::Clock;

/// More candidates than any answer holds by default.
const MATCHES: i32 = 64;

const GET_EXAMPLES: &str = "\
Examples:
  gantry msg get orders:3:17                    topic, queue, offset
  gantry msg get 7F00000100002A9F0000000000000000
                                                the offset id that a send answered
  gantry msg get 7F0000010A2B18B4AAC2000000010000 --topic orders
                                                the unique id that a client gave it";

/// Prints one message by its id or its place.
#[derive(Debug, Args)]
#[command(after_help = format!("{GET_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Get {
    /// TOPIC:QUEUE:OFFSET, an offset message id, or with --topic a unique message id
    #[arg(value_name = "ID")]
    id: String,
    /// The topic, to find a unique message id in
    #[arg(long, short, value_name = "TOPIC")]
    topic: Option<String>,
    /// How to print it; as in `gantry msg tail`
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    format: Option<Template>,
}

impl Get {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let mut found = match (place_of(&self.id), &self.topic) {
            (Some(place), _) => at_place(wire, place)?,
            (None, Some(topic)) => by_unique_id(wire, topic, &self.id)?,
            (None, None) => by_offset_id(wire, &self.id)?,
        };
        if screen.wants_all() && self.format.is_none() {
            add_kafka(wire, std::slice::from_mut(&mut found));
        }
        if self.format.is_some() || screen.is_quiet() {
            let _ = Printer::new(self.format, screen).print(&found);
        } else {
            screen.answer(&found);
        }
        Ok(())
    }
}

/// `TOPIC:QUEUE:OFFSET`.
fn place_of(id: &str) -> Option<Place> {
    let (rest, offset) = id.rsplit_once(':')?;
    let (topic, queue) = rest.rsplit_once(':')?;
    let tags = "*".to_owned();
    Some(Place { topic: topic.to_owned(), queue: queue.parse().ok()?, offset: offset.parse().ok()?, tags })
}

fn no_message(what: String) -> Failure {
    Failure::not_found(what).cure("is it deleted by age? `gantry topic describe` shows the offsets there are")
}

fn at_place(wire: &mut Wire, mut place: Place) -> Result<Message, Failure> {
    let asked = place.clone();
    let address = wire.broker_address()?;
    let mut peer = wire.dial_broker(&address, wire.timeout())?;
    let read = pull(&mut peer, &mut place, 0)?;
    let found = read.into_iter().find(|message| message.offset == asked.offset);
    found.ok_or_else(|| no_message(format!("{}/{} has no offset {}", asked.topic, asked.queue, asked.offset)))
}

fn by_offset_id(wire: &mut Wire, id: &str) -> Result<Message, Failure> {
    let (host, offset) = message_id::decode(id).map_err(|error| {
        Failure::usage(format!("{id} is no message id"))
            .cause(error)
            .cure("write TOPIC:QUEUE:OFFSET, or an id")
    })?;
    let header = ViewMessageRequest { topic: None, offset: offset.0 };
    let missing = || {
        no_message(format!("there is no message {id}"))
            .cause(format!("as an offset id it stands for {offset} at {host}"))
            .cure("an id that a client gave is found with --topic")
    };
    let reply = match wire.broker(RequestCode::VIEW_MESSAGE_BY_ID, &header, b"") {
        Ok(reply) => reply,
        // A place where no message begins is a system error to RocketMQ.
        Err(failure) if matches!(failure.exit(), Exit::NotFound | Exit::Failed) => return Err(missing()),
        Err(failure) => return Err(failure),
    };
    let found = frames(&reply.body)?.into_iter().next();
    let is_it = |native: &Native| native.offset_id.eq_ignore_ascii_case(id);
    found.filter(|message| message.native.as_ref().is_some_and(is_it)).ok_or_else(missing)
}

fn by_unique_id(wire: &mut Wire, topic: &str, id: &str) -> Result<Message, Failure> {
    let ask = Ask { topic, key: id, from: 0, to: i64::MAX, max: MATCHES, unique: true };
    let found = ask.find(wire)?.into_iter().find(|message| message.id() == Some(id));
    match found {
        Some(found) => Ok(found),
        None if message_id::decode(id).is_ok() => by_offset_id(wire, id),
        None => Err(no_message(format!("topic {topic} has no message {id}"))),
    }
}

const QUERY_EXAMPLES: &str = "\
Examples:
  gantry msg query --topic orders --key k1
  gantry msg query --topic orders --key k1 --from 1d --max 10 -o json
  gantry msg query --topic orders --key k1 -f '%q@%o %v\\n'

Times: 2026-11-21T15:00:00Z, '2026-11-21 15:00' (local), milliseconds, or a duration (ago). Records of Kafka that are
stored as batches are found by the keys in their header rmq.keys.";

/// Prints messages by key.
#[derive(Debug, Args)]
#[command(after_help = format!("{QUERY_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Query {
    /// The topic
    #[arg(long, short, value_name = "TOPIC")]
    topic: String,
    /// One of the keys of a message, or its unique id
    #[arg(long, short, value_name = "KEY")]
    key: String,
    /// Stored at or after
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Stored at or before
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Messages at most
    #[arg(long, value_name = "N", default_value_t = MATCHES, value_parser = clap::value_parser!(i32).range(1..))]
    max: i32,
    /// How to print a message; as in `gantry msg tail`
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    format: Option<Template>,
}

impl Query {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let now = Clock::system().now();
        let time = |text: &Option<String>| text.as_deref().map(|text| time::parse(text, now)).transpose();
        let ask = Ask {
            topic: &self.topic,
            key: &self.key,
            from: time(&self.from).map_err(Failure::usage)?.unwrap_or(0),
            to: time(&self.to).map_err(Failure::usage)?.unwrap_or(i64::MAX),
            max: self.max,
            unique: false,
        };
        let mut found = ask.find(wire)?;
        if found.is_empty() {
            let what = format!("topic {} has no message with key {}", self.topic, self.key);
            return Err(Failure::not_found(what).cure("keys are whole words; --from and --to bound the time"));
        }
        if matches!(screen.format, Format::Json | Format::Yaml) && self.format.is_none() {
            add_kafka(wire, &mut found);
        }
        let mut printer = Printer::new(self.format, screen);
        // A reader that went away is no failure.
        let _ = found.iter().try_for_each(|message| printer.print(message));
        Ok(())
    }
}

/// Adds what Kafka says, where it can be asked and shows the message.
fn add_kafka(wire: &mut Wire, messages: &mut [Message]) {
    let Some(peer) = wire.if_kafka(|wire| wire.dial_kafka(wire.timeout())) else { return };
    let mut lookup = Lookup::new(peer);
    for message in messages {
        message.kafka =
            kafka_view(&message.topic).and_then(|name| lookup.find(&name, message.queue, message.offset));
    }
}

/// A question to the key index.
struct Ask<'a> {
    topic: &'a str,
    key: &'a str,
    from: i64,
    to: i64,
    max: i32,
    unique: bool,
}

impl Ask<'_> {
    /// What really has the key: the index finds by hash.
    fn find(&self, wire: &mut Wire) -> Result<Vec<Message>, Failure> {
        let header = QueryMessageRequest {
            topic: self.topic.into(),
            key: self.key.into(),
            max_num: self.max,
            begin_timestamp: self.from,
            end_timestamp: self.to,
            unique_key_query: Some(self.unique),
        };
        let reply = match wire.broker(RequestCode::QUERY_MESSAGE, &header, b"") {
            Ok(reply) => reply,
            Err(failure) if failure.exit() == Exit::NotFound => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let mut found = frames(&reply.body)?;
        found.retain(|message| self.is_answered_by(message));
        found.sort_by_key(|message| message.native.as_ref().map(|native| native.store_timestamp));
        Ok(found)
    }

    fn is_answered_by(&self, message: &Message) -> bool {
        let has_key = |native: &Native| {
            let keys = native.property("KEYS").unwrap_or_default();
            native.property("UNIQ_KEY") == Some(self.key) || keys.split(' ').any(|key| key == self.key)
        };
        message.topic == self.topic && message.native.as_ref().is_some_and(has_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_topic_queue_and_offset() {
        let place = place_of("a:b:3:17").unwrap();
        assert_eq!((place.topic.as_str(), place.queue, place.offset), ("a:b", 3, 17));
        for other in ["7F00000100002A9F0000000000000000", "t:1", "t:x:1", "t:1:x"] {
            assert!(place_of(other).is_none(), "{other}");
        }
    }
}
