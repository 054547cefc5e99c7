//! How answers are shown: tables for people, JSON, YAML and TSV for programs.
//!
//! What was asked for goes to standard output, notes go to standard error. Colour and wrapping only where a
//! terminal is. Text that others stored never drives the terminal it is shown on.

mod table;
mod yaml;

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

pub(super) use table::{Section, Table};

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// One JSON value
    Json,
    /// One YAML document
    Yaml,
    /// Every column, separated by tabs
    Tsv,
}

/// Options of every command that shows something.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct Show {
    /// Form of the answer
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORM", hide_possible_values = true, help = "Form of the answer: table, wide, json, yaml, tsv")]
    pub(super) output: Format,
    /// No colour, even on a terminal; NO_COLOR does the same
    #[arg(long, global = true)]
    pub(super) no_color: bool,
    /// Only what was asked for: names without heading, no notes
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say on standard error who is asked what
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
}

/// What a command found out.
pub(super) trait Answer: Serialize {
    /// For people, and with every column for TSV.
    fn sections(&self, wide: bool) -> Vec<Section>;
}

/// Where answers go and how they look there.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    pub(super) format: Format,
    quiet: bool,
    verbose: bool,
    colour: bool,
    width: Option<u16>,
}

/// Whether command line and environment permit colour (https://no-color.org). The option is looked up as text,
/// because errors are reported where options are gone.
pub(super) fn colour_is_wanted() -> bool {
    let is_permitted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    is_permitted && !std::env::args_os().any(|argument| argument == "--no-color")
}

impl Screen {
    /// The screen that the options ask for.
    pub(super) fn new(show: &Show) -> Screen {
        let is_terminal = io::stdout().is_terminal();
        let width = terminal_size::terminal_size().map(|(width, _)| width.0);
        Screen {
            format: show.output,
            quiet: show.quiet,
            verbose: show.verbose,
            colour: is_terminal && !show.no_color && colour_is_wanted(),
            width: width.filter(|_| is_terminal),
        }
    }

    /// Whether more than the plain columns will be shown.
    pub(super) fn wants_all(&self) -> bool {
        self.format != Format::Table && !self.quiet
    }

    /// Whether only what was asked for is to be printed.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints an answer.
    pub(super) fn answer(&self, answer: &impl Answer) {
        match self.format {
            Format::Json => print(&json(answer)),
            Format::Yaml => print(&yaml::document(&as_value(answer))),
            _ if self.quiet => print(&table::names(&answer.sections(false))),
            Format::Tsv => print(&table::tsv(&answer.sections(true))),
            Format::Table | Format::Wide => {
                let wide = self.format == Format::Wide;
                print(&table::text(&answer.sections(wide), self.width, self.colour));
            }
        }
    }

    /// Says that something was done: a sentence for people, `value` for programs.
    pub(super) fn done(&self, sentence: &str, value: &impl Serialize) {
        match self.format {
            Format::Json => print(&json(value)),
            Format::Yaml => print(&yaml::document(&as_value(value))),
            _ if self.quiet => {}
            Format::Table | Format::Wide | Format::Tsv => print(&format!("{}\n", shown(sentence))),
        }
    }

    /// Tells something besides the answer.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "note: {}", shown(text));
        }
    }

    /// Tells what goes on, to those who asked for it.
    pub(super) fn trace(&self, text: &str) {
        if self.verbose {
            let _ = writeln!(io::stderr(), "{}", shown(text));
        }
    }
}

fn as_value(answer: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(answer).unwrap_or_default()
}

/// One YAML document.
pub(super) fn yaml(value: &serde_json::Value) -> String {
    yaml::document(value)
}

/// A cell of tab-separated values.
pub(super) fn tsv_cell(text: &str) -> String {
    table::escaped(text)
}

fn json(answer: &impl Serialize) -> String {
    format!("{:#}\n", as_value(answer))
}

/// A reader that went away (`| head`) is no failure.
pub(super) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Stored text must not drive the terminal it is shown on.
pub(super) fn shown(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Asks on the terminal; an error where there is none and `yes` was not given.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), super::Failure> {
    if yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let what = format!("{question} Nobody can be asked: standard input is no terminal");
        return Err(super::Failure::usage(what).cure("say --yes"));
    }
    let _ = write!(io::stderr(), "{} [y/N] ", shown(question));
    let mut line = String::new();
    let _ = io::stdin().read_line(&mut line);
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(super::Failure::failed("not done: it was not confirmed")),
    }
}
