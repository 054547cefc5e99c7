//! The properties and sysFlag bits that only the broker writes, and what keeps them its own.
//!
//! `INNER_NUM` and `INNER_BASE` make a frame a batch, `__KP` and `__KC` are producer state, `__KB` says what a
//! batch holds. A native sender must not forge them, and a copy of a message (retry, dead letter, replay) must
//! not repeat them. The other carriers may be copied: that is how records survive a native program.
//! Not here: header names of Kafka producers (`record_properties`).
//! Source: RocketMQ 5.3.3 `store/hook/PutMessageHook` checks of inner batches (`HookUtils.checkInnerBatch`).

use gantry_store::format::names;
use gantry_store::format::properties::{NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR, properties};
use gantry_store::format::sysflag::{COMPRESSED, COMPRESSION_MASK, SysFlag, TRANSACTION_MASK};

use super::tag_bloom;

/// The names.
pub const BROKER_ONLY: [&str; 5] =
    [names::INNER_NUM, names::INNER_BASE, names::KAFKA_PRODUCER, names::KAFKA_CONTROL, tag_bloom::PROPERTY];

/// A native sender set a property that only the broker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("property {name} is written by the broker only; remove it from the message")]
pub struct ForgedProperty {
    /// Which.
    pub name: &'static str,
}

/// Checks the properties of a message from a native sender.
///
/// # Errors
/// [`ForgedProperty`] for the first one that is not the sender's to write.
pub fn check_sent(block: &[u8]) -> Result<(), ForgedProperty> {
    match properties(block).find_map(|property| broker_only(property.name)) {
        Some(name) => Err(ForgedProperty { name }),
        None => Ok(()),
    }
}

/// The sysFlag of a native sender without the bits that are not its own: compression stays, and of the
/// transaction bits those in `transaction`, which the request decides. Host bits follow the hosts anyway.
#[must_use]
pub fn sent_flag(sent: SysFlag, transaction: i32) -> SysFlag {
    SysFlag(sent.0 & (COMPRESSED | COMPRESSION_MASK) | transaction & TRANSACTION_MASK)
}

/// Appends the properties of a message to `out` as a copy of it may have them.
pub fn write_copy(block: &[u8], out: &mut Vec<u8>) {
    for property in properties(block).filter(|property| broker_only(property.name).is_none()) {
        out.extend_from_slice(property.name);
        out.push(NAME_VALUE_SEPARATOR);
        out.extend_from_slice(property.value);
        out.push(PROPERTY_SEPARATOR);
    }
}

fn broker_only(name: &[u8]) -> Option<&'static str> {
    BROKER_ONLY.into_iter().find(|ours| ours.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_sender_cannot_forge_a_batch_or_a_producer() {
        for name in ["INNER_NUM", "INNER_BASE", "__KP", "__KC", "__KB"] {
            let block = format!("a\x01b\x02{name}\x011\x02");
            assert_eq!(check_sent(block.as_bytes()), Err(ForgedProperty { name }));
        }
        assert_eq!(check_sent(b"__KK\x01aw==\x02__KH\x01AA==\x02__KN\x011\x02TAGS\x01T\x02"), Ok(()));
    }

    #[test]
    fn only_compression_and_the_allowed_transaction_bits_stay() {
        assert_eq!(sent_flag(SysFlag(0x7FF), 0), SysFlag(0x701));
        assert_eq!(sent_flag(SysFlag(0xC0), 4), SysFlag(4));
        assert_eq!(sent_flag(SysFlag(0x201), 0xFF), SysFlag(0x20D));
    }

    #[test]
    fn a_copy_has_everything_else_in_order() {
        let mut out = Vec::new();
        write_copy(b"INNER_NUM\x015\x02KEYS\x01k\x02__KP\x011.0.0.1.0.0\x02__KH\x01AA==\x02x\x01y", &mut out);
        assert_eq!(out, b"KEYS\x01k\x02__KH\x01AA==\x02x\x01y\x02");
    }
}
