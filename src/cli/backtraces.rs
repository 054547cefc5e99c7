//! Backtraces of errors: off unless asked for, because a server makes errors out of what strangers send.
//!
//! The decoder of Kafka requests keeps a backtrace with each error when the standard library captures them, and a
//! stack walk for every malformed request is a cost that the sender chooses. The variables cannot be changed from
//! inside the process safely, so this says what is on and how to turn it off.
//! Source: `std::backtrace` (RUST_LIB_BACKTRACE, and without it RUST_BACKTRACE).

use std::backtrace::{Backtrace, BacktraceStatus};

/// Warns when errors will carry backtraces. Asks the standard library itself: it reads the variables once.
pub(super) fn warn_when_captured() {
    if Backtrace::capture().status() == BacktraceStatus::Captured {
        tracing::warn!(
            "RUST_BACKTRACE or RUST_LIB_BACKTRACE is set: every malformed Kafka request costs a stack walk; with \
             RUST_LIB_BACKTRACE=0 only panics have backtraces"
        );
    }
}
