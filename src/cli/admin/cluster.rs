//! `gantry cluster`: brokers with the addresses of both dialects, what they did, and what needs attention.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use gantry_protocols::kafka::messages::MetadataRequest;
use gantry_protocols::remoting::bodies::route::ClusterInfo;
use gantry_protocols::remoting::bodies::table::KvTable;
use gantry_protocols::remoting::{RequestCode, ResponseCode};
use serde::Serialize;

use super::Common;
use super::wire::{Wire, decode, peer_failure, refusal, with_port};
use crate::cli::failure::{EXIT_CODES, Exit, Failure};
use crate::cli::output::{Answer, Screen, Section, Table};
use crate::cli::time;
use crate::peer::NoHeader;

const HTTP_PORT: u16 = 8088;
/// An answer of /readyz: a handful of lines.
const HTTP_ANSWER: u64 = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  gantry cluster
  gantry cluster -o wide                        rates and totals, too
  gantry cluster -o json | jq -e '.attention == []'

What needs attention comes from /readyz of the HTTP port, and from brokers that do not answer.";

/// Shows brokers, their addresses and totals, and what needs attention.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(in crate::cli) struct Cluster {
    #[command(flatten)]
    common: Common,
    /// HTTP port of a Gantry [default: port 8088 where the name server is]
    #[arg(long, value_name = "HOST:PORT", env = "GANTRY_HTTP", hide_env_values = true)]
    http: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    brokers: Vec<Broker>,
    kafka: Option<Kafka>,
    /// `None`: no HTTP port answered.
    ready: Option<bool>,
    attention: Vec<String>,
}

/// A broker as its RocketMQ side says it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Broker {
    cluster: String,
    broker: String,
    id: i64,
    address: String,
    version: Option<String>,
    /// Milliseconds since 1970.
    started: Option<i64>,
    messages_in: Option<i64>,
    messages_out: Option<i64>,
    send_per_second: Option<f64>,
    read_per_second: Option<f64>,
    disk_used_ratio: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kafka {
    cluster_id: Option<String>,
    controller: i32,
    topics: usize,
    nodes: Vec<Node>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: i32,
    address: String,
}

impl Cluster {
    /// Blocks for the answers of name server, brokers and Kafka.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let (mut wire, screen) = self.common.open();
        let mut attention = Vec::new();
        let brokers = brokers(&mut wire, &mut attention)?;
        let kafka = wire.if_kafka(kafka);
        let http =
            self.http.as_deref().map_or_else(|| wire.beside(HTTP_PORT), |http| with_port(http, HTTP_PORT));
        let ready = readiness(&http, wire.timeout(), &screen).map(|reasons| {
            let is_ready = reasons.is_empty();
            attention.extend(reasons);
            is_ready
        });
        screen.answer(&Overview { brokers, kafka, ready, attention });
        Ok(())
    }
}

fn brokers(wire: &mut Wire, attention: &mut Vec<String>) -> Result<Vec<Broker>, Failure> {
    let cluster: ClusterInfo = wire.cluster()?;
    let mut brokers = Vec::new();
    for data in cluster.broker_addr_table.values() {
        for (id, address) in &data.broker_addrs {
            let mut broker = Broker {
                cluster: data.cluster.clone(),
                broker: data.broker_name.clone(),
                id: *id,
                address: address.clone(),
                ..Broker::default()
            };
            match runtime(wire, address) {
                Ok(table) => broker.read(&table),
                Err(failure) if failure.is_not_served() => {}
                Err(failure) if failure.exit() == Exit::Unreachable => {
                    attention.push(failure.what().to_owned())
                }
                Err(failure) => return Err(failure),
            }
            brokers.push(broker);
        }
    }
    brokers.sort_by(|a, b| (&a.cluster, &a.broker, a.id).cmp(&(&b.cluster, &b.broker, b.id)));
    if brokers.is_empty() {
        attention.push("the name server knows no broker".to_owned());
    }
    Ok(brokers)
}

/// What a broker says of itself. A connection of its own: each has another address.
fn runtime(wire: &Wire, address: &str) -> Result<KvTable, Failure> {
    let code = RequestCode::GET_BROKER_RUNTIME_INFO;
    let mut peer = wire.dial_broker(address, wire.timeout())?;
    let reply = peer.invoke(code, &NoHeader, b"").map_err(|error| peer_failure(&error))?;
    if reply.code == ResponseCode::SUCCESS { decode(&reply) } else { Err(refusal(address, code, &reply)) }
}

