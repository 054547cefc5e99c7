//! `gantry store`: a data directory looked at while no broker runs on it. Nothing is changed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use gantry_store::check::{CheckError, Finding, Offline, Place, Report};
use gantry_store::disk::{Disk, RealDisk};
use gantry_store::format::inner::inner_num;
use gantry_store::format::properties::properties;
use gantry_store::format::{BatchKind, CommitOffset, FrameView, TransactionKind};
use serde_json::json;

use super::{Failure, logging};
use crate::server::Progress;

/// The commands about a data directory.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Compare queues, key index and side files with the log, and the log with its checksums
    Check(Check),
    /// Print the frames of the log, one line each
    Dump(Dump),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  gantry store check --data /var/lib/gantry
  gantry store check --data ~/store -o json     a directory of a Java broker, too

No broker may run on the directory; nothing in it is changed.

Exit codes: 0 nothing found, 1 something found or not readable, 2 wrong command line";

#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(super) struct Check {
    /// The data directory: what holds commitlog/
    #[arg(long, value_name = "DIR", default_value = "./gantry-data")]
    data: PathBuf,
    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

const DUMP_EXAMPLES: &str = "\
Examples:
  gantry store dump --data /var/lib/gantry --count 20
  gantry store dump --data /var/lib/gantry --from 1073741824

One line a frame: commit offset, bytes, topic/queue, queue offset, kind, store time in ms, properties.
Control characters in names and values are shown as \\u{1b}; bodies are not printed.

Exit codes: 0 printed, 1 not readable, 2 wrong command line";

#[derive(Debug, Args)]
#[command(after_help = DUMP_EXAMPLES)]
pub(super) struct Dump {
    /// The data directory: what holds commitlog/
    #[arg(long, value_name = "DIR", default_value = "./gantry-data")]
    data: PathBuf,
    /// Commit offset to begin at; inside of a frame, the next one [default: the oldest frame]
    #[arg(long, value_name = "OFFSET")]
    from: Option<u64>,
    /// Frames at most
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

impl Store {
    /// Blocks for a read of the log.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Store::Check(check) => check.run(),
            Store::Dump(dump) => dump.run(),
        }
    }
}

fn open(data: &Path) -> Result<Offline, CheckError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    Offline::open(data, &disk)
}

impl Check {
    fn run(self) -> Result<(), Failure> {
        let store = open(&self.data)?;
        // Where no bar can be drawn, its lines are log lines.
        logging::start();
        let mut progress = Progress::new("checking the store");
        let begin = store.begin();
        let mut show = |at: gantry_store::Progress| {
            let done = |place: CommitOffset| place.bytes_since(begin).unsigned_abs();
            progress.at(done(at.at), done(at.end));
        };
        let report = store.check(&mut show)?;
        drop(progress);
        match self.output {
            Output::Table => print(&table(&report)),
            Output::Json => print(&format!("{:#}\n", as_json(&report))),
        }
        let findings = report.findings.len() as u64 + report.unlisted;
        if findings == 0 {
            Ok(())
        } else {
            Err(Failure::failed(format!("{findings} findings in {}", self.data.display())))
        }
    }
}

