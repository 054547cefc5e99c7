//! A native message as a Kafka record: key, value, timestamp, headers.
//!
//! | record    | from, first that applies                                                                   |
//! |-----------|--------------------------------------------------------------------------------------------|
//! | key       | `__KK`; `__SHARDINGKEY`; `KEYS` if it is one token; null                                   |
//! | value     | null with `__KN` on an empty body; the body, decompressed; the stored bytes and header     |
//! |           | `rmq.body.encoding` where they do not decompress                                           |
//! | headers   | `__KH`; user properties in stored order, those beginning `rmq.` as `rmq.user.<name>`       |
//! | headers   | behind them, unless the frame was a Kafka record: `rmq.tags`, `rmq.keys` ...               |
//!
//! A frame with `__KP` was a Kafka record, so it gets no header it did not have. Bytes that do not decompress
//! are delivered as they are: a faulty producer must not stop every Kafka reader of the queue.
//! Not here: batches around the record (`pack`).

use gantry_protocols::compression::{Format, decompress};
use gantry_protocols::kafka::record::Headers;
use gantry_store::format::names;
use gantry_store::format::properties::{Property, properties};
use gantry_store::format::sysflag::{self, SysFlag};

use super::carriers::{self, ProducerMark};
use super::header_list::HeaderList;
use super::record_properties::{USER_PREFIX, implied_key};
use super::request_headers;
use super::tag_bloom;

/// Which system properties Kafka readers get as headers (`kafka.native.headers`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NativeHeaders {
    /// None.
    None,
    /// Those a reader may act on.
    #[default]
    Basic,
    /// Those, born host, store time, and every other one as `rmq.prop.<NAME>`.
    Full,
}

/// One native message, from a frame or from an item of an inner batch.
#[derive(Clone, Copy, Debug)]
pub struct NativeMessage<'a> {
    /// The body as stored.
    pub body: &'a [u8],
    /// The properties block.
    pub properties: &'a [u8],
    /// The application's flag.
    pub flag: i32,
    /// sysFlag.
    pub sys_flag: SysFlag,
    /// Redeliveries.
    pub reconsume_times: i32,
    /// What `Full` shows besides: born host and storeTimestamp.
    pub origin: Option<(gantry_store::format::host::HostAddr, i64)>,
}

/// What the properties say of the record, in one pass.
#[derive(Clone, Copy, Debug, Default)]
struct Found<'a> {
    carried_key: Option<&'a [u8]>,
    carried_headers: Option<&'a [u8]>,
    null_value: bool,
    mark: Option<ProducerMark>,
    sharding_key: Option<&'a [u8]>,
    keys: Option<&'a [u8]>,
    tags: Option<&'a [u8]>,
    unique_key: Option<&'a [u8]>,
    retry_topic: Option<&'a [u8]>,
    origin_id: Option<&'a [u8]>,
    dlq_topic: Option<&'a [u8]>,
    dlq_id: Option<&'a [u8]>,
    transaction_id: Option<&'a [u8]>,
    buyer_id: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    fn in_block(block: &'a [u8]) -> Found<'a> {
        properties(block).fold(Found::default(), |mut found, property| {
            found.take(property);
            found
        })
    }

    /// The last property of a name counts.
    fn take(&mut self, property: Property<'a>) {
        let slot = match std::str::from_utf8(property.name).unwrap_or_default() {
            names::KAFKA_KEY => &mut self.carried_key,
            names::KAFKA_HEADERS => &mut self.carried_headers,
            names::SHARDING_KEY => &mut self.sharding_key,
            names::KEYS => &mut self.keys,
            names::TAGS => &mut self.tags,
            names::UNIQ_KEY => &mut self.unique_key,
            names::RETRY_TOPIC => &mut self.retry_topic,
            names::ORIGIN_MESSAGE_ID => &mut self.origin_id,
            names::DLQ_ORIGIN_TOPIC => &mut self.dlq_topic,
            names::DLQ_ORIGIN_MESSAGE_ID => &mut self.dlq_id,
            names::TRANSACTION_ID => &mut self.transaction_id,
            names::BUYER_ID => &mut self.buyer_id,
            names::KAFKA_NULL => return self.null_value = true,
            names::KAFKA_PRODUCER => return self.mark = ProducerMark::parse(property.value),
            _ => return,
        };
        *slot = Some(property.value);
    }
}

