//! `gantry config`: check a file before it is used, and explain its keys.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Failure;
use crate::config::{Role, document, explain, from_environment, load, read_file};

/// The commands about configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Check a configuration file together with the GANTRY_* variables
    Check(Check),
    /// Say what a key means, its unit, default and bounds; without a key, all of them
    Explain(Explain),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  gantry config check broker.conf
  gantry config check --strict broker.conf       warnings are errors
  gantry config check --role namesrv namesrv.conf

Exit codes: 0 can be started, 1 cannot, 2 wrong command line";

#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(super) struct Check {
    /// The file; without it only the variables are checked
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Refuse unknown keys and keys without effect instead of warning
    #[arg(long)]
    strict: bool,
    /// Which file it is: listenPort means another port in each
    #[arg(long, value_enum, default_value_t = File::Broker)]
    role: File,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  gantry config explain flushDiskType
  gantry config explain > broker.conf            every key with its default

Exit codes: 0 explained, 1 unknown key, 2 wrong command line";

#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(super) struct Explain {
    /// The key as written in a file
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum File {
    Broker,
    Namesrv,
}

impl Config {
    /// Blocks for one file.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Config::Check(check) => check.run(),
            Config::Explain(explain) => explain.run(),
        }
    }
}

impl Check {
    fn run(self) -> Result<(), Failure> {
        let mut assignments = self.file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        assignments.extend(from_environment(std::env::vars_os()));
        let role = match self.role {
            File::Broker => Role::Broker,
            File::Namesrv => Role::Namesrv,
        };
        let loaded = load(assignments, role, self.strict)?;
        for notice in &loaded.notices {
            let _ = writeln!(io::stderr(), "warning: {notice}");
        }
        let (set, warnings) = (loaded.sources.len(), loaded.notices.len());
        print(&format!("ok: {set} keys set, {warnings} warnings\n"));
        Ok(())
    }
}

impl Explain {
    fn run(self) -> Result<(), Failure> {
        let Some(key) = self.key else {
            print(&document(Role::Broker));
            return Ok(());
        };
        let text = explain(&key).ok_or_else(|| {
            Failure::failed(format!("unknown key {key}; `gantry config explain` lists all keys"))
        })?;
        print(&text);
        Ok(())
    }
}

/// A reader that went away (`| head`) is no failure.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
