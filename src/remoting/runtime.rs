//! The broker's runtime table: GET_BROKER_RUNTIME_INFO (28); and orders about its files:
//! CLEAN_EXPIRED_CONSUMEQUEUE (306), CLEAN_UNUSED_TOPIC (316), DELETE_EXPIRED_COMMITLOG (329).
//!
//! The table has every key that RocketMQ's tools, its Dashboard and its exporter read, in their notation: a missing
//! number stops the exporter. There are no thread pools here, so their queues are empty and wait for nothing;
//! their capacity is what one connection may have waiting. Times of sends are bounds of their buckets
//! (`broker::requests`). Timer keys are zero until timer messages are served.
//! Source: RocketMQ 5.3.3 `broker/processor/AdminBrokerProcessor.java`, `store/StoreStatsService.java`;
//! apache/rocketmq-exporter `BrokerRuntimeStats.java`.

use gantry_protocols::remoting::bodies::table::KvTable;
use gantry_protocols::remoting::{RequestCode, ResponseCode};
use indexmap::IndexMap;

use super::call::{Answer, Call, Refusal};
use super::{Lane, ROUTES as TABLE, Route};
use crate::broker::requests::{REQUEST_BOUNDS_MS, Times};
use crate::broker::runtime::Runtime;
use crate::broker::statistics::Days;
use crate::broker::{Broker, gauges::Disk};
use crate::limits;
use crate::semantics::statistics::{Rates, Window};
use crate::semantics::{Dialect, Millis};

pub(super) const ROUTES: &[Route] = &[
    Route::new(RequestCode::GET_BROKER_RUNTIME_INFO, Lane::Admin, show),
    Route::new(RequestCode::CLEAN_EXPIRED_CONSUMEQUEUE, Lane::Admin, clean_expired),
    Route::new(RequestCode::CLEAN_UNUSED_TOPIC, Lane::Admin, clean_unused),
    Route::new(RequestCode::DELETE_EXPIRED_COMMITLOG, Lane::Admin, delete_expired),
];

/// The release whose behaviour tools may count on: its name and its place in `MQVersion`.
const VERSION: (&str, &str) = ("V5_3_3", "479");

type Table = IndexMap<String, String>;

fn show(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (broker, now) = (call.broker(), call.reply.now);
    let runtime = broker.runtime(now);
    let mut table = Table::new();
    life(&mut table, &runtime, now);
    traffic(&mut table, &runtime);
    latencies(&mut table, broker);
    log(&mut table, &runtime);
    queues(&mut table);
    timers(&mut table);
    call.answer_json(&KvTable { table })
}

fn put(table: &mut Table, key: &str, value: impl ToString) {
    table.insert(key.to_owned(), value.to_string());
}

fn life(table: &mut Table, runtime: &Runtime, now: Millis) {
    let seconds = now.since(runtime.begun).max(0) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    put(table, "bootTimestamp", runtime.begun.0);
    put(
        table,
        "runtime",
        format!("[ {days} days, {hours} hours, {minutes} minutes, {} seconds ]", seconds % 60),
    );
    put(table, "brokerActive", runtime.gauges.is_writable);
    put(table, "brokerVersionDesc", VERSION.0);
    put(table, "brokerVersion", VERSION.1);
    put(table, "gantryVersion", env!("CARGO_PKG_VERSION"));
    put(table, "startAcceptSendRequestTimeStamp", 0);
}

/// Three numbers, separated by blanks: tools split there.
fn rates(rates: &Rates, count: impl Fn(&Window) -> u64) -> String {
    rates.each_ref().map(|window| number(window.per_second(count(window)))).join(" ")
}

/// As Java writes a double: always with a point.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn traffic(table: &mut Table, runtime: &Runtime) {
    let now = &runtime.traffic;
    let both = [0, 1, 2].map(|at: usize| {
        let rate =
            |rates: &Rates| rates.get(at).map_or(0.0, |window| window.per_second(window.flow.requests));
        number(rate(&now.found) + rate(&now.missed))
    });
    put(table, "putTps", rates(&now.stored, |window| window.flow.messages));
    put(table, "getFoundTps", rates(&now.found, |window| window.flow.requests));
    put(table, "getMissTps", rates(&now.missed, |window| window.flow.requests));
    put(table, "getTotalTps", both.join(" "));
    put(table, "getTransferredTps", rates(&now.found, |window| window.flow.messages));
    days(table, "msgPutTotal", now.stored_days);
    days(table, "msgGetTotal", now.read_days);
    let stored = runtime.stored;
    put(table, "putMessageTimesTotal", stored.messages);
    put(table, "putMessageSizeTotal", stored.bytes);
    put(table, "putMessageAverageSize", number(stored.bytes as f64 / stored.messages.max(1) as f64));
    put(table, "putMessageFailedTimes", runtime.refused);
}

fn days(table: &mut Table, prefix: &str, days: Days) {
    put(table, &format!("{prefix}YesterdayMorning"), days.yesterday);
    put(table, &format!("{prefix}TodayMorning"), days.today);
    put(table, &format!("{prefix}TodayNow"), days.now);
}

