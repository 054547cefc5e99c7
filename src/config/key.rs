//! One row per key, and the macro that makes a subsystem's struct and its rows from one list.

use std::fmt;

use super::Settings;

/// A configuration key: all that is known about it.
#[derive(Debug)]
pub struct Key {
    /// As written in a file.
    pub name: &'static str,
    /// The value when nobody sets it, as written in a file; empty is unset.
    pub default: &'static str,
    /// What the value counts.
    pub unit: Unit,
    /// Which values are taken.
    pub allowed: Allowed,
    /// One sentence.
    pub doc: &'static str,
    /// Whose key it is.
    pub origin: Origin,
    /// Stores the parsed text; false when the text is not a value of this key.
    pub(super) set: fn(&mut Settings, &str) -> bool,
    /// The value in `Settings` as written in a file.
    pub(super) show: fn(&Settings) -> String,
}

impl Key {
    /// The value that `settings` has for this key, as written in a file.
    pub fn show(&self, settings: &Settings) -> String {
        (self.show)(settings)
    }
}

/// Whose name and meaning a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// RocketMQ's broker.conf or namesrv.conf.
    RocketMq,
    /// Kafka's server.properties.
    Kafka,
    /// Ours.
    Gantry,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::RocketMq => "RocketMQ",
            Origin::Kafka => "Kafka",
            Origin::Gantry => "Gantry",
        })
    }
}

/// Which file is read: `listenPort` means another port in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// broker.conf, or one file for all roles.
    Broker,
    /// namesrv.conf.
    Namesrv,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Unit {
    Flag,
    Text,
    Path,
    Address,
    Port,
    Count,
    Bytes,
    Percent,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

/// Which values a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// Numbers from the first to the second, both included.
    Range(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// What the sentence says.
    Form(&'static str),
}

impl Allowed {
    /// True when a number lies within the range; a key without range takes any.
    pub(super) fn admits(&self, number: i64) -> bool {
        match self {
            Allowed::Range(least, most) => (*least..=*most).contains(&number),
            Allowed::OneOf(words) => words.contains(&number.to_string().as_str()),
            Allowed::Form(_) => true,
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Range(least, most) => write!(f, "{least} to {most}"),
            Allowed::OneOf(words) => f.write_str(&words.join(" or ")),
            Allowed::Form(form) => f.write_str(form),
        }
    }
}

/// Makes the struct of one subsystem, its defaults and its rows from one list of
/// `field: Type = "default", "key", Origin, Unit[, allowed];` with the sentence as its doc comment.
macro_rules! section {
    ($(#[doc = $about:literal])+ $section:ident: $name:ident {
        $( #[doc = $doc:literal] $field:ident: $kind:ty = $default:literal, $key:literal, $origin:ident, $unit:ident $(, $allowed:expr)?; )+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( #[doc = $doc] pub $field: $kind, )+
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $( $field: $crate::config::value::built_in($default, &$crate::config::key::allowed!($kind $(, $allowed)?)), )+ }
            }
        }

        /// One row per field.
        pub(super) const KEYS: &[$crate::config::Key] = &[ $( $crate::config::Key {
            name: $key,
            default: $default,
            unit: $crate::config::Unit::$unit,
            allowed: $crate::config::key::allowed!($kind $(, $allowed)?),
            doc: $doc.trim_ascii(),
            origin: $crate::config::Origin::$origin,
            set: |settings, text| {
                let parsed = <$kind as $crate::config::value::Value>::parse(text, &$crate::config::key::allowed!($kind $(, $allowed)?));
                parsed.map(|value| settings.$section.$field = value).is_some()
            },
            show: |settings| $crate::config::value::Value::text(&settings.$section.$field),
        }, )+ ];
    };
}

/// The row's own bounds, else those of its type.
macro_rules! allowed {
    ($kind:ty, $allowed:expr) => {
        $allowed
    };
    ($kind:ty) => {
        <$kind as $crate::config::value::Value>::ALLOWED
    };
}

pub(super) use allowed;
pub(super) use section;
