//! The wall clock: the one place that reads it. Everything else is handed a `Clock`, so that tests choose the time.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 UTC, wherever they come from. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Clock {
        Clock(Arc::new(system_now))
    }

    /// A clock that says what `now` says.
    pub fn from_fn(now: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// Milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        (self.0)()
    }

    /// The same clock as the bare function that the store takes.
    pub fn to_fn(&self) -> Arc<dyn Fn() -> i64 + Send + Sync> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} ms)", self.now())
    }
}

/// A machine set before 1970 reads as 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_was_given() {
        assert_eq!(Clock::from_fn(|| 42).now(), 42);
        assert_eq!(Clock::from_fn(|| 42).to_fn()(), 42);
    }

    #[test]
    fn the_machine_is_past_2020() {
        assert!(Clock::system().now() > 1_577_836_800_000);
    }
}
