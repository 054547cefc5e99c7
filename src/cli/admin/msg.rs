//! `gantry msg`: send, tail, get and query messages, in either dialect.

mod fetch;
mod find;
mod format;
mod message;
mod partitioner;
mod print;
mod pull;
mod send;
mod tail;

use clap::{Args, Subcommand, ValueEnum};

use super::Common;
use crate::cli::failure::Failure;

/// Sends, tails, gets and queries messages.
#[derive(Debug, Args)]
pub(in crate::cli) struct Msg {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send messages: one from the command line, one a line of standard input, or a file
    Send(send::Send),
    /// Print messages of a topic as they come
    Tail(tail::Tail),
    /// Print one message by its id or its place
    Get(find::Get),
    /// Print messages by key
    Query(find::Query),
}

/// In whose words a command talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// RocketMQ's remoting
    Native,
    /// Kafka
    Kafka,
}

impl Msg {
    /// Blocks for the broker's answers; a tail until it is stopped.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let (mut wire, screen) = self.common.open();
        match self.verb {
            Verb::Send(send) => send.run(&mut wire, &screen),
            Verb::Tail(tail) => tail.run(&mut wire, &screen),
            Verb::Get(get) => get.run(&mut wire, &screen),
            Verb::Query(query) => query.run(&mut wire, &screen),
        }
    }
}
