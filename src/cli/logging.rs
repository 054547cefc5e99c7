//! Log lines: to standard error, at `info` unless `RUST_LOG` says otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging. A second call in one process changes nothing.
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let _ = lines.with_ansi(io::stderr().is_terminal()).try_init();
}
