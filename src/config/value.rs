//! Values of keys: from the text of a file to a type that cannot be wrong, and back.

use std::net::IpAddr;
use std::path::PathBuf;

use super::key::Allowed;

/// What can stand on the right of a key.
pub(super) trait Value: Sized {
    /// The values of the type when the row names no bounds.
    const ALLOWED: Allowed;
    /// None when `text` (trimmed) is not such a value or lies outside `allowed`.
    fn parse(text: &str, allowed: &Allowed) -> Option<Self>;
    /// As written in a file.
    fn text(&self) -> String;
}

/// The value of a row's default.
pub(super) fn built_in<T: Value>(default: &str, allowed: &Allowed) -> T {
    T::parse(default, allowed).expect("the test `every_default_is_a_value` parses all of them")
}

macro_rules! numbers {
    ($($type:ty: $least:expr, $most:expr;)+) => { $(
        impl Value for $type {
            const ALLOWED: Allowed = Allowed::Range($least, $most);

            fn parse(text: &str, allowed: &Allowed) -> Option<Self> {
                let number = text.parse::<i64>().ok().filter(|number| allowed.admits(*number))?;
                <$type>::try_from(number).ok()
            }

            fn text(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}

numbers! {
    u16: 0, u16::MAX as i64;
    u32: 0, u32::MAX as i64;
    u64: 0, i64::MAX;
    i64: i64::MIN, i64::MAX;
}

impl Value for bool {
    const ALLOWED: Allowed = Allowed::OneOf(&["true", "false"]);

    /// As Java's `Boolean.parseBoolean` for the two words, but a typo is refused instead of read as false.
    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const ALLOWED: Allowed = Allowed::Form("1 to 255 letters, digits, dots, hyphens or underscores");

    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        let fits = (1..=255).contains(&text.len());
        let clean = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        (fits && clean).then(|| text.to_owned())
    }

    fn text(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const ALLOWED: Allowed = Allowed::Form("a path");

    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    }

    fn text(&self) -> String {
        self.display().to_string()
    }
}

impl Value for IpAddr {
    const ALLOWED: Allowed = Allowed::Form("an IP address such as 127.0.0.1, 0.0.0.0 or ::");

    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        text.parse().ok()
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// Unset when the text is empty.
impl<T: Value> Value for Option<T> {
    const ALLOWED: Allowed = T::ALLOWED;

    fn parse(text: &str, allowed: &Allowed) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        T::parse(text, allowed).map(Some)
    }

    fn text(&self) -> String {
        self.as_ref().map(T::text).unwrap_or_default()
    }
}

/// When a message counts as stored (RocketMQ `store/config/FlushDiskType.java`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushDiskType {
    /// After it is on the disk; survives power loss.
    Sync,
    /// When it is in the page cache; survives a kill of the process.
    Async,
}

impl Value for FlushDiskType {
    const ALLOWED: Allowed = Allowed::OneOf(&["SYNC_FLUSH", "ASYNC_FLUSH"]);

    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        match text {
            "SYNC_FLUSH" => Some(FlushDiskType::Sync),
            "ASYNC_FLUSH" => Some(FlushDiskType::Async),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            FlushDiskType::Sync => "SYNC_FLUSH".to_owned(),
            FlushDiskType::Async => "ASYNC_FLUSH".to_owned(),
        }
    }
}

/// Hours of the day, 0 to 23, separated by semicolons as in `deleteWhen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Vec<u8>);

impl Hours {
    /// True when `hour` (0 to 23, local time) is one of them.
    pub fn contains(&self, hour: u8) -> bool {
        self.0.contains(&hour)
    }
}

impl Value for Hours {
    const ALLOWED: Allowed = Allowed::Form("hours 00 to 23, several separated by ';'");

    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        let hour = |part: &str| part.trim().parse::<u8>().ok().filter(|hour| *hour < 24);
        text.split(';').map(hour).collect::<Option<Vec<u8>>>().map(Hours)
    }

    fn text(&self) -> String {
        self.0.iter().map(|hour| format!("{hour:02}")).collect::<Vec<_>>().join(";")
    }
}

/// Where Kafka listens or says it listens: the first PLAINTEXT entry of Kafka's listener lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaAddress {
    /// A name or an address without brackets; empty is `bindAddress`.
    pub host: String,
    /// 0 is a free one.
    pub port: u16,
}

impl Value for KafkaAddress {
    const ALLOWED: Allowed = Allowed::Form("PLAINTEXT://host:port");

