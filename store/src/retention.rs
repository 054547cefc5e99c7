//! Which CommitLog files are to be deleted now, and whether appends are to be refused. A decision only: no file is
//! touched, no clock and no disk is read here.
//!
//! A round deletes the oldest files, never the last one, at most `delete_file_batch_max` of them, and stops at the
//! first one that stays. There are three occasions: it is one of the hours of `deleteWhen`; the disk is used
//! beyond `diskMaxUsedSpaceRatio`; an operator asks. On each a file goes when it is older than
//! `fileReservedTime`, and whatever its age when the disk is used beyond `diskSpaceCleanForciblyRatio`. Beyond
//! `diskSpaceWarningLevelRatio` appends are refused as well.
//!
//! Source: RocketMQ 5.3.3 `store/DefaultMessageStore.java` (`CleanCommitLogService`),
//! `store/MappedFileQueue.java` (`deleteExpiredFileByTime`), `store/config/MessageStoreConfig.java`.

use crate::format::CommitOffset;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// The settings, already inside their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Age from which a file goes, hours since its last modification (`fileReservedTime`).
    pub file_reserved_hours: u32,
    /// Hours of the day in which old files go (`deleteWhen`).
    pub delete_when: DeleteHours,
    /// Use of the disk from which old files go at any hour, percent (`diskMaxUsedSpaceRatio`).
    disk_max_used_percent: u8,
    /// Use of the disk from which files go whatever their age, percent (`diskSpaceCleanForciblyRatio`).
    clean_forcibly_percent: u8,
    /// Use of the disk from which appends are refused, percent (`diskSpaceWarningLevelRatio`).
    warning_percent: u8,
    /// Whether files may go before their time at all (`cleanFileForciblyEnable`).
    pub clean_file_forcibly: bool,
    /// Most files of one round (`deleteFileBatchMax`).
    pub delete_file_batch_max: usize,
}

impl Default for RetentionConfig {
    fn default() -> RetentionConfig {
        RetentionConfig {
            file_reserved_hours: 72,
            delete_when: DeleteHours::at(4),
            disk_max_used_percent: 75,
            clean_forcibly_percent: 85,
            warning_percent: 90,
            clean_file_forcibly: true,
            delete_file_batch_max: 10,
        }
    }
}

impl RetentionConfig {
    /// The same settings with these percentages, each moved into its bounds: 10 to 95 for the use from which old
    /// files go, 30 to 85 for the use from which any file goes, 35 to 90 for the use from which appends are refused.
    #[must_use]
    pub fn with_percentages(self, max_used: u8, clean_forcibly: u8, warning: u8) -> RetentionConfig {
        RetentionConfig {
            disk_max_used_percent: max_used.clamp(10, 95),
            clean_forcibly_percent: clean_forcibly.clamp(30, 85),
            warning_percent: warning.clamp(35, 90),
            ..self
        }
    }
}

/// Hours of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteHours(u32);

/// A text that names something else than hours of the day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an hour of the day; deleteWhen holds hours like 04 or 04;16")]
pub struct BadHour {
    /// The part that is not understood.
    pub text: String,
}

impl DeleteHours {
    /// One hour, 0 to 23; a higher one counts as none.
    #[must_use]
    pub const fn at(hour: u8) -> DeleteHours {
        DeleteHours(if hour < 24 { 1 << hour } else { 0 })
    }

    /// `deleteWhen` as it stands in broker.conf: hours separated by semicolons.
    ///
    /// # Errors
    /// [`BadHour`] for a part that is not 0 to 23.
    pub fn parse(text: &str) -> Result<DeleteHours, BadHour> {
        let mut hours = DeleteHours(0);
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let hour = part.parse().ok().filter(|hour| *hour < 24);
            let hour = hour.ok_or_else(|| BadHour { text: part.to_owned() })?;
            hours.0 |= DeleteHours::at(hour).0;
        }
        Ok(hours)
    }

    /// Whether `hour` is one of them.
    #[must_use]
    pub const fn contains(self, hour: u8) -> bool {
        self.0 & DeleteHours::at(hour).0 != 0
    }
}

