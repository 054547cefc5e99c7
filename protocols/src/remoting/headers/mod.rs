//! The named arguments of requests and answers, one plain struct each, one file a family.
//!
//! A struct is declared with `custom_header!`: a row a field says the name, the type and the key on the wire.
//! `Option` is what the original does not mark mandatory. Decoding is one walk over the fields received;
//! unknown keys are ignored, text stays in the frame unless an escape occurs in it.
//! To add a header: its rows here, its dispatch where it is served.
//! Source: RocketMQ 5.3.3 `remoting/protocol/header/**`.

pub mod broker;
pub mod client;
pub mod consumer_admin;
mod field;
pub mod group;
pub mod offset;
pub mod pull;
pub mod query;
pub mod route;
pub mod rpc;
pub mod send;
pub mod topic;
pub mod transaction;

pub use field::{Boundary, FieldValue, Text};

use super::ext_writer::ExtWriter;
use super::header::HeaderView;
use thiserror::Error;

/// A header lacks an argument or has one that cannot be read. The connection stays; the request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A mandatory field did not come.
    #[error("{header} needs the field {field}")]
    Missing {
        /// The struct that was decoded.
        header: &'static str,
        /// The field's long name on the wire.
        field: &'static str,
    },
    /// The text of a field is no value of its type.
    #[error("{header} field {field} has to be {expected}")]
    Malformed {
        /// The struct that was decoded.
        header: &'static str,
        /// The field's long name on the wire.
        field: &'static str,
        /// What the text has to be.
        expected: &'static str,
    },
}

/// The named arguments of one kind of request or answer.
pub trait CustomHeader<'a>: Sized {
    /// Reads the arguments. Does not block; allocates only for text with escapes.
    fn decode(view: &HeaderView<'a>) -> Result<Self, HeaderError>;

    /// Writes the arguments that are there.
    fn write(&self, ext: &mut ExtWriter<'_>);
}

/// Reads one field; the value it had before is replaced, an empty one that cannot mean anything keeps absent.
fn read<'a, T: FieldValue<'a>>(
    header: &'static str,
    field: &'static str,
    value: super::ext::ExtValue<'a>,
) -> Result<Option<T>, HeaderError> {
    if value.is_empty() && T::EMPTY_IS_ABSENT {
        return Ok(None);
    }
    match T::read(value) {
        Some(value) => Ok(Some(value)),
        None => Err(HeaderError::Malformed { header, field, expected: T::EXPECTED }),
    }
}

/// What a field is that did not come.
fn absent<'a, T: FieldValue<'a>>(
    header: &'static str,
    field: &'static str,
    default: Option<T>,
) -> Result<T, HeaderError> {
    default.or_else(T::absent).ok_or(HeaderError::Missing { header, field })
}

/// Declares a header: `name: type = "key"`, `= "longKey" | "s"` where a short form exists (the last one is
/// written, each is read), `or value` for what an absent field means.
macro_rules! custom_header {
    (
        $(#[$doc:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty = $($key:literal)|+ $(or $default:expr)?, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $(
                $(#[$field_doc])*
                #[doc = concat!("`", $crate::remoting::headers::first_key!($($key)|+), "` on the wire.")]
                pub $field: $type,
            )*
        }

        impl<'a> $crate::remoting::headers::CustomHeader<'a> for $name $(<$life>)? {
            fn decode(
                view: &$crate::remoting::header::HeaderView<'a>,
            ) -> Result<Self, $crate::remoting::headers::HeaderError> {
                use $crate::remoting::headers::{absent, first_key, read};
                const HEADER: &str = stringify!($name);
                $( let mut $field: Option<$type> = None; )*
                for (key, value) in view.ext.iter() {
                    match &*key.text() {
                        $( $($key)|+ => $field = read(HEADER, first_key!($($key)|+), value)?, )*
                        _ => {}
                    }
                }
                Ok(Self {
                    $( $field: match $field {
                        Some(value) => value,
                        None => absent(HEADER, first_key!($($key)|+), None $(.or(Some($default)))?)?,
                    }, )*
                })
            }

            fn write(&self, ext: &mut $crate::remoting::ext_writer::ExtWriter<'_>) {
                use $crate::remoting::headers::{FieldValue, last_key};
                $( FieldValue::write(&self.$field, last_key!($($key)|+), ext); )*
            }
        }
    };
}

macro_rules! first_key {
    ($first:literal $(| $rest:literal)*) => {
        $first
    };
}

macro_rules! last_key {
    ($last:literal) => { $last };
    ($first:literal $(| $rest:literal)+) => { $crate::remoting::headers::last_key!($($rest)|+) };
}

pub(crate) use {custom_header, first_key, last_key};
