//! `gantry group`: list, describe, reset and delete consumer groups of either dialect.
//!
//! Settings and offsets are RocketMQ's words, states and members of Kafka groups are Kafka's; a group has one set
//! of offsets, whoever holds it.

mod describe;
mod found;
mod reset;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use gantry_protocols::kafka::messages::{DeleteGroupsRequest, ListGroupsRequest, StrBytes};
use gantry_protocols::remoting::RequestCode;
use gantry_protocols::remoting::headers::group::DeleteSubscriptionGroupRequest;
use serde::Serialize;
use serde_json::json;

use super::Common;
use super::wire::{Wire, kafka_refusal};
use crate::cli::failure::{EXIT_CODES, Exit, Failure};
use crate::cli::output::{Answer, Screen, Section, Table, confirm};
use crate::mapping::group_names;
use found::{Found, connections, settings, stats};

/// Lists, describes, resets and deletes consumer groups.
#[derive(Debug, Args)]
pub(in crate::cli) struct Group {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List groups
    List(List),
    /// Say all about a group: who holds it, members, lag of every queue
    Describe(describe::Describe),
    /// Move the offsets of a group; shows what would happen unless --execute is said
    Reset(reset::Reset),
    /// Delete groups with their offsets
    Delete(Delete),
}

impl Group {
    /// Blocks for the broker's answers.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let (mut wire, screen) = self.common.open();
        match self.verb {
            Verb::List(list) => list.run(&mut wire, &screen),
            Verb::Describe(describe) => describe.run(&mut wire, &screen),
            Verb::Reset(reset) => reset.run(&mut wire, &screen),
            Verb::Delete(delete) => delete.run(&mut wire, &screen),
        }
    }
}

const LIST_EXAMPLES: &str = "\
Examples:
  gantry group list
  gantry group list -o wide                     lag and Kafka's names, too";

/// Lists groups of both dialects.
#[derive(Debug, Args)]
#[command(after_help = format!("{LIST_EXAMPLES}\n\n{EXIT_CODES}"))]
struct List {
    /// The groups of RocketMQ's own services, too
    #[arg(long, short)]
    all: bool,
}

/// A group in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupRow {
    group: String,
    holder: Option<&'static str>,
    state: String,
    members: Option<usize>,
    kafka_name: String,
    lag: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct GroupRows(Vec<GroupRow>);

impl List {
    fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        for group in settings(wire)?.into_keys() {
            states.insert(group, String::new());
        }
        for (group, state) in wire.if_kafka(kafka_groups).unwrap_or_default() {
            states.insert(group, state);
        }
        let mut rows = Vec::new();
        for (group, state) in states.into_iter().filter(|(group, _)| self.all || !is_service(group)) {
            rows.push(row(wire, screen, group, state)?);
        }
        if rows.is_empty() {
            screen.note("no groups; the first consumer makes one");
        }
        screen.answer(&GroupRows(rows));
        Ok(())
    }
}

/// Groups that every RocketMQ broker has for its own services.
fn is_service(group: &str) -> bool {
    const NAMES: [&str; 5] = [
        "TOOLS_CONSUMER",
        "FILTERSRV_CONSUMER",
        "SELF_TEST_C_GROUP",
        "CID_ONS-HTTP-PROXY",
        "SCHEDULE_CONSUMER",
    ];
    NAMES.contains(&group) || ["CID_RMQ_SYS_", "CID_ONSAPI_"].iter().any(|prefix| group.starts_with(prefix))
}

/// Stored names and states of the groups that Kafka lists.
fn kafka_groups(wire: &mut Wire) -> Result<Vec<(String, String)>, Failure> {
    let response = wire.kafka(4, |_| ListGroupsRequest::default())?;
    kafka_refusal("the groups of Kafka", response.error_code, None)?;
    let stored = |id: &str| group_names::from_kafka(id).into_owned();
    Ok(response.groups.iter().map(|one| (stored(&one.group_id), one.group_state.to_string())).collect())
}

