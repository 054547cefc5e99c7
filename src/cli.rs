//! The command line: one tree, one place where an error becomes an exit code.
//!
//! Logs and errors go to standard error, what was asked for to standard output.

mod backtraces;
mod banner;
mod broker;
mod broker_configs;
mod config;
mod logging;
mod name_server_role;
mod namesrv;
mod roles;
mod serve;
mod start;
mod store;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the command was asked for could not be done.
const FAILED: u8 = 1;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for what serves: stopped by a signal
  1  failed; standard error says why
  2  the command line is wrong";

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
    /// Check and explain configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Look at a data directory while no broker runs on it
    #[command(subcommand)]
    Store(store::Store),
}

/// Runs the command of this process. Blocks until it is done.
pub fn main() -> ExitCode {
    let done = match Gantry::parse().command {
        Command::Start(start) => start.run(),
        Command::Broker(broker) => broker.run(),
        Command::Namesrv(namesrv) => namesrv.run(),
        Command::Config(config) => config.run(),
        Command::Store(store) => store.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(FAILED)
        }
    }
}

/// Why a command failed, in words for the one who typed it.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.lines().map(|line| format!("error: {line}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
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
