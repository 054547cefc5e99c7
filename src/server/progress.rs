//! Progress of a long start: a bar on a terminal, else a log line every few seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a log line is written where there is no terminal. Nothing is shown before, so a fast start is silent.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

const BAR: &str = "{msg} {bar:40} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}";

/// What a recovery reports to. Sizes in bytes.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    last_logged: Instant,
}

impl Progress {
    /// Nothing is shown until the first `at`.
    pub fn new(what: &'static str) -> Progress {
        Progress { what, bar: None, last_logged: Instant::now() }
    }

    /// `done` of `total` bytes are checked.
    pub fn at(&mut self, done: u64, total: u64) {
        let bar = self.bar.get_or_insert_with(|| bar(self.what));
        if !bar.is_hidden() {
            bar.set_length(total);
            bar.set_position(done);
        } else if LOG_INTERVAL <= self.last_logged.elapsed() {
            self.last_logged = Instant::now();
            tracing::info!(done_bytes = done, total_bytes = total, "{}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Hidden where standard error is no terminal.
fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_drawn_from_a_sound_template() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }

    #[test]
    fn logs_again_only_after_the_interval() {
        let mut progress = Progress::new("checking the log");
        progress.at(1, 10);
        let first = progress.last_logged;
        progress.at(2, 10);
        assert_eq!(progress.last_logged, first);
    }
}
