//! Requests from Kafka producers: record headers that ask for RocketMQ features.
//!
//! | header             | value                          | effect                        |
//! |--------------------|--------------------------------|-------------------------------|
//! | `rmq.tags`         | a tag                          | `TAGS`, tags code of the unit |
//! | `rmq.keys`         | index keys, separated by space | `KEYS`, key index             |
//! | `rmq.sharding.key` | order key                      | `__SHARDINGKEY`               |
//! | `rmq.msg.id`       | unique id                      | `UNIQ_KEY`                    |
//! | `rmq.flag`         | int32                          | the frame's flag              |
//! | `rmq.delay.level`, `rmq.delay.ms`, `rmq.deliver.at` | a time | refused until delays exist |
//!
//! Values are UTF-8 text. A header given twice means its last value, as Kafka's `lastHeader` reads it. All other
//! `rmq.*` headers are data, so consuming and republishing is safe.
//! Not here: what becomes of the record's other headers (`record_properties`).

/// Every request header, and every header made from a native message, begins so.
pub const PREFIX: &str = "rmq.";

/// Tag.
pub const TAGS: &str = "rmq.tags";
/// Index keys.
pub const KEYS: &str = "rmq.keys";
/// Order key.
pub const SHARDING_KEY: &str = "rmq.sharding.key";
/// Unique id.
pub const MSG_ID: &str = "rmq.msg.id";
/// Application flag.
pub const FLAG: &str = "rmq.flag";
/// Delay level, 1 to 18.
pub const DELAY_LEVEL: &str = "rmq.delay.level";
/// Delay in milliseconds.
pub const DELAY_MS: &str = "rmq.delay.ms";
/// Delivery time, epoch milliseconds.
pub const DELIVER_AT: &str = "rmq.deliver.at";

/// What one record asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests<'a> {
    /// Value of [`TAGS`], not empty.
    pub tags: Option<&'a str>,
    /// Value of [`KEYS`], not empty.
    pub keys: Option<&'a str>,
    /// Value of [`SHARDING_KEY`], not empty.
    pub sharding_key: Option<&'a str>,
    /// Value of [`MSG_ID`], not empty.
    pub msg_id: Option<&'a str>,
    /// Value of [`FLAG`].
    pub flag: Option<i32>,
}

/// Why a request header is refused; its record makes the whole batch invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A delay was asked for, and must not be stored as an immediate message.
    #[error("header {header} asks for a delay, which this broker does not support yet; remove the header")]
    DelayUnsupported {
        /// Which header.
        header: &'static str,
    },
    /// Null or empty.
    #[error("header {header} has no value; give it one or remove it")]
    NoValue {
        /// Which header.
        header: &'static str,
    },
    /// Not UTF-8, or with the bytes 0x01 or 0x02, which separate properties.
    #[error("the value of header {header} must be UTF-8 text without the bytes 0x01 and 0x02")]
    NotText {
        /// Which header.
        header: &'static str,
    },
    /// Only blanks, where keys were expected.
    #[error("header {header} holds only blanks; give it at least one key or remove it")]
    Blank {
        /// Which header.
        header: &'static str,
    },
    /// No int32.
    #[error("the value of header {header} must be a decimal number from -2147483648 to 2147483647")]
    NotANumber {
        /// Which header.
        header: &'static str,
    },
}

impl<'a> Requests<'a> {
    /// Reads the requests among a record's headers (name, value); headers of other names are passed over.
    ///
    /// # Errors
    /// [`RequestError`] for the first request that cannot be honoured.
    pub fn read(
        headers: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<Requests<'a>, RequestError> {
        let mut requests = Requests::default();
        for (name, value) in headers {
            if name.starts_with(PREFIX.as_bytes()) {
                requests.take(name, value)?;
            }
        }
        Ok(requests)
    }

    fn take(&mut self, name: &[u8], value: Option<&'a [u8]>) -> Result<(), RequestError> {
        let Ok(name) = std::str::from_utf8(name) else { return Ok(()) };
        match name {
            TAGS => self.tags = Some(text(TAGS, value)?),
            KEYS => self.keys = Some(keys(value)?),
            SHARDING_KEY => self.sharding_key = Some(text(SHARDING_KEY, value)?),
            MSG_ID => self.msg_id = Some(text(MSG_ID, value)?),
            FLAG => self.flag = Some(number(FLAG, value)?),
            DELAY_LEVEL => return Err(RequestError::DelayUnsupported { header: DELAY_LEVEL }),
            DELAY_MS => return Err(RequestError::DelayUnsupported { header: DELAY_MS }),
            DELIVER_AT => return Err(RequestError::DelayUnsupported { header: DELIVER_AT }),
            _ => {}
        }
        Ok(())
    }
}