/// One CommitLog file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Of its first byte, which is also its name.
    pub start: CommitOffset,
    /// Behind its last byte.
    pub end: CommitOffset,
    /// Last modification, ms.
    pub last_modified: i64,
}

/// What the decision depends on besides the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation<'a> {
    /// All files, oldest first.
    pub files: &'a [LogFile],
    /// Now, ms.
    pub now: i64,
    /// Hour of the day, 0 to 23, in the time zone of `deleteWhen`.
    pub hour: u8,
    /// Bytes used on the disk of the CommitLog.
    pub disk_used: u64,
    /// Bytes of that disk; 0 when unknown, which counts as not used.
    pub disk_total: u64,
    /// Whether an operator asked for a round.
    pub manual: bool,
}

/// Why files are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// An operator asked.
    Manual,
    /// It is an hour of `deleteWhen`.
    Hour,
    /// The disk is used beyond `diskMaxUsedSpaceRatio`; only old files go.
    DiskUse,
    /// The disk is used beyond `diskSpaceCleanForciblyRatio`; any file goes.
    DiskNearlyFull,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Files to delete, oldest first.
    pub delete: Vec<LogFile>,
    /// Why, when this is a round; with no file in `delete` none was ready to go.
    pub occasion: Option<Occasion>,
    /// Whether appends are to be refused until a later decision says otherwise.
    pub refuse_appends: bool,
}

/// Decides. See the head of this file for the rules.
#[must_use]
pub fn decide(config: &RetentionConfig, now: &Situation<'_>) -> Decision {
    let occasion = occasion(config, now);
    let any_age = config.clean_file_forcibly && occasion == Some(Occasion::DiskNearlyFull);
    let reserved_ms = i64::from(config.file_reserved_hours) * HOUR_MS;
    let goes = |file: &&LogFile| any_age || now.now.saturating_sub(file.last_modified) >= reserved_ms;
    let candidates = match (occasion, now.files.split_last()) {
        (Some(_), Some((_last, others))) => others,
        _ => &[],
    };
    Decision {
        delete: candidates.iter().take_while(goes).take(config.delete_file_batch_max).copied().collect(),
        occasion,
        refuse_appends: used_beyond(now, config.warning_percent),
    }
}

/// Being nearly full is no occasion of its own, as in the original: with a `diskMaxUsedSpaceRatio` above the other
/// two, young files go only at the hour of `deleteWhen` or beyond that ratio.
fn occasion(config: &RetentionConfig, now: &Situation<'_>) -> Option<Occasion> {
    let nearly_full = config.clean_forcibly_percent.min(config.warning_percent);
    if used_beyond(now, nearly_full)
        && (used_beyond(now, config.disk_max_used_percent) || is_due(config, now))
    {
        return Some(Occasion::DiskNearlyFull);
    }
    if now.manual {
        return Some(Occasion::Manual);
    }
    if used_beyond(now, config.disk_max_used_percent) {
        return Some(Occasion::DiskUse);
    }
    config.delete_when.contains(now.hour).then_some(Occasion::Hour)
}

fn is_due(config: &RetentionConfig, now: &Situation<'_>) -> bool {
    now.manual || config.delete_when.contains(now.hour)
}

