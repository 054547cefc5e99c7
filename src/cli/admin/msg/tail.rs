//! `gantry msg tail`: prints messages of a topic as they come, from where one asks.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use gantry_protocols::kafka::messages::metadata_request::MetadataRequestTopic;
use gantry_protocols::kafka::messages::{MetadataRequest, StrBytes};
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::stats::{TopicOffset, TopicStatsTable};
use gantry_protocols::remoting::headers::Boundary;
use gantry_protocols::remoting::headers::offset::{OffsetResponse, SearchOffsetRequest};
use gantry_protocols::remoting::headers::topic::TopicRequest;

use super::super::wire::{Wire, decode, kafka_refusal};
use super::Dialect;
use super::fetch::{EARLIEST, LATEST, Lookup, fetch, offsets};
use super::format::Template;
use super::message::Message;
use super::print::Printer;
use super::pull::{Place, pull, wants};
use crate::cli::failure::{EXIT_CODES, Exit, Failure};
use crate::cli::output::{Format, Screen};
use crate::cli::time;
use crate::mapping::names::kafka_view;
use crate::server::Clock;

/// Connections of one tail: a thread and a connection for each queue.
const QUEUES_MAX: usize = 256;
/// How long a read is held where nothing comes.
const HOLD_MS: i64 = 10_000;
/// Messages that wait to be printed.
const WAITING: usize = 1024;

const EXAMPLES: &str = "\
Examples:
  gantry msg tail orders                        what comes from now on
  gantry msg tail orders --from beginning -e    all there is, then stop
  gantry msg tail orders --from -5 --queue 0    the last five of queue 0, and what comes
  gantry msg tail orders --from 1h --tag 'A || B' --count 10
  gantry msg tail orders -f '%q@%o %k %v\\n'     a format of one's own
  gantry msg tail orders -o json | jq .kafka.headers

Format: %t topic, %q or %p queue (partition), %o offset, %k keys, %v value, %h properties or headers, %d time, %i
message id, %g tag, %% percent; %v{hex}, {base64}, {json} for %k %v %h, %d{ms}; \\n \\t \\\\.
-q prints values only, -o json one JSON value a line with what both dialects say, -o tsv columns.";

/// Prints messages of a topic as they come.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Tail {
    /// The topic
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// beginning, end, an offset, -N (the last N of each queue), a time, or @MS [default: end; with -e beginning]
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true, value_parser = Start::parse)]
    from: Option<Start>,
    /// Only these queues; can be repeated
    #[arg(long, value_name = "N", visible_alias = "partition")]
    queue: Vec<i32>,
    /// Only these tags: 'A || B'
    #[arg(long, value_name = "TAGS", default_value = "*", hide_default_value = true)]
    tag: String,
    /// Stop after so many messages
    #[arg(long, short = 'c', value_name = "N")]
    count: Option<u64>,
    /// Stop at what is the end now
    #[arg(long, short)]
    exit_at_end: bool,
    /// How to print a message
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    format: Option<Template>,
    /// In whose words to read
    #[arg(long, value_enum, value_name = "DIALECT", default_value_t = Dialect::Native)]
    view: Dialect,
}

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    Beginning,
    End,
    Offset(i64),
    Last(i64),
    Time(String),
}

impl Start {
    fn parse(text: &str) -> Result<Start, String> {
        let number = |digits: &str| digits.parse::<i64>().ok().filter(|number| *number >= 0);
        match text {
            "beginning" | "earliest" => return Ok(Start::Beginning),
            "end" | "latest" => return Ok(Start::End),
            _ => {}
        }
        if let Some(offset) = number(text) {
            return Ok(Start::Offset(offset));
        }
        if let Some(last) = text.strip_prefix('-').and_then(number) {
            return Ok(Start::Last(last));
        }
        let time = text.strip_prefix('@').unwrap_or(text);
        time::parse(time, 0)
            .map(|_| Start::Time(time.to_owned()))
            .map_err(|error| format!("{error}; or beginning, end, an offset, -N, @MS"))
    }

    /// Milliseconds of a time.
    fn time(&self) -> Option<i64> {
        match self {
            Start::Time(text) => time::parse(text, Clock::system().now()).ok(),
            _ => None,
        }
    }
}

/// A queue to read: from, and the end where it is to stop.
#[derive(Clone, Copy, Debug)]
struct Range {
    queue: i32,
    from: i64,
    end: i64,
}

type Sink = SyncSender<Result<Message, Failure>>;

