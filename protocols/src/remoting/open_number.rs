//! A protocol number with names: known values are constants, unknown ones keep their value.

/// Declares a newtype over `i32` with one constant a known value, `name()` and `Display`.
macro_rules! open_number {
    ($(#[$doc:meta])* pub struct $type:ident { $($name:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub i32);

        impl $type {
            $(
                #[doc = concat!("`", stringify!($name), "`: ", stringify!($value), ".")]
                pub const $name: Self = Self($value);
            )*

            /// Every value that has a name, in ascending order.
            pub const KNOWN: &[Self] = &[$(Self::$name),*];

            /// The original's name, or `None` for a number that it does not know.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    Self(_) => None,
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}

pub(super) use open_number;