/// Buffers and result of one conversion; used again for every message.
#[derive(Debug, Default)]
pub struct RecordScratch {
    key: Vec<u8>,
    body: Vec<u8>,
    carried: Vec<u8>,
    headers: HeaderList,
}

/// The record of a native message; borrows message and scratch.
#[derive(Clone, Copy, Debug)]
pub struct KafkaRecord<'a> {
    /// `None` is null.
    pub key: Option<&'a [u8]>,
    /// `None` is null.
    pub value: Option<&'a [u8]>,
    /// Name and value, in order.
    pub headers: &'a HeaderList,
    /// The Kafka batch this was a record of.
    pub mark: Option<ProducerMark>,
}

/// Converts one message; a body of more than `body_max` bytes after decompression counts as not decompressible.
pub fn convert<'a>(
    message: &NativeMessage<'a>,
    level: NativeHeaders,
    body_max: usize,
    scratch: &'a mut RecordScratch,
) -> KafkaRecord<'a> {
    let found = Found::in_block(message.properties);
    let RecordScratch { key, body, carried, headers } = scratch;
    let implied = || implied_key(found.sharding_key, found.keys);
    let key = found.carried_key.and_then(|text| carriers::read_key(text, key)).unwrap_or_else(implied);
    headers.clear();
    let (value, encoding) = value_of(message, &found, body_max, body);
    match found.carried_headers.and_then(|text| carriers::read_headers(text, carried)) {
        Some(carried) => put_carried(carried, headers),
        None => put_user_properties(message.properties, headers),
    }
    if let Some(encoding) = encoding {
        headers.put_new("rmq.body.encoding", encoding.as_bytes());
    }
    if found.mark.is_none() && level != NativeHeaders::None {
        put_system(message, &found, key, headers);
        if level == NativeHeaders::Full {
            put_full(message, headers);
        }
    }
    KafkaRecord { key, value, headers, mark: found.mark }
}

/// The value, and the name of the encoding it is still in.
fn value_of<'a>(
    message: &NativeMessage<'a>,
    found: &Found<'_>,
    max: usize,
    out: &'a mut Vec<u8>,
) -> (Option<&'a [u8]>, Option<&'static str>) {
    if message.body.is_empty() {
        return (if found.null_value { None } else { Some(&[]) }, None);
    }
    if !message.sys_flag.has(sysflag::COMPRESSED) {
        return (Some(message.body), None);
    }
    let (format, name) = match message.sys_flag.0 & sysflag::COMPRESSION_MASK {
        0 | sysflag::COMPRESSION_ZLIB => (Some(Format::Zlib), "zlib"),
        sysflag::COMPRESSION_LZ4 => (Some(Format::Lz4), "lz4"),
        sysflag::COMPRESSION_ZSTD => (Some(Format::Zstd), "zstd"),
        _ => (None, "unknown"),
    };
    out.clear();
    match format.map(|format| decompress(format, message.body, max, out)) {
        Some(Ok(())) => (Some(out), None),
        _ => (Some(message.body), Some(name)),
    }
}

fn put_carried(carried: Headers<'_>, headers: &mut HeaderList) {
    carried.iter().for_each(|(name, value)| headers.push("", name, value));
}

fn put_user_properties(block: &[u8], headers: &mut HeaderList) {
    for Property { name, value } in properties(block) {
        if std::str::from_utf8(name).is_ok_and(names::is_system_name) {
            continue;
        }
        let reserved = name.starts_with(request_headers::PREFIX.as_bytes());
        headers.replace(if reserved { USER_PREFIX } else { "" }, name, value);
    }
}

