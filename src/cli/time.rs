//! Times and durations as people write and read them.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// How a time may be written.
pub(super) const TIME_FORMS: &str =
    "2026-11-21T15:00:00Z, '2026-11-21 15:00' (local), 1795273200000 (ms), or 2h (ago)";

/// Milliseconds since 1970 in the zone of this machine; empty for no time (0 or less).
pub(super) fn shown(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).ok().filter(|_| ms > 0);
    time.map_or_else(String::new, |time| {
        time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    })
}

/// A duration: `500ms`, `5s`, `1h30m`, `2d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text}: no duration; write it as 500ms, 5s, 1h30m or 2d");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(signed).map_err(|_| wrong())
}

/// Milliseconds since 1970 of a time as [`TIME_FORMS`] says; `now` is for durations, which mean "ago".
pub(super) fn parse(text: &str, now: i64) -> Result<i64, String> {
    if let Ok(ms) = text.parse::<i64>() {
        return Ok(ms);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    if let Ok(local) = text.parse::<DateTime>() {
        let zoned = local.to_zoned(TimeZone::system()).map_err(|error| error.to_string())?;
        return Ok(zoned.timestamp().as_millisecond());
    }
    let ago = duration(text).map_err(|_| format!("{text}: no time; write it as {TIME_FORMS}"))?;
    Ok(now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_time() {
        assert_eq!(parse("2026-11-21T15:00:00Z", 0), Ok(1_795_273_200_000));
        assert_eq!(parse("1795273200000", 0), Ok(1_795_273_200_000));
        assert_eq!(parse("2h", 7_200_001), Ok(1));
        assert_eq!(parse("1d", 86_400_000), Ok(0));
        assert!(parse("2026-11-21", 0).is_ok());
        assert!(parse("soon", 0).is_err());
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        assert_eq!(parse(&shown(1_795_273_200_123), 0), Ok(1_795_273_200_123));
        assert_eq!(shown(-1), "");
    }

    #[test]
    fn a_duration_has_a_unit_and_no_sign() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "-5s", "x"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
