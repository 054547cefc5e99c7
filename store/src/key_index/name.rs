//! Names of IndexFiles: a time as `yyyyMMddHHmmssSSS`. Only their order means anything, to the original as well.

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whether a file of this name in the index directory is an IndexFile: the original takes every number.
pub(super) fn is_index_file(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a file whose first entry has this store timestamp, above the name `last`.
pub(super) fn next(store_timestamp: i64, last: Option<&str>) -> String {
    let after_last =
        last.and_then(|name| name.parse::<u64>().ok()).map_or(0, |number| number.saturating_add(1));
    format!("{:017}", time_number(store_timestamp).max(after_last))
}

/// A time in UTC as the number whose digits are year, month, day, hour, minute, second and ms.
fn time_number(timestamp: i64) -> u64 {
    let (days, ms) = (timestamp.div_euclid(DAY_MS), timestamp.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let date = (year.clamp(0, 9999) * 100 + month) * 100 + day;
    let number = ((date * 100 + hour) * 100 + minute) * 100 + second;
    u64::try_from(number * 1000 + ms % 1000).unwrap_or(0)
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day is the last day of a year and of a 400-year era.
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times_in_utc() {
        assert_eq!(next(0, None), "19700101000000000");
        assert_eq!(next(1_700_000_000_005, None), "20231114221320005");
        assert_eq!(next(951_868_799_999, None), "20000229235959999");
        assert_eq!(next(i64::MIN, None).len(), 17);
        assert_eq!(next(i64::MAX, None).len(), 17);
    }

    #[test]
    fn names_ascend_whatever_the_time_says() {
        assert_eq!(next(0, Some("20261121090824947")), "20261121090824948");
    }

    #[test]
    fn other_names_are_left_alone() {
        assert!(is_index_file("20261121090824947"));
        assert!(!is_index_file("20261121090824947.bak") && !is_index_file(""));
    }
}
