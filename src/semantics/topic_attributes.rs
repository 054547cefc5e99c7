//! Attributes of topics: which there are, what they may be, and how an administrator changes them.
//!
//! A change is written `+name=value` or `-name`. Some attributes are chosen when the topic is made and never again.
//! Source: RocketMQ 5.3.3 `common/TopicAttributes.java`, `common/attribute/AttributeParser.java`,
//! `AttributeUtil.java`.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::topics::{CLEANUP_POLICY, MESSAGE_TYPE, QUEUE_TYPE};

/// How long tiered storage keeps messages, in seconds, -1 for ever: stored and shown, without effect here.
const RESERVE_TIME: &str = "reserve.time";
/// The kinds of index, separated as a person reads them.
pub const QUEUE_TYPES: &str = "BatchCQ, SimpleCQ";
/// The kinds of message that a topic takes.
pub const MESSAGE_TYPES: &str = "UNSPECIFIED, NORMAL, FIFO, DELAY, TRANSACTION, MIXED";
const CLEANUP_POLICIES: &str = "DELETE, COMPACTION";
const RESERVE_TIMES: &str = "-1 to 9223372036854775807";

/// What native administrators may not set, as a stock broker without `enableMixedMessageType`.
const MIXED: &str = "MIXED";

struct Attribute {
    name: &'static str,
    is_changeable: bool,
    allowed: &'static str,
}

const ATTRIBUTES: [Attribute; 4] = [
    Attribute { name: QUEUE_TYPE, is_changeable: false, allowed: QUEUE_TYPES },
    Attribute { name: CLEANUP_POLICY, is_changeable: false, allowed: CLEANUP_POLICIES },
    Attribute { name: MESSAGE_TYPE, is_changeable: true, allowed: MESSAGE_TYPES },
    Attribute { name: RESERVE_TIME, is_changeable: true, allowed: RESERVE_TIMES },
];

impl Attribute {
    fn admits(&self, value: &str) -> bool {
        match self.name {
            RESERVE_TIME => value.parse::<i64>().is_ok_and(|seconds| seconds >= -1),
            _ => self.allowed.split(", ").any(|one| one == value),
        }
    }
}

/// One wish: the name behind its sign, and the value where the sign is a plus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeChange<'a> {
    /// `+name=value`.
    Set(&'a str, &'a str),
    /// `-name`.
    Remove(&'a str),
}

/// Why attributes are not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// Neither `+name=value` nor `-name`.
    #[error("`{0}` does not change an attribute; write +name=value or -name")]
    Form(String),
    /// Two wishes for one attribute.
    #[error("the attribute {0} is named more than once")]
    Twice(String),
    /// A new topic has no attributes that could go.
    #[error("a new topic has no attribute {0} that could be removed; only +name=value is possible")]
    RemovedFromNew(String),
    /// The topic does not have it.
    #[error("the topic has no attribute {0} that could be removed")]
    NotSet(String),
    /// Nobody knows it.
    #[error("there is no topic attribute {0}; use queue.type, cleanup.policy, message.type or reserve.time")]
    Unknown(String),
    /// It was chosen when the topic was made.
    #[error("the attribute {0} cannot change while the topic exists")]
    Unchangeable(String),
    /// The value does not fit.
    #[error("`{value}` is no value of the topic attribute {name}; use one of {allowed}")]
    Value {
        /// The attribute.
        name: &'static str,
        /// As asked.
        value: String,
        /// What fits.
        allowed: &'static str,
    },
    /// `message.type=MIXED`.
    #[error("MIXED message type is not supported for topics of RocketMQ's administrators")]
    Mixed,
}

impl<'a> AttributeChange<'a> {
    /// The wish of a signed name, as it is the key of a map.
    ///
    /// # Errors
    /// [`AttributeError::Form`].
    pub fn signed(key: &'a str, value: &'a str) -> Result<Self, AttributeError> {
        let form = || AttributeError::Form(key.to_owned());
        let named = |name: &&str| !name.is_empty() && !name.contains(['+', '-']);
        let added = key.strip_prefix('+').filter(named).map(|name| Self::Set(name, value));
        let removed = || key.strip_prefix('-').filter(named).map(Self::Remove);
        added.or_else(removed).ok_or_else(form)
    }

    const fn name(&self) -> &'a str {
        match self {
            Self::Set(name, _) | Self::Remove(name) => name,
        }
    }
}

/// The wishes of a request's text: `+name=value,-name`.
///
/// # Errors
/// [`AttributeError::Form`].
pub fn parse(text: &str) -> Result<Vec<AttributeChange<'_>>, AttributeError> {
    text.split(',').filter(|wish| !wish.is_empty()).map(wish).collect()
}