/// Headers a carried block already has are not given again.
fn put_system(message: &NativeMessage<'_>, found: &Found<'_>, key: Option<&[u8]>, headers: &mut HeaderList) {
    let mut text = |name: &str, value: Option<&[u8]>| {
        if let Some(value) = value {
            headers.put_new(name, value);
        }
    };
    text(request_headers::TAGS, found.tags);
    // A key that is the order key says nothing of the index keys, even where they are equal.
    let said = |keys: &[u8]| Some(keys) == key && key != found.sharding_key;
    text(request_headers::KEYS, found.keys.filter(|keys| !said(keys)));
    text(request_headers::SHARDING_KEY, found.sharding_key);
    text(request_headers::MSG_ID, found.unique_key);
    text("rmq.origin.topic", found.dlq_topic.or(found.retry_topic));
    text("rmq.origin.msg.id", found.dlq_id.or(found.origin_id));
    text("rmq.transaction.id", found.transaction_id);
    text("rmq.buyer.id", found.buyer_id);
    if message.flag != 0 {
        headers.put_number(request_headers::FLAG, i64::from(message.flag));
    }
    if message.reconsume_times > 0 {
        headers.put_number("rmq.reconsume.times", i64::from(message.reconsume_times));
    }
}

fn put_full(message: &NativeMessage<'_>, headers: &mut HeaderList) {
    const SHOWN: [&str; 18] = [
        names::TAGS,
        names::KEYS,
        names::SHARDING_KEY,
        names::UNIQ_KEY,
        names::RETRY_TOPIC,
        names::ORIGIN_MESSAGE_ID,
        names::DLQ_ORIGIN_TOPIC,
        names::DLQ_ORIGIN_MESSAGE_ID,
        names::TRANSACTION_ID,
        names::BUYER_ID,
        names::KAFKA_KEY,
        names::KAFKA_HEADERS,
        names::KAFKA_HEADERS_CUT,
        names::KAFKA_NULL,
        names::KAFKA_PRODUCER,
        names::KAFKA_CONTROL,
        tag_bloom::PROPERTY,
        names::CRC32,
    ];
    if let Some((born_host, store_timestamp)) = message.origin {
        headers.put_new("rmq.born.host", born_host.to_string().as_bytes());
        headers.put_number("rmq.store.time", store_timestamp);
    }
    for Property { name, value } in properties(message.properties) {
        let hidden =
            std::str::from_utf8(name).is_ok_and(|name| names::is_system_name(name) && !SHOWN.contains(&name));
        if hidden {
            headers.replace("rmq.prop.", name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gantry_protocols::compression::compress;

    type Headers = Vec<(String, Option<String>)>;

    fn message<'a>(body: &'a [u8], properties: &'a str, sys_flag: i32) -> NativeMessage<'a> {
        NativeMessage {
            body,
            properties: properties.as_bytes(),
            flag: 0,
            sys_flag: SysFlag(sys_flag),
            reconsume_times: 0,
            origin: None,
        }
    }

    fn read(message: &NativeMessage<'_>, level: NativeHeaders) -> (Option<String>, Option<Vec<u8>>, Headers) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut scratch = RecordScratch::default();
        let record = convert(message, level, 1000, &mut scratch);
        let headers = record.headers.iter().map(|(n, v)| (text(n), v.map(text))).collect();
        (record.key.map(text), record.value.map(<[u8]>::to_vec), headers)
    }

    fn check(properties: &str, key: Option<&str>, headers: &[(&str, &str)]) {
        let expected: Headers =
            headers.iter().map(|(n, v)| ((*n).to_owned(), Some((*v).to_owned()))).collect();
        let (found, _, list) = read(&message(b"v", properties, 0), NativeHeaders::Basic);
        assert_eq!((found.as_deref(), list), (key, expected), "{properties:?}");
    }

    #[test]
    fn the_key_is_the_first_that_applies() {
        check("", None, &[]);
        check("KEYS\x01k\x02", Some("k"), &[]);
        check("KEYS\x01a b\x02", None, &[("rmq.keys", "a b")]);
        check("KEYS\x01a b\x02__KK\x01aw==\x02", Some("k"), &[("rmq.keys", "a b")]);
        check(
            "KEYS\x01k\x02__SHARDINGKEY\x01s\x02",
            Some("s"),
            &[("rmq.keys", "k"), ("rmq.sharding.key", "s")],
        );
        check("KEYS\x01k\x02__KK\x01!\x02", None, &[("rmq.keys", "k")]);
        check("KEYS\x01k\x02__KK\x01not base64\x02", Some("k"), &[]);
    }

    #[test]
    fn user_properties_keep_their_order_and_the_last_value_counts() {
        check("b\x011\x02a\x012\x02b\x013\x02", None, &[("b", "3"), ("a", "2")]);
        check(
            "rmq.tags\x01x\x02kafka.h.DELAY\x013\x02",
            None,
            &[("rmq.user.rmq.tags", "x"), ("kafka.h.DELAY", "3")],
        );
    }

    #[test]
    fn system_properties_a_reader_may_act_on_are_headers() {
        let block = "TAGS\x01T\x02UNIQ_KEY\x01id\x02RETRY_TOPIC\x01orig\x02ORIGIN_MESSAGE_ID\x01oid\x02BUYER_ID\x01b\x02\
            __transactionId__\x01tx\x02DELAY\x013\x02REAL_TOPIC\x01r\x02WAIT\x01true\x02TRACE_ON\x01true\x02CLUSTER\x01c\x02";
        let expected = [
            ("rmq.tags", "T"),
            ("rmq.msg.id", "id"),
            ("rmq.origin.topic", "orig"),
            ("rmq.origin.msg.id", "oid"),
            ("rmq.transaction.id", "tx"),
            ("rmq.buyer.id", "b"),
        ];
        check(block, None, &expected);
        let dead = "RETRY_TOPIC\x01r\x02DLQ_ORIGIN_TOPIC\x01o\x02DLQ_ORIGIN_MESSAGE_ID\x01i\x02";
        check(dead, None, &[("rmq.origin.topic", "o"), ("rmq.origin.msg.id", "i")]);
    }

    #[test]
    fn flag_and_redeliveries_are_headers_unless_zero() {
        let retried = NativeMessage { flag: -4, reconsume_times: 2, ..message(b"v", "", 0) };
        let (_, _, headers) = read(&retried, NativeHeaders::Basic);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers[1], ("rmq.reconsume.times".to_owned(), Some("2".to_owned())));
        assert!(read(&retried, NativeHeaders::None).2.is_empty());
    }

    #[test]
    fn full_shows_what_basic_hides() {
        let (_, _, headers) =
            read(&message(b"v", "DELAY\x013\x02TAGS\x01T\x02__KN\x011\x02", 0), NativeHeaders::Full);
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["rmq.tags", "rmq.prop.DELAY"]);
    }

    #[test]
    fn a_record_of_kafka_gets_no_header_it_did_not_have() {
        check("KEYS\x01a b\x02TAGS\x01T\x02__KP\x011.0.0.1.0.0\x02x\x011\x02", None, &[("x", "1")]);
    }

    #[test]
    fn an_empty_body_is_null_only_when_marked() {
        assert_eq!(read(&message(b"", "__KN\x011\x02", 0), NativeHeaders::Basic).1, None);
        assert_eq!(read(&message(b"", "", 0), NativeHeaders::Basic).1, Some(Vec::new()));
        assert_eq!(read(&message(b"v", "__KN\x011\x02", 0), NativeHeaders::Basic).1, Some(b"v".to_vec()));
    }

    #[test]
    fn compressed_bodies_are_decompressed_or_named() {
        for (flag, format) in
            [(1, Format::Zlib), (0x301, Format::Zlib), (0x101, Format::Lz4), (0x201, Format::Zstd)]
        {
            let mut body = Vec::new();
            compress(format, b"plain", &mut body).unwrap();
            assert_eq!(
                read(&message(&body, "", flag), NativeHeaders::Basic),
                (None, Some(b"plain".to_vec()), Vec::new())
            );
        }
        for (flag, name) in [(1, "zlib"), (0x101, "lz4"), (0x201, "zstd"), (0x401, "unknown")] {
            let (_, value, headers) = read(&message(b"junk", "", flag), NativeHeaders::None);
            let encoding = ("rmq.body.encoding".to_owned(), Some(name.to_owned()));
            assert_eq!((value, headers), (Some(b"junk".to_vec()), vec![encoding]));
        }
        let mut bomb = Vec::new();
        compress(Format::Zstd, &[0; 100_000], &mut bomb).unwrap();
        assert_eq!(read(&message(&bomb, "", 0x201), NativeHeaders::Basic).1, Some(bomb.clone()));
    }
}
