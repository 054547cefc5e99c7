//! The command line: one tree, one place where an error becomes an exit code.
//!
//! Logs and errors go to standard error, what was asked for to standard output.

mod admin;
mod backtraces;
mod banner;
mod broker;
mod broker_configs;
mod completions;
mod config;
mod dashboards;
mod failure;
mod logging;
mod man;
mod name_server_role;
mod namesrv;
mod output;
mod roles;
mod serve;
mod start;
mod store;
mod time;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for what serves: stopped by a signal
  1  failed; standard error says why
  2  the command line is wrong
  3  not reachable: nobody answers at the address
  4  not found: no such topic, group or message
  5  denied by the other side";

/// RocketMQ broker, its name server and a Kafka broker in one process, over one durable log.
#[derive(Debug, Parser)]
#[command(name = "gantry", version, about, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Gantry {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start name server, RocketMQ broker and Kafka broker in this process
    Start(start::Start),
    /// Start the broker of both dialects alone; name servers run elsewhere
    Broker(broker::Broker),
    /// Start the name server alone
    Namesrv(namesrv::Namesrv),
    /// Create, list, describe, alter and delete topics
    Topic(admin::topic::Topic),
    /// List, describe, reset and delete consumer groups
    Group(admin::group::Group),
    /// Send, tail, get and query messages
    Msg(admin::msg::Msg),
    /// Show brokers, their addresses and totals, and what needs attention
    Cluster(admin::cluster::Cluster),
    /// Check and explain configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Write the Grafana board and the Prometheus alert rules of this version
    Dashboards(dashboards::Dashboards),
    /// Look at a data directory while no broker runs on it
    #[command(subcommand)]
    Store(store::Store),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// Print the manual page, or write all pages into a directory
    Man(man::Man),
}

/// Runs the command of this process. Blocks until it is done.
pub fn main() -> ExitCode {
    let done = match Gantry::parse().command {
        Command::Start(start) => start.run(),
        Command::Broker(broker) => broker.run(),
        Command::Namesrv(namesrv) => namesrv.run(),
        Command::Topic(topic) => topic.run(),
        Command::Group(group) => group.run(),
        Command::Msg(msg) => msg.run(),
        Command::Cluster(cluster) => cluster.run(),
        Command::Config(config) => config.run(),
        Command::Dashboards(dashboards) => dashboards.run(),
        Command::Store(store) => store.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    done.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Gantry::command().debug_assert();
    }
}
