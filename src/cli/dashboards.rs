//! `gantry dashboards`: the Grafana board and the Prometheus alert rules that belong to this version, as files.
//!
//! Panels and rules are tables (`board`, `alerts`); every name that they ask for is checked against a live scrape.

mod alerts;
mod board;
mod grafana;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;

const EXAMPLES: &str = "\
Examples:
  gantry dashboards                    writes gantry-board.json and gantry-alerts.yaml here
  gantry dashboards /etc/monitoring    writes them there

In Grafana: Dashboards, New, Import, and choose the Prometheus that scrapes http://HOST:5557/metrics.
In prometheus.yml: rule_files: [gantry-alerts.yaml]

Exit codes: 0 written, 1 not, 2 wrong command line";

/// Write the Grafana board and the Prometheus alert rules of this version.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Dashboards {
    /// Where to; made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

impl Dashboards {
    /// Blocks for two files.
    pub(super) fn run(self) -> Result<(), Failure> {
        let directory = &self.directory;
        let failed = |error: io::Error, path: &Path| {
            Failure::failed(format!("cannot write {}", path.display())).cause(error)
        };
        fs::create_dir_all(directory).map_err(|error| failed(error, directory))?;
        for (name, text) in
            [("gantry-board.json", grafana::board_json()), ("gantry-alerts.yaml", alerts::rules_yaml())]
        {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|error| failed(error, &path))?;
            writeln!(io::stdout(), "{}", path.display())?;
        }
        Ok(())
    }
}