    /// Other entries than PLAINTEXT are refused, but for a CONTROLLER entry, which KRaft files contain.
    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        let entries: Vec<(&str, &str)> =
            text.split(',').map(|entry| entry.trim().split_once("://")).collect::<Option<_>>()?;
        let known =
            |name: &str| name.eq_ignore_ascii_case("PLAINTEXT") || name.eq_ignore_ascii_case("CONTROLLER");
        if !entries.iter().all(|(name, _)| known(name)) {
            return None;
        }
        let (_, address) = entries.iter().find(|(name, _)| name.eq_ignore_ascii_case("PLAINTEXT"))?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(KafkaAddress { host, port: port.parse().ok()? })
    }

    fn text(&self) -> String {
        if self.host.contains(':') {
            return format!("PLAINTEXT://[{}]:{}", self.host, self.port);
        }
        format!("PLAINTEXT://{}:{}", self.host, self.port)
    }
}

/// Processes to dial, as `host:port` each; empty when there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPorts(Vec<String>);

impl HostPorts {
    /// The most that are taken: each has a thread of its own.
    const MAX: usize = 16;

    /// Each once, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for HostPorts {
    const ALLOWED: Allowed = Allowed::Form("host:port, up to 16 separated by ';' or ','");

    fn parse(text: &str, _: &Allowed) -> Option<Self> {
        let mut all: Vec<String> = Vec::new();
        for entry in text.split([';', ',']).map(str::trim).filter(|entry| !entry.is_empty()) {
            let (host, port) = entry.rsplit_once(':')?;
            let bare = host.strip_prefix('[').map_or(Some(host), |rest| rest.strip_suffix(']'))?;
            let named =
                !host.contains(':') && bare.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
            let numbered = bare.parse::<std::net::Ipv6Addr>().is_ok() && host.starts_with('[');
            let dialable =
                !bare.is_empty() && (named || numbered) && port.parse::<u16>().is_ok_and(|port| port != 0);
            if !dialable {
                return None;
            }
            if !all.iter().any(|known| known == entry) {
                all.push(entry.to_owned());
            }
        }
        (all.len() <= Self::MAX).then_some(Self(all))
    }

    fn text(&self) -> String {
        self.0.join(";")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Value>(text: &str, expected: Option<&str>) {
        assert_eq!(T::parse(text, &T::ALLOWED).map(|value| value.text()).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_flag_is_true_or_false() {
        check::<bool>("TRUE", Some("true"));
        check::<bool>("yes", None);
    }

    #[test]
    fn numbers_stay_in_their_type() {
        check::<u16>("65535", Some("65535"));
        check::<u16>("65536", None);
        check::<u32>("-1", None);
        check::<u64>("99999999999999999999", None);
    }

    #[test]
    fn hours_are_a_list() {
        check::<Hours>("04", Some("04"));
        check::<Hours>("1;13", Some("01;13"));
        check::<Hours>("24", None);
        check::<Hours>("", None);
    }

    #[test]
    fn a_kafka_listener_is_the_plaintext_one() {
        check::<KafkaAddress>("PLAINTEXT://0.0.0.0:9092", Some("PLAINTEXT://0.0.0.0:9092"));
        check::<KafkaAddress>("PLAINTEXT://:9092,CONTROLLER://:9093", Some("PLAINTEXT://:9092"));
        check::<KafkaAddress>("PLAINTEXT://[::1]:9092", Some("PLAINTEXT://[::1]:9092"));
        check::<KafkaAddress>("SASL_SSL://:9092", None);
        check::<KafkaAddress>("localhost:9092", None);
    }

    #[test]
    fn name_servers_are_a_list_of_hosts_with_ports() {
        check::<HostPorts>("", Some(""));
        check::<HostPorts>("ns-1:9876; 10.0.0.2:9876;", Some("ns-1:9876;10.0.0.2:9876"));
        check::<HostPorts>("a:1;a:1,[::1]:2", Some("a:1;[::1]:2"));
        for wrong in ["ns-1", "ns-1:0", "ns-1:65536", ":9876", "::1:9876", "[::1:2", "a/b:1", "http://a:1"] {
            check::<HostPorts>(wrong, None);
        }
        let many = (0..17).map(|n| format!("ns-{n}:1")).collect::<Vec<_>>().join(";");
        check::<HostPorts>(&many, None);
    }

    #[test]
    fn an_empty_option_is_unset() {
        check::<Option<IpAddr>>("", Some(""));
        check::<Option<IpAddr>>("10.0.0.1", Some("10.0.0.1"));
        check::<Option<IpAddr>>("10.0.0", None);
    }

    #[test]
    fn names_hold_no_separators() {
        check::<String>("broker-a", Some("broker-a"));
        check::<String>("../x", None);
        check::<String>("", None);
    }
}