/// Findings under each other, then the summary.
fn table(report: &Report) -> String {
    let mut text = String::new();
    let rows: Vec<(String, String)> = report
        .findings
        .iter()
        .map(|finding| (shown(&finding.place()), shown(&finding.to_string())))
        .collect();
    let width = rows.iter().map(|(place, _)| place.chars().count()).max().unwrap_or(0);
    for (place, finding) in &rows {
        text.push_str(&format!("{}  {finding}\n", pad(place, width)));
    }
    if report.unlisted > 0 {
        text.push_str(&format!("and {} more\n", report.unlisted));
    }
    if report.findings.iter().any(Finding::is_derived) {
        text.push_str(
            "queue files and key index are derived: remove consumequeue, batchconsumequeue, index, checkpoint and \
             gantry/snapshot, and the next start rebuilds them\n",
        );
    }
    text + &summary(report)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

fn summary(report: &Report) -> String {
    let findings = report.findings.len() as u64 + report.unlisted;
    let verdict = if findings == 0 { "ok".to_owned() } else { format!("{findings} findings") };
    let (begin, end) = (report.begin, report.end);
    let mut text = format!(
        "{verdict}: {} frames from {begin} to {end}, {} queues with {} units, {} keys",
        report.frames, report.queues, report.units, report.keys
    );
    if report.unindexed > 0 {
        text.push_str(&format!(", {} frames of deleted topics", report.unindexed));
    }
    if !report.is_clean {
        text.push_str("; not stopped cleanly, the next start recovers");
    }
    if report.torn_bytes > 0 {
        text.push_str(&format!(" and cuts {} bytes of a torn tail", report.torn_bytes));
    }
    text.push('\n');
    text
}

fn as_json(report: &Report) -> serde_json::Value {
    let finding = |finding: &Finding| json!({"place": finding.place(), "finding": finding.to_string(), "derived": finding.is_derived()});
    json!({
        "clean": report.is_clean,
        "begin": report.begin.0,
        "end": report.end.0,
        "frames": report.frames,
        "queues": report.queues,
        "units": report.units,
        "keys": report.keys,
        "unindexedFrames": report.unindexed,
        "tornBytes": report.torn_bytes,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unlistedFindings": report.unlisted,
    })
}

impl Dump {
    fn run(self) -> Result<(), Failure> {
        let store = open(&self.data)?;
        let from = self.from.map_or(Ok(store.begin()), |from| {
            let too_far = |_| Failure::failed(format!("--from {from}: no log reaches that far"));
            i64::try_from(from).map(CommitOffset).map_err(too_far)
        })?;
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut out = io::BufWriter::new(io::stdout().lock());
        store.visit(from, &mut |place| {
            if left == 0 {
                return false;
            }
            left -= u64::from(matches!(place, Place::Frame(_)));
            // A reader that went away (`| head`) ends the dump and is no failure.
            writeln!(out, "{}", line(&place)).is_ok()
        })?;
        let _ = out.flush();
        Ok(())
    }
}

fn line(place: &Place<'_>) -> String {
    match place {
        Place::Frame(frame) => frame_line(frame),
        Place::Filler { begin, end } => format!("{begin} {} filler", end.bytes_since(*begin)),
        Place::Damaged { begin, end } => format!("{begin} {} DAMAGED", end.bytes_since(*begin)),
    }
}

fn frame_line(frame: &FrameView<'_>) -> String {
    let shown = |bytes: &[u8]| shown(&String::from_utf8_lossy(bytes));
    let pairs: Vec<String> = properties(frame.properties())
        .map(|property| format!("{}={}", shown(property.name), shown(property.value)))
        .collect();
    format!(
        "{} {} {}/{} {} {} {} {}",
        frame.commit_offset(),
        frame.total_size(),
        shown(frame.topic_bytes()),
        frame.queue_id(),
        frame.queue_offset(),
        kind(frame),
        frame.store_timestamp(),
        pairs.join(" ")
    )
}

fn kind(frame: &FrameView<'_>) -> String {
    let records = inner_num(frame).map_or(0, |records| records.value());
    match (frame.sys_flag().batch_kind(), frame.sys_flag().transaction()) {
        (BatchKind::KafkaBatch, _) => format!("kafka-batch({records})"),
        (BatchKind::InnerBatch, _) => format!("inner-batch({records})"),
        (BatchKind::Native, TransactionKind::NotTransactional) => "message".to_owned(),
        (BatchKind::Native, TransactionKind::Prepared) => "prepared".to_owned(),
        (BatchKind::Native, TransactionKind::Commit) => "commit".to_owned(),
        (BatchKind::Native, TransactionKind::Rollback) => "rollback".to_owned(),
    }
}

/// Stored text must not drive the terminal it is shown on.
fn shown(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// A reader that went away (`| head`) is no failure.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