fn row(wire: &mut Wire, screen: &Screen, group: String, state: String) -> Result<GroupRow, Failure> {
    // Kafka lists native members as a stable group; a group that it calls empty has none of either dialect.
    let native = if matches!(state.as_str(), "Empty" | "Dead") { None } else { connections(wire, &group)? };
    let is_live = !matches!(state.as_str(), "" | "Empty" | "Dead");
    let holder = native.as_ref().map(|_| "native").or(is_live.then_some("kafka"));
    let lag = if screen.wants_all() { Some(found::lag(&stats(wire, &group, None)?)) } else { None };
    let state = match (state.as_str(), &native) {
        ("", Some(_)) => "Stable".to_owned(),
        ("", None) => "Empty".to_owned(),
        _ => state,
    };
    Ok(GroupRow {
        holder,
        state,
        members: native.map(|native| native.connection_set.len()),
        kafka_name: group_names::kafka_view(&group).into_owned(),
        lag,
        group,
    })
}

impl Answer for GroupRows {
    fn sections(&self, wide: bool) -> Vec<Section> {
        let more = ["#native members", "#lag", "kafka name"];
        let columns: Vec<_> =
            ["group", "holder", "state"].into_iter().chain(more.into_iter().filter(|_| wide)).collect();
        let mut table = Table::new(&columns);
        for row in &self.0 {
            let cells = [
                row.group.clone(),
                row.holder.unwrap_or_default().to_owned(),
                row.state.clone(),
                row.members.map_or_else(String::new, |members| members.to_string()),
                row.lag.map_or_else(String::new, |lag| lag.to_string()),
                row.kafka_name.clone(),
            ];
            table.row(cells.into_iter().take(columns.len()));
        }
        vec![Section::Table(table)]
    }
}

const DELETE_EXAMPLES: &str = "\
Examples:
  gantry group delete billing                   asks first, on a terminal
  gantry group delete billing audit --yes

A group with live members is not deleted: stop them first.";

/// Deletes groups with their offsets.
#[derive(Debug, Args)]
#[command(after_help = format!("{DELETE_EXAMPLES}\n\n{EXIT_CODES}"))]
struct Delete {
    /// The groups
    #[arg(value_name = "GROUP", required = true)]
    groups: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    fn run(self, wire: &mut Wire, screen: &Screen) -> Result<(), Failure> {
        // All of them have to be there, and idle, before the first one goes.
        let mut found = Vec::new();
        for group in &self.groups {
            let one = Found::by_name(wire, group)?;
            one.must_be_idle("deleted")?;
            found.push(one);
        }
        let names: Vec<&str> = found.iter().map(|one| one.group.as_str()).collect();
        confirm(&format!("Delete group {} with all offsets?", names.join(", ")), self.yes)?;
        for one in &found {
            delete(wire, one)?;
        }
        screen
            .done(&format!("deleted group {}", names.join(", ")), &json!({"groups": names, "deleted": true}));
        Ok(())
    }
}

/// Deletes what either dialect knows of it.
fn delete(wire: &mut Wire, found: &Found) -> Result<(), Failure> {
    let header =
        DeleteSubscriptionGroupRequest { group_name: found.group.as_str().into(), clean_offset: true };
    match wire.broker(RequestCode::DELETE_SUBSCRIPTIONGROUP, &header, b"") {
        Err(failure) if failure.exit() != Exit::NotFound || found.kafka.is_none() => return Err(failure),
        Ok(_) | Err(_) => {}
    }
    if found.kafka.is_none() {
        return Ok(());
    }
    let name = StrBytes::from_string(group_names::kafka_view(&found.group).into_owned());
    let response = wire.kafka(2, |_| DeleteGroupsRequest::default().with_groups_names(vec![name.into()]))?;
    let what = format!("group {} was not deleted", found.group);
    let deleted = response.results.iter().try_for_each(|one| kafka_refusal(&what, one.error_code, None));
    match deleted {
        // The native request took it away with everything.
        Err(failure) if failure.exit() == Exit::NotFound => Ok(()),
        deleted => deleted,
    }
}
