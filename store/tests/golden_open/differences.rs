//! Where Gantry and Java see different things in the same directory: one row an archive, each with the reason.

/// One archive: which view of Java's it is compared with, and what differs.
pub(crate) struct Case {
    pub(crate) archive: &'static str,
    /// What Java sees in this archive.
    pub(crate) expected: &'static str,
    /// Whether the end of the log is torn, so that the first open cuts it.
    pub(crate) is_cut: bool,
    /// What is not as Java sees it: see `java_view::differences`.
    pub(crate) differs: &'static [&'static str],
    /// What Java sees in another archive and Gantry in this one, for rows in which Gantry does better.
    pub(crate) equal: Option<&'static str>,
    /// Why.
    pub(crate) reason: &'static str,
}

const AS_JAVA: Case =
    Case { archive: "", expected: "", is_cut: false, differs: &[], equal: None, reason: "nothing differs" };

pub(crate) const CASES: &[Case] = &[
    Case { archive: "store-basic/store.tar.gz", expected: "store-basic/expected.json.gz", ..AS_JAVA },
    Case { archive: "store-boundary/store.tar.gz", expected: "store-boundary/expected.json.gz", ..AS_JAVA },
    Case {
        archive: "store-batchcq/store.tar.gz",
        expected: "store-batchcq/expected.json.gz",
        differs: &["BcqTopic/0: times upper", "BcqTopic/1: times upper"],
        reason: "for a time between two batches UPPER is 0 in Java; here it is the lower bound, as for others",
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed.tar.gz",
        expected: "store-killed/killed.expected.json.gz",
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-torn-body.tar.gz",
        expected: "store-killed/killed-torn-body.expected.json.gz",
        is_cut: true,
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-torn-crc.tar.gz",
        expected: "store-killed/killed-torn-crc.expected.json.gz",
        is_cut: true,
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-torn-size.tar.gz",
        expected: "store-killed/killed-torn-size.expected.json.gz",
        is_cut: true,
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-mid-crc.tar.gz",
        expected: "store-killed/killed-mid-crc.expected.json.gz",
        is_cut: true,
        reason: "the damage is newer than Java's checkpoint, so nothing says that it was ever on the disk",
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-no-checkpoint.tar.gz",
        expected: "store-killed/killed-no-checkpoint.expected.json.gz",
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-torn-props.tar.gz",
        expected: "store-killed/killed-torn-props.expected.json.gz",
        is_cut: true,
        differs: &[
            "RMQ_SYS_TRANS_HALF_TOPIC/0: bounds, units, reads, times lower, times upper",
            "frames",
            "log",
        ],
        equal: Some("store-killed/killed-torn-crc.expected.json.gz"),
        reason: "Java keeps a frame whose properties a torn write left zero; above the flushed place it is cut here",
    },
    Case {
        archive: "store-killed/killed-torn-topic.tar.gz",
        expected: "store-killed/killed-torn-topic.expected.json.gz",
        differs: &["RMQ_SYS_TRANS_HALF_TOPIC/0: bounds, units, reads, times lower, times upper"],
        reason: "no checksum covers the topic, so the wrong queue is made here, too; but the right queue does not \
                 keep a unit for a frame that is not its own, because queues are rebuilt",
        ..AS_JAVA
    },
    Case {
        archive: "store-killed/killed-no-index-cq.tar.gz",
        expected: "store-killed/killed-no-index-cq.expected.json.gz",
        differs: &[
            "KilledTopic/0: bounds, units, reads, times upper",
            "KilledTopic/1: bounds, units, reads, times upper",
            "KilledTopic/2: bounds, units, reads, times upper",
            "KilledTopic/3: bounds, units, reads, times upper",
            "RMQ_SYS_TRANS_HALF_TOPIC/0: bounds, units, reads, times upper",
            "SCHEDULE_TOPIC_XXXX/1: bounds, units, reads, times upper",
            "keys",
        ],
        equal: Some("store-killed/killed.expected.json.gz"),
        reason: "Java rebuilds queues only from the file its checkpoint names and loses the older messages; here \
                 all come back",
        ..AS_JAVA
    },
];
