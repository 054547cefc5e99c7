//! Statistics by name: VIEW_BROKER_STATS_DATA (315).
//!
//! Kept are what was stored in a topic (TOPIC_PUT_NUMS, TOPIC_PUT_SIZE), what a group was given of it
//! (GROUP_GET_NUMS, GROUP_GET_SIZE, key `topic@group`) and both for the broker (BROKER_PUT_NUMS, BROKER_GET_NUMS,
//! key: the cluster's name). Any other name, and anything that nothing ever happened to, does not exist, as with a
//! stock broker.
//! Source: RocketMQ 5.3.3 `store/stats/BrokerStatsManager.java`, `common/stats/Stats.java`.

use gantry_protocols::remoting::bodies::stats::{BrokerStatsData, BrokerStatsItem};
use gantry_protocols::remoting::headers::broker::ViewBrokerStatsRequest;
use gantry_protocols::remoting::{RequestCode, ResponseCode};

use super::call::{Answer, Call, Refusal};
use super::{Lane, Route};
use crate::broker::statistics::Subject;
use crate::semantics::statistics::{Flow, Window};

pub(super) const ROUTES: &[Route] = &[Route::new(RequestCode::VIEW_BROKER_STATS_DATA, Lane::Admin, view)];

type Measure = fn(&Flow) -> u64;

fn messages(flow: &Flow) -> u64 {
    flow.messages
}

fn bytes(flow: &Flow) -> u64 {
    flow.bytes
}

fn view(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ViewBrokerStatsRequest<'_> = call.header()?;
    let (name, key) = (&*request.stats_name, &*request.stats_key);
    let cluster = &call.broker().identity().cluster;
    let found = subject(name, key, cluster)
        .and_then(|(subject, measure)| Some((call.broker().statistics(subject, call.reply.now)?, measure)));
    let (windows, measure) = found.ok_or_else(|| {
        Refusal::new(ResponseCode::SYSTEM_ERROR, format!("The stats <{name}> <{key}> not exist"))
    })?;
    call.answer_json(&BrokerStatsData {
        stats_day: item(&windows.day, measure),
        stats_hour: item(&windows.hour, measure),
        stats_minute: item(&windows.minute, measure),
    })
}

fn subject<'k>(name: &str, key: &'k str, cluster: &str) -> Option<(Subject<'k>, Measure)> {
    let group = || key.split_once('@').map(|(topic, group)| Subject::Group { topic, group });
    match name {
        "TOPIC_PUT_NUMS" => Some((Subject::Topic(key), messages)),
        "TOPIC_PUT_SIZE" => Some((Subject::Topic(key), bytes)),
        "GROUP_GET_NUMS" => Some((group()?, messages)),
        "GROUP_GET_SIZE" => Some((group()?, bytes)),
        "BROKER_PUT_NUMS" if key == cluster => Some((Subject::Stored, messages)),
        "BROKER_GET_NUMS" if key == cluster => Some((Subject::Read, messages)),
        _ => None,
    }
}

fn item(window: &Window, measure: Measure) -> BrokerStatsItem {
    let sum = measure(&window.flow);
    BrokerStatsItem {
        avgpt: sum as f64 / window.flow.requests.max(1) as f64,
        sum: i64::try_from(sum).unwrap_or(i64::MAX),
        tps: window.per_second(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_subject() {
        let named = |name, key| subject(name, key, "C").map(|(subject, _)| subject);
        assert_eq!(named("TOPIC_PUT_SIZE", "t"), Some(Subject::Topic("t")));
        let group = Subject::Group { topic: "t", group: "g" };
        assert_eq!(named("GROUP_GET_NUMS", "t@g"), Some(group));
        assert_eq!(named("BROKER_PUT_NUMS", "C"), Some(Subject::Stored));
        for (name, key) in [("GROUP_GET_NUMS", "t"), ("BROKER_GET_NUMS", "D"), ("TOPIC_PUT_LATENCY", "t")] {
            assert_eq!(named(name, key), None, "{name}");
        }
    }
}
