//! The language a peer says its client is written in.
//!
//! One byte in the binary header, a name in the JSON header. A byte without a name keeps its value; a name
//! without a byte cannot, and becomes [`Language::OTHER`].
//! Source: RocketMQ 5.3.3 `remoting/protocol/LanguageCode.java`.

/// A peer's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(pub u8);

const NAMES: &[(u8, &str)] = &[
    (0, "JAVA"),
    (1, "CPP"),
    (2, "DOTNET"),
    (3, "PYTHON"),
    (4, "DELPHI"),
    (5, "ERLANG"),
    (6, "RUBY"),
    (7, "OTHER"),
    (8, "HTTP"),
    (9, "GO"),
    (10, "PHP"),
    (11, "OMS"),
    (12, "RUST"),
    (13, "NODE_JS"),
];

impl Language {
    /// Java; what a header without a language means, and what a server answers with: every released client
    /// knows this name, while older ones fail on a newer name.
    pub const JAVA: Self = Self(0);
    /// C++; gets the list form of pushed offset resets.
    pub const CPP: Self = Self(1);
    /// Any language without a name of its own.
    pub const OTHER: Self = Self(7);
    /// Go.
    pub const GO: Self = Self(9);
    /// Rust.
    pub const RUST: Self = Self(12);

    /// The language of a name as JSON headers carry it.
    pub fn from_name(name: &str) -> Self {
        NAMES.iter().find(|(_, known)| *known == name).map_or(Self::OTHER, |(code, _)| Self(*code))
    }

    /// The name as JSON headers and connection lists carry it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(code, _)| *code == self.0).map_or("OTHER", |(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_agree() {
        for (code, name) in NAMES {
            assert_eq!(Language::from_name(name), Language(*code));
            assert_eq!(Language(*code).name(), *name);
        }
        assert_eq!(Language::from_name("COBOL"), Language::OTHER);
    }
}