impl Tail {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        // A thread that waits for a message ends with the process: nothing of it has to be kept.
        let (sink, messages) = sync_channel(WAITING);
        match self.view {
            Dialect::Native => self.read_native(wire, &sink)?,
            Dialect::Kafka => self.read_kafka(wire, &sink)?,
        }
        drop(sink);
        let both = matches!(screen.format, Format::Json | Format::Yaml) && self.view == Dialect::Native;
        let lookup = if both && self.format.is_none() {
            wire.if_kafka(|wire| wire.dial_kafka(wire.timeout())).map(Lookup::new)
        } else {
            None
        };
        let print = Printer::new(self.format.clone(), screen);
        self.print(&messages, print, lookup)
    }

    fn print(
        &self,
        messages: &Receiver<Result<Message, Failure>>,
        mut print: Printer,
        mut lookup: Option<Lookup>,
    ) -> Result<(), Failure> {
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            // Nobody sends any more: every queue came to its end.
            let Ok(message) = messages.recv() else { break };
            let mut message = message?;
            if let (Some(lookup), Some(name)) = (&mut lookup, kafka_view(&message.topic)) {
                message.kafka = lookup.find(&name, message.queue, message.offset);
            }
            left -= 1;
            if print.print(&message).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn begin(&self) -> Start {
        let default = if self.exit_at_end { Start::Beginning } else { Start::End };
        self.from.clone().unwrap_or(default)
    }

    fn read_native(&self, wire: &mut Wire, sink: &Sink) -> Result<(), Failure> {
        let ranges = self.native_ranges(wire)?;
        let address = wire.broker_address()?;
        let hold = Duration::from_millis(HOLD_MS.unsigned_abs());
        for range in ranges {
            let mut peer = wire.dial_broker(&address, wire.timeout() + hold)?;
            let sink = sink.clone();
            let mut at = Place {
                topic: self.topic.clone(),
                queue: range.queue,
                offset: range.from,
                tags: self.tag.clone(),
            };
            let stops = self.exit_at_end;
            thread::spawn(move || {
                while !(stops && at.offset >= range.end) {
                    let hold_ms = if stops { 0 } else { HOLD_MS };
                    let before = at.offset;
                    let read = pull(&mut peer, &mut at, hold_ms);
                    // What cannot be read now would be asked for without end.
                    let is_over = read.is_err() || (stops && at.offset <= before);
                    if hand_over(read, &sink, |message| !stops || message.offset < range.end).is_err()
                        || is_over
                    {
                        return;
                    }
                }
            });
        }
        Ok(())
    }

    fn native_ranges(&self, wire: &mut Wire) -> Result<Vec<Range>, Failure> {
        let header = TopicRequest { topic: self.topic.as_str().into() };
        let stats: Result<TopicStatsTable, Failure> =
            wire.broker(RequestCode::GET_TOPIC_STATS_INFO, &header, b"").and_then(|reply| decode(&reply));
        let stats = stats.map_err(|failure| self.no_topic(failure))?;
        let (begin, mut ranges) = (self.begin(), Vec::new());
        for (queue, bounds) in &stats.offset_table.0 {
            if self.queue.is_empty() || self.queue.contains(&queue.queue_id) {
                let from = self.native_from(wire, &begin, queue.queue_id, bounds)?;
                ranges.push(Range { queue: queue.queue_id, from, end: bounds.max_offset });
            }
        }
        self.check(ranges)
    }

    fn native_from(
        &self,
        wire: &mut Wire,
        begin: &Start,
        queue: i32,
        bounds: &TopicOffset,
    ) -> Result<i64, Failure> {
        let Some(timestamp) = begin.time() else {
            return Ok(place(begin, bounds.min_offset, bounds.max_offset));
        };
        let header = SearchOffsetRequest {
            topic: self.topic.as_str().into(),
            queue_id: queue,
            timestamp,
            boundary: Boundary::Lower,
        };
        let reply = wire.broker(RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, &header, b"")?;
        Ok(reply.header::<OffsetResponse>()?.offset)
    }

    fn no_topic(&self, failure: Failure) -> Failure {
        match failure.exit() {
            Exit::NotFound => Failure::not_found(format!("there is no topic {}", self.topic))
                .cure("`gantry topic list` shows which there are"),
            _ => failure,
        }
    }

    fn check(&self, ranges: Vec<Range>) -> Result<Vec<Range>, Failure> {
        if let Some(missing) =
            self.queue.iter().find(|queue| !ranges.iter().any(|range| range.queue == **queue))
        {
            return Err(Failure::not_found(format!("topic {} has no queue {missing}", self.topic)));
        }
        if ranges.len() > QUEUES_MAX {
            let what = format!("{} queues are more than {QUEUES_MAX} connections", ranges.len());
            return Err(Failure::failed(what).cure("choose some with --queue, or read with --view kafka"));
        }
        Ok(ranges)
    }

    fn read_kafka(&self, wire: &mut Wire, sink: &Sink) -> Result<(), Failure> {
        let hold = Duration::from_millis(HOLD_MS.unsigned_abs());
        let ranges = self.kafka_ranges(wire)?;
        let mut peer = wire.dial_kafka(wire.timeout() + hold)?;
        let (topic, tags, stops, sink) =
            (self.topic.clone(), self.tag.clone(), self.exit_at_end, sink.clone());
        let ends: HashMap<i32, i64> = ranges.iter().map(|range| (range.queue, range.end)).collect();
        let mut places: HashMap<i32, i64> = ranges.iter().map(|range| (range.queue, range.from)).collect();
        let end_of = move |queue: i32| ends.get(&queue).copied().unwrap_or(0);
        thread::spawn(move || {
            loop {
                if stops {
                    places.retain(|queue, at| *at < end_of(*queue));
                    if places.is_empty() {
                        return;
                    }
                }
                let hold_ms = if stops { 0 } else { i32::try_from(HOLD_MS).unwrap_or(0) };
                let before: i64 = places.values().sum();
                let read = fetch(&mut peer, &topic, &mut places, hold_ms);
                let is_over = read.is_err() || (stops && places.values().sum::<i64>() <= before);
                let keep = |message: &Message| {
                    wants(&tags, message) && (!stops || message.offset < end_of(message.queue))
                };
                if hand_over(read, &sink, keep).is_err() || is_over {
                    return;
                }
            }
        });
        Ok(())
    }

    fn kafka_ranges(&self, wire: &mut Wire) -> Result<Vec<Range>, Failure> {
        let name = StrBytes::from_string(self.topic.clone());
        let asked = vec![MetadataRequestTopic::default().with_name(Some(name.into()))];
        let response = wire.kafka(12, |_| {
            MetadataRequest::default().with_topics(Some(asked)).with_allow_auto_topic_creation(false)
        })?;
        let mut partitions = Vec::new();
        for topic in &response.topics {
            let refused = kafka_refusal("the topic in Kafka", topic.error_code, None);
            refused.map_err(|failure| self.no_topic(failure))?;
            partitions.extend(topic.partitions.iter().map(|partition| partition.partition_index));
        }
        partitions.retain(|partition| self.queue.is_empty() || self.queue.contains(partition));
        let begin = self.begin();
        let peer = wire.kafka_peer()?;
        let first: HashMap<i32, i64> =
            offsets(peer, &self.topic, &partitions, EARLIEST)?.into_iter().collect();
        let last = offsets(peer, &self.topic, &partitions, LATEST)?;
        let timed: Option<HashMap<i32, i64>> = match begin.time() {
            Some(at) => Some(offsets(peer, &self.topic, &partitions, at)?.into_iter().collect()),
            None => None,
        };
        let ranges = last.into_iter().map(|(queue, end)| {
            let found = timed.as_ref().and_then(|timed| timed.get(&queue)).copied();
            // -1: nothing is that late.
            let found = found.map(|offset| if offset < 0 { end } else { offset });
            let min = first.get(&queue).copied().unwrap_or(0);
            Range { queue, from: found.unwrap_or_else(|| place(&begin, min, end)), end }
        });
        self.check(ranges.collect())
    }
}