/// Names of the headers in the table above: they become system properties, never user properties.
#[must_use]
pub fn is_request(name: &[u8]) -> bool {
    const ALL: [&str; 8] = [TAGS, KEYS, SHARDING_KEY, MSG_ID, FLAG, DELAY_LEVEL, DELAY_MS, DELIVER_AT];
    name.starts_with(PREFIX.as_bytes()) && ALL.iter().any(|request| request.as_bytes() == name)
}

fn text<'a>(header: &'static str, value: Option<&'a [u8]>) -> Result<&'a str, RequestError> {
    let value = value.filter(|value| !value.is_empty()).ok_or(RequestError::NoValue { header })?;
    if value.iter().any(|b| matches!(b, 1 | 2)) {
        return Err(RequestError::NotText { header });
    }
    std::str::from_utf8(value).map_err(|_| RequestError::NotText { header })
}

fn keys(value: Option<&[u8]>) -> Result<&str, RequestError> {
    let keys = text(KEYS, value)?;
    if keys.trim().is_empty() { Err(RequestError::Blank { header: KEYS }) } else { Ok(keys) }
}

fn number(header: &'static str, value: Option<&[u8]>) -> Result<i32, RequestError> {
    text(header, value)?.trim().parse().map_err(|_| RequestError::NotANumber { header })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(headers: &[(&'a str, Option<&'a [u8]>)]) -> Result<Requests<'a>, RequestError> {
        Requests::read(headers.iter().map(|(name, value)| (name.as_bytes(), *value)))
    }

    #[test]
    fn reads_every_request() {
        let headers = [
            (TAGS, Some(&b"TagA"[..])),
            (KEYS, Some(b"k1 k2")),
            (SHARDING_KEY, Some(b"s")),
            (MSG_ID, Some(b"id")),
            (FLAG, Some(b"-7")),
            ("other", None),
            ("rmq.reconsume.times", Some(b"3")),
            ("rmq.", None),
        ];
        let expected = Requests {
            tags: Some("TagA"),
            keys: Some("k1 k2"),
            sharding_key: Some("s"),
            msg_id: Some("id"),
            flag: Some(-7),
        };
        assert_eq!(read(&headers), Ok(expected));
    }

    #[test]
    fn the_last_of_two_values_counts() {
        let requests = read(&[(TAGS, Some(b"old")), (TAGS, Some(b"new"))]).unwrap();
        assert_eq!(requests.tags, Some("new"));
    }

    #[test]
    fn a_delay_is_refused_by_name() {
        for header in [DELAY_LEVEL, DELAY_MS, DELIVER_AT] {
            let error = read(&[(header, Some(b"3"))]).unwrap_err();
            assert_eq!(error, RequestError::DelayUnsupported { header });
            assert!(error.to_string().contains(header));
        }
    }

    #[test]
    fn refuses_values_that_are_none() {
        assert_eq!(read(&[(TAGS, None)]), Err(RequestError::NoValue { header: TAGS }));
        assert_eq!(read(&[(TAGS, Some(b""))]), Err(RequestError::NoValue { header: TAGS }));
        assert_eq!(read(&[(MSG_ID, Some(b"\xff"))]), Err(RequestError::NotText { header: MSG_ID }));
        assert_eq!(read(&[(TAGS, Some(b"a\x01b"))]), Err(RequestError::NotText { header: TAGS }));
        assert_eq!(read(&[(KEYS, Some(b"  "))]), Err(RequestError::Blank { header: KEYS }));
        for number in [&b"x"[..], b"1.5", b"2147483648", b"\xe2\x98\x83"] {
            assert_eq!(read(&[(FLAG, Some(number))]), Err(RequestError::NotANumber { header: FLAG }));
        }
    }

    #[test]
    fn other_rmq_headers_are_data() {
        assert!(is_request(b"rmq.tags") && !is_request(b"rmq.user.x") && !is_request(b"tags"));
        assert_eq!(read(&[("rmq.user.delay", Some(b"\xff"))]), Ok(Requests::default()));
    }
}
