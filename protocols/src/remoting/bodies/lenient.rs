//! Numbers and enumerations as fastjson reads them, whoever wrote them.
//!
//! C++ writes versions as strings, Go tag codes; older C++ writes the ordinal of an enumeration where Java writes
//! its name. Java's reader takes all of it, and so clients of all of them work with the original.
//! Source: apache/rocketmq-client-cpp `protocol/HeartbeatData.h`, apache/rocketmq-client-go `internal/utils/set.go`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{self, Visitor};

/// Reads an integer, or a string that holds one.
pub(super) fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    deserializer.deserialize_any(NumberVisitor(PhantomData))
}

struct NumberVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i64>> Visitor<'_> for NumberVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, or a string that holds one")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::custom("integer out of range"))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        let value = i64::try_from(value).map_err(|_| E::custom("integer out of range"))?;
        self.visit_i64(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        let value = value.parse().map_err(|_| E::custom("string holds no integer"))?;
        self.visit_i64(value)
    }
}

/// Declares an enumeration that is written by name and read by name or ordinal; others keep their text.
macro_rules! java_enum {
    ($(#[$doc:meta])* pub enum $type:ident {
        $( $(#[$variant_doc:meta])* $variant:ident = $ordinal:literal $name:literal, )*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub enum $type {
            $( $(#[$variant_doc])* $variant, )*
            /// A name or ordinal without meaning here.
            Other(String),
        }

        impl $type {
            /// The name on the wire.
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$variant => $name, )*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                match name {
                    $( $name => Self::$variant, )*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct NameOrOrdinal;
                impl serde::de::Visitor<'_> for NameOrOrdinal {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("name or ordinal of ", stringify!($type)))
                    }
                    fn visit_str<E>(self, name: &str) -> Result<$type, E> {
                        Ok(name.into())
                    }
                    fn visit_u64<E>(self, ordinal: u64) -> Result<$type, E> {
                        Ok(match ordinal {
                            $( $ordinal => $type::$variant, )*
                            other => $type::Other(other.to_string()),
                        })
                    }
                }
                deserializer.deserialize_any(NameOrOrdinal)
            }
        }
    };
}

pub(super) use java_enum;