fn latencies(table: &mut Table, broker: &Broker) {
    let times = |codes: &[RequestCode]| {
        let kinds = codes.iter().filter_map(|code| TABLE.find(*code));
        let times = kinds.map(|(kind, _)| broker.request_times(Dialect::Native, kind));
        times.fold(Times::default(), |sum, one| sum.with(&one.direct).with(&one.waited))
    };
    let sends =
        times(&[RequestCode::SEND_MESSAGE, RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_BATCH_MESSAGE]);
    let [.., longest] = REQUEST_BOUNDS_MS;
    let below = |times: &Times, share: f64| match times.count() {
        0 => 0,
        _ => times.quantile_ms(share).unwrap_or(longest),
    };
    put(table, "putLatency99", format!("{}.00", below(&sends, 0.99)));
    put(table, "putLatency999", format!("{}.00", below(&sends, 0.999)));
    put(table, "putMessageEntireTimeMax", below(&sends, 1.0));
    put(table, "putMessageDistributeTime", distribution(&sends));
    // Pulls that waited for a message say nothing of the time that reading takes.
    let pulls = [RequestCode::PULL_MESSAGE, RequestCode::LITE_PULL_MESSAGE];
    let kinds = pulls.iter().filter_map(|code| TABLE.find(*code));
    let direct = kinds.map(|(kind, _)| broker.request_times(Dialect::Native, kind).direct);
    let pulls = direct.fold(Times::default(), |sum, one| sum.with(&one));
    put(table, "getMessageEntireTimeMax", below(&pulls, 1.0));
    put(table, "pageCacheLockTimeMills", 0);
}

fn distribution(times: &Times) -> String {
    let bounds = REQUEST_BOUNDS_MS.iter().map(|bound| format!("[<={bound}ms]"));
    let names = bounds.chain(std::iter::once("[>3000ms]".to_owned()));
    let buckets: Vec<_> = names.zip(times.buckets).map(|(name, count)| format!("{name}:{count}")).collect();
    buckets.join(" ")
}

fn log(table: &mut Table, runtime: &Runtime) {
    let marks = runtime.gauges.watermarks;
    put(table, "commitLogMinOffset", marks.min.0);
    put(table, "commitLogMaxOffset", marks.written.0);
    put(table, "remainHowManyDataToFlush", readable(marks.written.0.abs_diff(marks.flushed.0)));
    put(table, "dispatchBehindBytes", 0);
    put(table, "dispatchMaxBuffer", 0);
    put(table, "remainTransientStoreBufferNumbs", i32::MAX);
    put(table, "earliestMessageTimeStamp", runtime.earliest_store_time.unwrap_or(-1));
    let disk = runtime.gauges.disk.unwrap_or(Disk { total: 0, used: 0 });
    let ratio = number(disk.used as f64 / disk.total.max(1) as f64);
    put(table, "commitLogDiskRatio", &ratio);
    put(table, "consumeQueueDiskRatio", &ratio);
    let (total, free) = (readable(disk.total), readable(disk.total.saturating_sub(disk.used)));
    put(table, "commitLogDirCapacity", format!("Total : {total}, Free : {free}."));
}

/// As `MixAll.humanReadableByteCount`: `512 B`, `1.5 KiB`.
fn readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = "KiB";
    if value < 1.0 {
        return format!("{bytes} B");
    }
    for next in UNITS.into_iter().skip(1) {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

fn queues(table: &mut Table) {
    for pool in ["send", "pull", "litePull", "query", "ack"] {
        put(table, &format!("{pool}ThreadPoolQueueSize"), 0);
        put(table, &format!("{pool}ThreadPoolQueueCapacity"), limits::REMOTING_WAITERS_PER_CONNECTION);
        put(table, &format!("{pool}ThreadPoolQueueHeadWaitTimeMills"), 0);
    }
    put(table, "EndTransactionQueueSize", 0);
    put(table, "EndTransactionThreadPoolQueueCapacity", 0);
}

fn timers(table: &mut Table) {
    for count in ["timerReadBehind", "timerOffsetBehind", "timerCongestNum"] {
        put(table, count, 0);
    }
    for rate in ["timerEnqueueTps", "timerDequeueTps"] {
        put(table, rate, "0.0");
    }
}

/// Queue files follow the log at once whenever one of its files goes, so none is ever expired.
fn clean_expired(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    call.success()
}

fn clean_unused(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    call.broker().clean_unused_topics().map_err(|error| disk(&error))?;
    call.success()
}

fn delete_expired(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    call.broker().delete_expired_files().map_err(|error| disk(&error))?;
    call.success()
}

fn disk(error: &impl std::fmt::Display) -> Refusal {
    Refusal::new(ResponseCode::SYSTEM_ERROR, format!("the disk failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_java_writes_them() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_577_058, "1.5 MiB"),
            (252 << 30, "252.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(readable(bytes), text);
        }
    }

    #[test]
    fn rates_are_three_numbers_with_points() {
        let mut three = Rates::default();
        three[1].duration_ms = 2_000;
        three[1].flow.messages = 3;
        assert_eq!(rates(&three, |window| window.flow.messages), "0.0 1.5 0.0");
    }

    #[test]
    fn a_distribution_names_every_bucket() {
        let times = Times { buckets: [1, 0, 0, 0, 0, 0, 0, 0, 0, 2], sum_us: 0 };
        let text = distribution(&times);
        assert!(text.starts_with("[<=1ms]:1 [<=3ms]:0") && text.ends_with("[>3000ms]:2"), "{text}");
    }
}