/// Where a queue begins, for what is no time.
fn place(begin: &Start, min: i64, max: i64) -> i64 {
    match begin {
        Start::Beginning | Start::Time(_) => min,
        Start::End => max,
        Start::Offset(offset) => (*offset).clamp(min, max),
        Start::Last(last) => max.saturating_sub(*last).clamp(min, max),
    }
}

/// Hands messages to the printer; an error when it is gone.
fn hand_over(
    read: Result<Vec<Message>, Failure>,
    sink: &Sink,
    keep: impl Fn(&Message) -> bool,
) -> Result<(), ()> {
    let send = |message| sink.send(message).map_err(drop);
    match read {
        Ok(messages) => messages.into_iter().filter(keep).try_for_each(|message| send(Ok(message))),
        Err(failure) => send(Err(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_word_a_number_or_a_time() {
        for (text, expected) in [
            ("beginning", Start::Beginning),
            ("end", Start::End),
            ("17", Start::Offset(17)),
            ("-5", Start::Last(5)),
            ("2h", Start::Time("2h".to_owned())),
            ("@1795273200000", Start::Time("1795273200000".to_owned())),
        ] {
            assert_eq!(Start::parse(text), Ok(expected));
        }
        assert!(Start::parse("soon").is_err());
        assert!(Start::parse("--5").is_err());
    }

    #[test]
    fn places_stay_inside_the_queue() {
        let places = [
            Start::Last(3),
            Start::Last(99),
            Start::Offset(1),
            Start::Offset(99),
            Start::End,
            Start::Beginning,
        ];
        assert_eq!(places.map(|from| place(&from, 5, 10)), [7, 5, 5, 10, 10, 5]);
    }
}
