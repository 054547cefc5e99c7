//! THE table of topic settings: name, the broker setting that holds its default, values, default, meaning.

use super::{ConfigKey, Effect, Kind};

const INT: Kind = Kind::Int { min: 0, max: i32::MAX as i64 };
const LONG: Kind = Kind::Long { min: 0 };
const FOREVER: &str = "9223372036854775807";
const CODECS: Kind = Kind::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
const TIMES: Kind = Kind::OneOf(&["CreateTime", "LogAppendTime"]);
const SEGMENT: Kind = Kind::Int { min: 1 << 20, max: i32::MAX as i64 };

const fn honoured(
    name: &'static str,
    broker_name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> ConfigKey {
    ConfigKey { name, broker_name, kind, default, effect: Effect::Honoured, doc }
}

const fn kept(name: &'static str, broker_name: &'static str, kind: Kind, default: &'static str) -> ConfigKey {
    let doc = "Kept and shown; without effect on this broker.";
    ConfigKey { name, broker_name, kind, default, effect: Effect::Kept, doc }
}

const fn former(name: &'static str, kind: Kind, default: &'static str) -> ConfigKey {
    let doc = "Of Kafka 3; kept for tools that still set it, without effect.";
    ConfigKey { name, broker_name: "", kind, default, effect: Effect::Former, doc }
}

/// Every setting a topic has, by name.
#[rustfmt::skip]
pub const CONFIG_KEYS: &[ConfigKey] = &[
    honoured("cleanup.policy", "log.cleanup.policy", Kind::SomeOf(&["compact", "delete"]), "delete",
        "With compact every record needs a key (old values are not removed yet); without delete, retention.ms and retention.bytes rest."),
    kept("compression.gzip.level", "compression.gzip.level", Kind::GzipLevel, "-1"),
    kept("compression.lz4.level", "compression.lz4.level", Kind::Int { min: 1, max: 17 }, "9"),
    kept("compression.type", "compression.type", CODECS, "producer"),
    kept("compression.zstd.level", "compression.zstd.level", Kind::Int { min: -131_072, max: 22 }, "3"),
    kept("delete.retention.ms", "log.cleaner.delete.retention.ms", LONG, "86400000"),
    kept("file.delete.delay.ms", "log.segment.delete.delay.ms", LONG, "60000"),
    kept("flush.messages", "log.flush.interval.messages", Kind::Long { min: 1 }, FOREVER),
    kept("flush.ms", "log.flush.interval.ms", LONG, FOREVER),
    kept("follower.replication.throttled.replicas", "", Kind::Replicas, ""),
    kept("index.interval.bytes", "log.index.interval.bytes", INT, "4096"),
    kept("leader.replication.throttled.replicas", "", Kind::Replicas, ""),
    kept("local.retention.bytes", "log.local.retention.bytes", Kind::Long { min: -2 }, "-2"),
    kept("local.retention.ms", "log.local.retention.ms", Kind::Long { min: -2 }, "-2"),
    kept("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", Kind::Long { min: 1 }, FOREVER),
    honoured("max.message.bytes", "message.max.bytes", INT, "1048588",
        "Largest record batch, as sent; maxMessageSize bounds it."),
    former("message.downconversion.enable", Kind::Bool, "true"),
    former("message.format.version", Kind::OneOf(&["3.0-IV1"]), "3.0-IV1"),
    honoured("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", LONG, "3600000",
        "How far ahead of the broker's clock the time of a record may be; without effect under LogAppendTime."),
    honoured("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", LONG, FOREVER,
        "How far behind the broker's clock the time of a record may be; without effect under LogAppendTime."),
    former("message.timestamp.difference.max.ms", LONG, FOREVER),
    honoured("message.timestamp.type", "log.message.timestamp.type", TIMES, "CreateTime",
        "Whose time records carry: the producer's, or the broker's at the append."),
    kept("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", Kind::Fraction, "0.5"),
    kept("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", LONG, "0"),
    honoured("min.insync.replicas", "min.insync.replicas", Kind::Int { min: 1, max: i32::MAX as i64 }, "1",
        "Replicas that acks=all needs; above 1 it is refused, there is one broker."),
    kept("preallocate", "log.preallocate", Kind::Bool, "false"),
    kept("remote.log.copy.disable", "", Kind::Bool, "false"),
    kept("remote.log.delete.on.disable", "", Kind::Bool, "false"),
    kept("remote.storage.enable", "", Kind::Off, "false"),
    honoured("retention.bytes", "log.retention.bytes", Kind::Long { min: i64::MIN }, "-1",
        "Stored bytes that a partition keeps; older messages can no longer be read. Their disk is freed with the log file. Below 0: no bound."),
    honoured("retention.ms", "log.retention.ms", Kind::Long { min: -1 }, "604800000",
        "How long messages of the topic can be read, from their arrival; -1, or none set: until their log file is deleted, which also ends a longer time."),
    kept("segment.bytes", "log.segment.bytes", SEGMENT, "1073741824"),
    kept("segment.index.bytes", "log.index.size.max.bytes", Kind::Int { min: 4, max: i32::MAX as i64 }, "10485760"),
    kept("segment.jitter.ms", "log.roll.jitter.ms", LONG, "0"),
    kept("segment.ms", "log.roll.ms", Kind::Long { min: 1 }, "604800000"),
    kept("unclean.leader.election.enable", "unclean.leader.election.enable", Kind::Bool, "false"),
];