impl Broker {
    /// Keys of the original; one that is missing or no number stays unknown.
    fn read(&mut self, table: &KvTable) {
        let text = |key: &str| table.table.get(key).map(String::as_str);
        let count = |key: &str| text(key)?.parse::<i64>().ok();
        // Rates over 10, 60 and 600 seconds, separated by blanks.
        let rate = |key: &str| text(key)?.split_whitespace().next()?.parse::<f64>().ok();
        self.version = text("brokerVersionDesc").map(str::to_owned);
        self.started = count("bootTimestamp");
        self.messages_in = count("msgPutTotalTodayNow");
        self.messages_out = count("msgGetTotalTodayNow");
        self.send_per_second = rate("putTps");
        self.read_per_second = rate("getTransferredTps");
        self.disk_used_ratio = rate("commitLogDiskRatio");
    }
}

fn kafka(wire: &mut Wire) -> Result<Kafka, Failure> {
    let response = wire
        .kafka(12, |_| MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false))?;
    let node = response.brokers.iter().map(|broker| Node {
        id: broker.node_id.0,
        address: format!("{}:{}", broker.host.as_str(), broker.port),
    });
    Ok(Kafka {
        cluster_id: response.cluster_id.as_ref().map(|id| id.to_string()),
        controller: response.controller_id.0,
        topics: response.topics.len(),
        nodes: node.collect(),
    })
}

/// Why a Gantry is not ready; `None`, and a note, when no HTTP port answers.
fn readiness(http: &str, timeout: Duration, screen: &Screen) -> Option<Vec<String>> {
    match ask_readyz(http, timeout) {
        Ok((200, _)) => Some(Vec::new()),
        Ok((_, body)) => Some(body.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()),
        Err(error) => {
            screen.note(&format!("whether it is ready is not known: http://{http}/readyz: {error}"));
            None
        }
    }
}

fn ask_readyz(http: &str, timeout: Duration) -> io::Result<(u16, String)> {
    let found = http.to_socket_addrs()?.next();
    let address = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {http}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(HTTP_ANSWER).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let foreign = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(foreign)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(foreign)?;
    Ok((status, body.to_owned()))
}

impl Answer for Overview {
    fn sections(&self, wide: bool) -> Vec<Section> {
        let mut sections = vec![Section::Table(self.broker_table(wide))];
        if let Some(kafka) = &self.kafka {
            let mut table = Table::new(&["#kafka node", "address", "controller"]);
            for node in &kafka.nodes {
                table.row([
                    node.id.to_string(),
                    node.address.clone(),
                    (node.id == kafka.controller).to_string(),
                ]);
            }
            sections.push(Section::Table(table));
        }
        let mut facts = Vec::new();
        if let Some(kafka) = &self.kafka {
            facts.push(("Kafka cluster id", kafka.cluster_id.clone().unwrap_or_default()));
            facts.push(("Topics", kafka.topics.to_string()));
        }
        facts.extend(self.attention.iter().map(|reason| ("Attention", reason.clone())));
        if self.attention.is_empty() {
            let word =
                if self.ready == Some(true) { "ready, nothing needs attention" } else { "nothing known" };
            facts.push(("Attention", word.to_owned()));
        }
        sections.push(Section::Facts(facts));
        sections
    }
}

impl Overview {
    fn broker_table(&self, wide: bool) -> Table {
        let plain =
            ["broker", "#id", "cluster", "rocketmq", "version", "#messages in", "#messages out", "#disk"];
        let more = ["started", "#in/s", "#out/s"];
        let columns: Vec<_> = plain.into_iter().chain(more.into_iter().filter(|_| wide)).collect();
        let mut table = Table::new(&columns);
        let count = |count: Option<i64>| count.map_or_else(String::new, |count| count.to_string());
        let rate = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("{rate:.1}"));
        for one in &self.brokers {
            let cells = [
                one.broker.clone(),
                one.id.to_string(),
                one.cluster.clone(),
                one.address.clone(),
                one.version.clone().unwrap_or_default(),
                count(one.messages_in),
                count(one.messages_out),
                one.disk_used_ratio.map_or_else(String::new, |ratio| format!("{:.0}%", 100.0 * ratio)),
                one.started.map_or_else(String::new, time::shown),
                rate(one.send_per_second),
                rate(one.read_per_second),
            ];
            table.row(cells.into_iter().take(columns.len()));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_does_not_say_stays_unknown() {
        let mut broker = Broker::default();
        let rows = [
            ("brokerVersionDesc", "V5_3_3"),
            ("putTps", "1.5 2.0 3.0"),
            ("commitLogDiskRatio", "0.66"),
            ("msgPutTotalTodayNow", "x"),
        ];
        broker.read(&KvTable {
            table: rows.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect(),
        });
        assert_eq!((broker.version.as_deref(), broker.send_per_second), (Some("V5_3_3"), Some(1.5)));
        assert_eq!((broker.disk_used_ratio, broker.messages_in, broker.started), (Some(0.66), None, None));
    }
}
