//! `gantry man`: manual pages, from the tree that parses the command line.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Failure, Gantry, output};

const EXAMPLES: &str = "\
Examples:
  gantry man | man -l -                         read it here
  gantry man /usr/local/share/man/man1          a page for each command

Exit codes: 0 written, 1 the directory cannot be written, 2 wrong command line";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// Directory for all pages; without it the page of `gantry` is printed
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Man {
    /// Blocks for some small files.
    pub(super) fn run(self) -> Result<(), Failure> {
        let Some(directory) = self.directory else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Gantry::command()).render(&mut page)?;
            output::print(&String::from_utf8_lossy(&page));
            return Ok(());
        };
        let failed = |error| {
            Failure::failed(format!("cannot write manual pages into {}", directory.display())).cause(error)
        };
        fs::create_dir_all(&directory).map_err(failed)?;
        clap_mangen::generate_to(Gantry::command(), &directory).map_err(failed)
    }
}
