//! `gantry completions`: the script that completes this command line in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Failure, Gantry, output};

const EXAMPLES: &str = "\
Examples:
  gantry completions bash > /etc/bash_completion.d/gantry
  gantry completions zsh > \"${fpath[1]}/_gantry\"
  gantry completions fish > ~/.config/fish/completions/gantry.fish

Exit codes: 0 printed, 2 wrong command line";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Does not block.
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Gantry::command(), "gantry", &mut script);
        output::print(&String::from_utf8_lossy(&script));
        Ok(())
    }
}
