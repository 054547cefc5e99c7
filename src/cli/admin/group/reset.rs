//! `gantry group reset`: moves the offsets of a group in a topic, after showing what would happen.

use std::time::Duration;

use clap::Args;
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::bodies::message_queue::MessageQueue;
use gantry_protocols::remoting::bodies::stats::{TopicOffset, TopicStatsTable};
use gantry_protocols::remoting::headers::Boundary;
use gantry_protocols::remoting::headers::offset::{
    OffsetResponse, QueryConsumerOffsetRequest, ResetOffsetRequest, SearchOffsetRequest,
    UpdateConsumerOffsetRequest,
};
use gantry_protocols::remoting::headers::topic::TopicRequest;
use serde::Serialize;

use super::super::wire::{Wire, decode};
use super::found::Found;
use crate::cli::failure::{EXIT_CODES, Exit, Failure};
use crate::cli::output::{Answer, Screen, Section, Table};
use crate::cli::time;
use crate::server::Clock;

const EXAMPLES: &str = "\
Examples:
  gantry group reset billing --topic orders --to-earliest
  gantry group reset billing --topic orders --to-time '2026-11-21 15:00' --execute
  gantry group reset billing --topic orders --by-duration 2h --execute
  gantry group reset billing --topic orders --queue 3 --to-offset 1200 --execute

Nothing is changed without --execute. Times: 2026-11-21T15:00:00Z, '2026-11-21 15:00' (local), milliseconds, or a
duration (ago). Kafka members have to be stopped first; native members follow with their next pull.";

/// Moves the offsets of a group in a topic.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), group = clap::ArgGroup::new("target").required(true).args(["to_earliest", "to_latest", "to_offset", "to_time", "by_duration", "shift_by"]))]
pub(super) struct Reset {
    /// The group, by its name in either dialect
    #[arg(value_name = "GROUP")]
    group: String,
    /// The topic
    #[arg(long, short, value_name = "TOPIC")]
    topic: String,
    /// Only this queue
    #[arg(long, value_name = "N", visible_alias = "partition", value_parser = clap::value_parser!(i32).range(0..))]
    queue: Option<i32>,
    /// To the first message that is there
    #[arg(long)]
    to_earliest: bool,
    /// To the end: only messages that come from now on
    #[arg(long)]
    to_latest: bool,
    /// To this queue offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// To the first message that was stored at or after a time
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
    /// To what was stored this long ago
    #[arg(long, value_name = "DURATION", value_parser = time::duration)]
    by_duration: Option<Duration>,
    /// By this many messages, back with a minus
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    shift_by: Option<i64>,
    /// Only show what would happen, which is the default
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Do it
    #[arg(long)]
    execute: bool,
}

/// What a reset does to the queues.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Effect {
    group: String,
    topic: String,
    executed: bool,
    queues: Vec<Move>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    broker: String,
    queue: i32,
    /// `None` when the group never committed.
    from: Option<i64>,
    to: i64,
    min_offset: i64,
    max_offset: i64,
    lag_after: i64,
}