fn used_beyond(now: &Situation<'_>, percent: u8) -> bool {
    u128::from(now.disk_used) * 100 > u128::from(now.disk_total) * u128::from(percent) && now.disk_total > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * HOUR_MS;

    /// Files of 100 bytes, last modified this many hours ago, oldest first.
    fn files(ages_hours: &[i64]) -> Vec<LogFile> {
        let file = |(number, age): (i64, &i64)| LogFile {
            start: CommitOffset(number * 100),
            end: CommitOffset(number * 100 + 100),
            last_modified: NOW - age * HOUR_MS,
        };
        (0..).zip(ages_hours).map(file).collect()
    }

    fn check(files: &[LogFile], hour: u8, used: u64, manual: bool) -> (usize, Option<Occasion>, bool) {
        let now = Situation { files, now: NOW, hour, disk_used: used, disk_total: 100, manual };
        let decision = decide(&RetentionConfig::default(), &now);
        assert_eq!(decision.delete, files[..decision.delete.len()]);
        (decision.delete.len(), decision.occasion, decision.refuse_appends)
    }

    #[test]
    fn old_files_go_at_the_hour() {
        let files = files(&[100, 72, 71, 1]);
        assert_eq!(check(&files, 4, 0, false), (2, Some(Occasion::Hour), false));
        assert_eq!(check(&files, 5, 0, false), (0, None, false));
        assert_eq!(check(&files, 5, 0, true), (2, Some(Occasion::Manual), false));
    }

    #[test]
    fn old_files_go_at_any_hour_when_the_disk_is_used() {
        let files = files(&[100, 71, 1]);
        assert_eq!(check(&files, 5, 75, false), (0, None, false));
        assert_eq!(check(&files, 5, 76, false), (1, Some(Occasion::DiskUse), false));
    }

    #[test]
    fn young_files_go_when_the_disk_is_nearly_full() {
        let files = files(&[3, 2, 1]);
        assert_eq!(check(&files, 5, 85, false), (0, Some(Occasion::DiskUse), false));
        assert_eq!(check(&files, 5, 86, false), (2, Some(Occasion::DiskNearlyFull), false));
    }

    #[test]
    fn appends_are_refused_beyond_the_warning_level() {
        assert_eq!(check(&[], 5, 90, false), (0, Some(Occasion::DiskNearlyFull), false));
        assert_eq!(check(&[], 5, 91, false), (0, Some(Occasion::DiskNearlyFull), true));
    }

    #[test]
    fn young_files_stay_where_the_operator_wants_it() {
        let files = files(&[100, 2, 1]);
        let config = RetentionConfig { clean_file_forcibly: false, ..RetentionConfig::default() };
        let now =
            Situation { files: &files, now: NOW, hour: 5, disk_used: 95, disk_total: 100, manual: false };
        let decision = decide(&config, &now);
        assert_eq!((decision.delete.len(), decision.refuse_appends), (1, true));
    }

    #[test]
    fn the_last_file_never_goes() {
        assert_eq!(check(&files(&[1000]), 4, 99, true).0, 0);
        assert_eq!(check(&[], 4, 99, true).0, 0);
    }

    #[test]
    fn a_round_is_bounded_and_keeps_the_order() {
        assert_eq!(check(&files(&[100; 30]), 4, 0, false).0, 10);
        assert_eq!(check(&files(&[100, 1, 100, 0]), 4, 0, false).0, 1);
    }

    #[test]
    fn percentages_stay_in_their_bounds() {
        let config = RetentionConfig::default().with_percentages(99, 99, 99);
        assert_eq!(
            (config.disk_max_used_percent, config.clean_forcibly_percent, config.warning_percent),
            (95, 85, 90)
        );
        let config = RetentionConfig::default().with_percentages(0, 0, 0);
        assert_eq!(
            (config.disk_max_used_percent, config.clean_forcibly_percent, config.warning_percent),
            (10, 30, 35)
        );
    }

    #[test]
    fn a_disk_of_unknown_size_is_not_full() {
        let now = Situation { files: &[], now: NOW, hour: 5, disk_used: 10, disk_total: 0, manual: false };
        let nothing = Decision { delete: Vec::new(), occasion: None, refuse_appends: false };
        assert_eq!(decide(&RetentionConfig::default(), &now), nothing);
    }

    #[test]
    fn reads_the_hours_of_broker_conf() {
        let hours = DeleteHours::parse("04; 16;").unwrap();
        assert!(hours.contains(4) && hours.contains(16) && !hours.contains(5) && !hours.contains(200));
        assert_eq!(DeleteHours::parse("24"), Err(BadHour { text: "24".to_owned() }));
        assert_eq!(DeleteHours::parse("4am"), Err(BadHour { text: "4am".to_owned() }));
    }
}
