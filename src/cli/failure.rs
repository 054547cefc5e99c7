//! Why a command failed: what happened, its cause, its cure, and the exit code that scripts read.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// How a command that failed ends. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// What was asked for could not be done.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nobody answered at the address.
    Unreachable = 3,
    /// What was asked for does not exist.
    NotFound = 4,
    /// The other side does not permit it.
    Denied = 5,
}

/// The end of a command's help.
pub(super) const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 not reachable, 4 not found, 5 denied";

/// In words for the one who typed the command.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    what: String,
    cause: Option<String>,
    cure: Option<String>,
    not_served: bool,
}

impl Failure {
    /// With the exit code of its kind.
    pub(super) fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure { exit, what: what.into(), cause: None, cure: None, not_served: false }
    }

    /// Something that could not be done.
    pub(super) fn failed(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, what)
    }

    /// A command line that cannot be meant so.
    pub(super) fn usage(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, what)
    }

    /// Something that does not exist.
    pub(super) fn not_found(what: impl Into<String>) -> Failure {
        Failure::new(Exit::NotFound, what)
    }

    /// What others said about it.
    pub(super) fn cause(mut self, cause: impl fmt::Display) -> Failure {
        self.cause = Some(cause.to_string());
        self
    }

    /// What to do about it.
    pub(super) fn cure(mut self, cure: impl Into<String>) -> Failure {
        self.cure = Some(cure.into());
        self
    }

    /// The other side does not know the request: what it would have said can often be done without.
    pub(super) fn not_served(mut self) -> Failure {
        self.not_served = true;
        self
    }

    /// Whether the other side does not know the request.
    pub(super) fn is_not_served(&self) -> bool {
        self.not_served
    }

    /// What happened, without cause and cure.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// Its kind.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Says it on standard error; `colour` where that is a terminal that wants it.
    pub(super) fn report(&self) -> ExitCode {
        let mut text = self.to_string();
        if io::stderr().is_terminal() && super::output::colour_is_wanted() {
            text = text.replace("error: ", "\u{1b}[1;31merror:\u{1b}[0m ");
        }
        let _ = writeln!(io::stderr(), "{text}");
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = self.what.lines().map(|line| format!("error: {line}")).collect();
        let part = |name: &str, text: &Option<String>| text.as_ref().map(|text| format!("  {name} {text}"));
        lines.extend(part("cause:", &self.cause));
        lines.extend(part("cure: ", &self.cure));
        f.write_str(&lines.join("\n"))
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened_its_cause_and_its_cure() {
        let failure = Failure::not_found("no topic t").cause("TOPIC_NOT_EXIST").cure("create it");
        assert_eq!(failure.to_string(), "error: no topic t\n  cause: TOPIC_NOT_EXIST\n  cure:  create it");
        assert_eq!(failure.exit() as u8, 4);
    }

    #[test]
    fn several_faults_are_several_errors() {
        assert_eq!(Failure::failed("a\nb").to_string(), "error: a\nerror: b");
    }
}