impl Reset {
    pub(super) fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let found = Found::by_name(wire, &self.group)?;
        let time = self.time()?;
        let header = TopicRequest { topic: self.topic.as_str().into() };
        let stats: TopicStatsTable = wire
            .broker(RequestCode::GET_TOPIC_STATS_INFO, &header, b"")
            .and_then(|reply| decode(&reply))
            .map_err(|failure| self.no_topic(failure))?;
        let mut queues = Vec::new();
        for (queue, bounds) in &stats.offset_table.0 {
            if self.queue.is_none_or(|wanted| wanted == queue.queue_id) {
                queues.push(self.plan(wire, &found.group, queue, bounds, time)?);
            }
        }
        if queues.is_empty() {
            let queue = self.queue.unwrap_or(0);
            return Err(Failure::not_found(format!("topic {} has no queue {queue}", self.topic)));
        }
        queues.sort_by(|a, b| (&a.broker, a.queue).cmp(&(&b.broker, b.queue)));
        if self.execute {
            self.execute(wire, &found, &queues)?;
        } else {
            screen.note("nothing was changed; --execute does it");
        }
        screen.answer(&Effect { group: found.group, topic: self.topic, executed: self.execute, queues });
        Ok(())
    }

    fn no_topic(&self, failure: Failure) -> Failure {
        match failure.exit() {
            Exit::NotFound => Failure::not_found(format!("there is no topic {}", self.topic))
                .cure("`gantry topic list` shows which there are"),
            _ => failure,
        }
    }

    /// The time to go to, when it is one.
    fn time(&self) -> Result<Option<i64>, Failure> {
        let now = Clock::system().now();
        let ago = self
            .by_duration
            .map(|ago| now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
        let at = self.to_time.as_deref().map(|text| time::parse(text, now)).transpose();
        Ok(at.map_err(Failure::usage)?.or(ago))
    }

    /// Where the offset of a queue stands and where it would go.
    fn plan(
        &self,
        wire: &mut Wire,
        group: &str,
        queue: &MessageQueue,
        bounds: &TopicOffset,
        time: Option<i64>,
    ) -> Result<Move, Failure> {
        let from = committed(wire, group, queue)?;
        let (min, max) = (bounds.min_offset, bounds.max_offset);
        let target = match (time, self.to_offset, self.shift_by) {
            (Some(time), _, _) => search(wire, queue, time)?,
            (None, Some(offset), _) => offset,
            (None, None, Some(by)) => from.unwrap_or(min).saturating_add(by),
            (None, None, None) if self.to_earliest => min,
            (None, None, None) => max,
        };
        let to = target.clamp(min, max);
        Ok(Move {
            broker: queue.broker_name.clone(),
            queue: queue.queue_id,
            from,
            to,
            min_offset: min,
            max_offset: max,
            lag_after: max - to,
        })
    }

    fn execute(&self, wire: &mut Wire, found: &Found, queues: &[Move]) -> Result<(), Failure> {
        if found.holder() == Some("kafka") {
            found.must_be_idle("reset")?;
        }
        for one in queues {
            let header = ResetOffsetRequest {
                group: found.group.as_str().into(),
                topic: self.topic.as_str().into(),
                queue_id: one.queue,
                offset: Some(one.to),
                timestamp: 0,
                is_force: true,
            };
            match wire.broker(RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &header, b"") {
                Err(failure) if failure.is_not_served() => commit(wire, &found.group, &self.topic, one)?,
                Err(failure) => return Err(failure),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

/// What the group committed for a queue; `None` when it never did.
fn committed(wire: &mut Wire, group: &str, queue: &MessageQueue) -> Result<Option<i64>, Failure> {
    let header = QueryConsumerOffsetRequest {
        consumer_group: group.into(),
        topic: queue.topic.as_str().into(),
        queue_id: queue.queue_id,
        set_zero_if_not_found: Some(false),
    };
    match wire.broker(RequestCode::QUERY_CONSUMER_OFFSET, &header, b"") {
        Ok(reply) => Ok(Some(reply.header::<OffsetResponse>()?.offset)),
        Err(failure) if failure.exit() == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn search(wire: &mut Wire, queue: &MessageQueue, timestamp: i64) -> Result<i64, Failure> {
    let header = SearchOffsetRequest {
        topic: queue.topic.as_str().into(),
        queue_id: queue.queue_id,
        timestamp,
        boundary: Boundary::Lower,
    };
    let reply = wire.broker(RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, &header, b"")?;
    Ok(reply.header::<OffsetResponse>()?.offset)
}

/// For brokers that do not reset: a commit does the same while nobody consumes.
fn commit(wire: &mut Wire, group: &str, topic: &str, one: &Move) -> Result<(), Failure> {
    let header = UpdateConsumerOffsetRequest {
        consumer_group: group.into(),
        topic: topic.into(),
        queue_id: one.queue,
        commit_offset: one.to,
    };
    wire.broker(RequestCode::UPDATE_CONSUMER_OFFSET, &header, b"").map(drop)
}

impl Answer for Effect {
    fn sections(&self, _wide: bool) -> Vec<Section> {
        let mut table =
            Table::new(&["#queue", "broker", "#from", "#to", "#change", "#lag after", "#min", "#max"]);
        for one in &self.queues {
            table.row([
                one.queue.to_string(),
                one.broker.clone(),
                one.from.map_or_else(String::new, |from| from.to_string()),
                one.to.to_string(),
                one.from.map_or_else(String::new, |from| format!("{:+}", one.to - from)),
                one.lag_after.to_string(),
                one.min_offset.to_string(),
                one.max_offset.to_string(),
            ]);
        }
        vec![Section::Table(table)]
    }
}