fn wish(text: &str) -> Result<AttributeChange<'_>, AttributeError> {
    match text.split_once('=') {
        Some((key, value)) if key.starts_with('+') => AttributeChange::signed(key, value),
        None if text.starts_with('-') => AttributeChange::signed(text, ""),
        _ => Err(AttributeError::Form(text.to_owned())),
    }
}

/// What the attributes become; `current` is `None` for a topic that is being made.
///
/// # Errors
/// The first wish that cannot be fulfilled.
pub fn alter(
    current: Option<&IndexMap<String, String>>,
    changes: &[AttributeChange<'_>],
) -> Result<IndexMap<String, String>, AttributeError> {
    let mut named = HashSet::new();
    let mut attributes = current.cloned().unwrap_or_default();
    for change in changes {
        let name = change.name();
        if !named.insert(name) {
            return Err(AttributeError::Twice(name.to_owned()));
        }
        let known = ATTRIBUTES.iter().find(|attribute| attribute.name == name);
        let known = known.ok_or_else(|| AttributeError::Unknown(name.to_owned()))?;
        if current.is_some() && !known.is_changeable {
            return Err(AttributeError::Unchangeable(name.to_owned()));
        }
        match *change {
            AttributeChange::Set(_, value) => {
                check(known, value)?;
                attributes.insert(name.to_owned(), value.to_owned());
            }
            AttributeChange::Remove(_) if current.is_none() => {
                return Err(AttributeError::RemovedFromNew(name.to_owned()));
            }
            AttributeChange::Remove(_) => {
                let removed = attributes.shift_remove(name);
                removed.ok_or_else(|| AttributeError::NotSet(name.to_owned()))?;
            }
        }
    }
    Ok(attributes)
}

fn check(attribute: &Attribute, value: &str) -> Result<(), AttributeError> {
    if attribute.name == MESSAGE_TYPE && value == MIXED {
        return Err(AttributeError::Mixed);
    }
    if attribute.admits(value) {
        return Ok(());
    }
    let (name, allowed) = (attribute.name, attribute.allowed);
    Err(AttributeError::Value { name, value: value.to_owned(), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(
        current: Option<&[(&str, &str)]>,
        text: &str,
    ) -> Result<Vec<(String, String)>, AttributeError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let current: Option<IndexMap<_, _>> = current.map(|set| set.iter().map(own).collect());
        Ok(alter(current.as_ref(), &parse(text)?)?.into_iter().collect())
    }

    fn set(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn sets_and_removes_what_is_signed() {
        let made = altered(None, "+queue.type=BatchCQ,+message.type=FIFO").unwrap();
        assert_eq!(made, [set("queue.type", "BatchCQ"), set("message.type", "FIFO")]);
        let both = [("queue.type", "BatchCQ"), ("message.type", "FIFO")];
        let changed = altered(Some(&both), "-message.type,+reserve.time=60").unwrap();
        assert_eq!(changed, [set("queue.type", "BatchCQ"), set("reserve.time", "60")]);
        assert_eq!(altered(Some(&both), "").unwrap().len(), 2);
    }

    #[test]
    fn refuses_what_is_no_change() {
        for wrong in
            ["message.type=FIFO", "+message.type", "message.type", "-a=b", "+=x", "-", "+a+b=c", "++a=b"]
        {
            assert!(matches!(parse(wrong), Err(AttributeError::Form(_))), "{wrong}");
        }
        let twice = AttributeError::Twice("message.type".to_owned());
        assert_eq!(altered(None, "+message.type=FIFO,+message.type=DELAY"), Err(twice));
    }

    #[test]
    fn refuses_unknown_names_and_values() {
        assert_eq!(altered(None, "+retention=1"), Err(AttributeError::Unknown("retention".to_owned())));
        for wrong in ["+queue.type=batchcq", "+cleanup.policy=compact", "+message.type=", "+reserve.time=-2"]
        {
            assert!(matches!(altered(None, wrong), Err(AttributeError::Value { .. })), "{wrong}");
        }
        assert_eq!(altered(None, "+message.type=MIXED"), Err(AttributeError::Mixed));
    }

    #[test]
    fn keeps_what_was_chosen_when_the_topic_was_made() {
        let batch = [("queue.type", "BatchCQ")];
        for change in ["+queue.type=BatchCQ", "-queue.type", "+cleanup.policy=DELETE"] {
            assert!(
                matches!(altered(Some(&batch), change), Err(AttributeError::Unchangeable(_))),
                "{change}"
            );
        }
        assert_eq!(
            altered(Some(&batch), "-message.type"),
            Err(AttributeError::NotSet("message.type".to_owned()))
        );
        assert_eq!(
            altered(None, "-message.type"),
            Err(AttributeError::RemovedFromNew("message.type".to_owned()))
        );
    }
}
