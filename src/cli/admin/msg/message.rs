//! A message as commands show it: its place, its body, and what each dialect says of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gantry_protocols::compression::{Format, decompress};
use gantry_protocols::kafka::batch::BatchView;
use gantry_protocols::kafka::record::Record;
use gantry_store::format::properties::properties;
use gantry_store::format::{FrameView, message_id, sysflag};
use serde_json::{Map, Value, json};

use crate::cli::output::{Answer, Section};
use crate::cli::time;
use crate::limits;

/// A message or record.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) queue: i32,
    pub(super) offset: i64,
    /// `None`: a Kafka record without value.
    pub(super) body: Option<Vec<u8>>,
    pub(super) native: Option<Native>,
    pub(super) kafka: Option<Kafka>,
}

/// What RocketMQ says of a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Native {
    pub(super) offset_id: String,
    pub(super) born_timestamp: i64,
    pub(super) store_timestamp: i64,
    pub(super) born_host: String,
    pub(super) store_host: String,
    pub(super) flag: i32,
    pub(super) sys_flag: i32,
    pub(super) reconsume_times: i32,
    pub(super) commit_offset: i64,
    pub(super) properties: Vec<(String, String)>,
}

/// What Kafka says of a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Kafka {
    pub(super) topic: String,
    pub(super) timestamp: i64,
    pub(super) is_log_append_time: bool,
    pub(super) key: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(super) leader_epoch: i32,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) sequence: i32,
}

impl Native {
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The id that the sender gave it; without one the id of its place.
    pub(super) fn id(&self) -> &str {
        self.property("UNIQ_KEY").unwrap_or(&self.offset_id)
    }
}

impl Message {
    /// A frame of an answer. A body that does not decompress stays as it is.
    pub(super) fn of_frame(frame: &FrameView<'_>) -> Message {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = properties(frame.properties()).map(|one| (text(one.name), text(one.value)));
        Message {
            topic: text(frame.topic_bytes()),
            queue: frame.queue_id(),
            offset: frame.queue_offset().0,
            body: Some(plain_body(frame)),
            native: Some(Native {
                offset_id: message_id::encode(frame.store_host(), frame.commit_offset()),
                born_timestamp: frame.born_timestamp(),
                store_timestamp: frame.store_timestamp(),
                born_host: frame.born_host().to_string(),
                store_host: frame.store_host().to_string(),
                flag: frame.flag(),
                sys_flag: frame.sys_flag().0,
                reconsume_times: frame.reconsume_times(),
                commit_offset: frame.commit_offset().0,
                properties: all.collect(),
            }),
            kafka: None,
        }
    }

    /// A record of a batch.
    pub(super) fn of_record(
        topic: &str,
        partition: i32,
        batch: &BatchView<'_>,
        record: &Record<'_>,
    ) -> Message {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = record.headers.iter().map(|(key, value)| (name(key), value.map(<[u8]>::to_vec)));
        let stamped = batch.timestamp(record.timestamp_delta);
        Message {
            topic: topic.to_owned(),
            queue: partition,
            offset: batch.base_offset() + i64::from(record.offset_delta),
            body: record.value.map(<[u8]>::to_vec),
            native: None,
            kafka: Some(Kafka {
                topic: topic.to_owned(),
                timestamp: stamped,
                is_log_append_time: batch.is_log_append_time(),
                key: record.key.map(<[u8]>::to_vec),
                headers: headers.collect(),
                leader_epoch: batch.leader_epoch(),
                producer_id: batch.producer_id(),
                producer_epoch: batch.producer_epoch(),
                sequence: if batch.producer_id() < 0 { -1 } else { batch.sequence(record.offset_delta) },
            }),
        }
    }

    /// Keys of a native message, the key of a record.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        let keys = || self.native.as_ref()?.property("KEYS").map(|keys| keys.as_bytes().to_vec());
        keys().or_else(|| self.kafka.as_ref()?.key.clone())
    }

    pub(super) fn tag(&self) -> Option<String> {
        let tag = || self.native.as_ref()?.property("TAGS").map(str::to_owned);
        tag().or_else(|| {
            let headers = &self.kafka.as_ref()?.headers;
            let (_, value) = headers.iter().rev().find(|(name, _)| name == "rmq.tags")?;
            Some(String::from_utf8_lossy(value.as_deref()?).into_owned())
        })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.native.as_ref().map(Native::id)
    }

    /// When it was made, as its sender says; milliseconds since 1970.
    pub(super) fn timestamp(&self) -> i64 {
        let native = self.native.as_ref().map(|native| native.born_timestamp);
        native.or(self.kafka.as_ref().map(|kafka| kafka.timestamp)).unwrap_or(-1)
    }

    /// Properties of a native message, headers of a record.
    pub(super) fn headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        if let Some(native) = &self.native {
            return native
                .properties
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.as_bytes().to_vec())))
                .collect();
        }
        self.kafka.as_ref().map(|kafka| kafka.headers.clone()).unwrap_or_default()
    }

    /// Everything, for programs.
    pub(super) fn to_json(&self) -> Value {
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
        put("topic", json!(self.topic));
        put("queue", json!(self.queue));
        put("offset", json!(self.offset));
        put("timestamp", json!(self.timestamp()));
        put("id", json!(self.id()));
        put("tag", json!(self.tag()));
        put_bytes(&mut all, "key", self.key().as_deref());
        put_bytes(&mut all, "value", self.body.as_deref());
        all.insert("native".to_owned(), self.native.as_ref().map_or(Value::Null, native_json));
        let kafka = |kafka: &Kafka| kafka_json(kafka, self.queue, self.offset);
        all.insert("kafka".to_owned(), self.kafka.as_ref().map_or(Value::Null, kafka));
        Value::Object(all)
    }
}

fn native_json(native: &Native) -> Value {
    let properties: Map<String, Value> =
        native.properties.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "msgId": native.id(),
        "offsetMsgId": native.offset_id,
        "bornTimestamp": native.born_timestamp,
        "bornHost": native.born_host,
        "storeTimestamp": native.store_timestamp,
        "storeHost": native.store_host,
        "commitLogOffset": native.commit_offset,
        "flag": native.flag,
        "sysFlag": native.sys_flag,
        "reconsumeTimes": native.reconsume_times,
        "properties": properties,
    })
}

fn kafka_json(kafka: &Kafka, partition: i32, offset: i64) -> Value {
    let header = |(name, value): &(String, Option<Vec<u8>>)| {
        let mut one = Map::from_iter([("name".to_owned(), json!(name))]);
        put_bytes(&mut one, "value", value.as_deref());
        Value::Object(one)
    };
    let mut all = Map::new();
    all.insert("topic".to_owned(), json!(kafka.topic));
    all.insert("partition".to_owned(), json!(partition));
    all.insert("offset".to_owned(), json!(offset));
    all.insert("timestamp".to_owned(), json!(kafka.timestamp));
    let kind = if kafka.is_log_append_time { "LogAppendTime" } else { "CreateTime" };
    all.insert("timestampType".to_owned(), json!(kind));
    put_bytes(&mut all, "key", kafka.key.as_deref());
    all.insert("headers".to_owned(), kafka.headers.iter().map(header).collect());
    all.insert("leaderEpoch".to_owned(), json!(kafka.leader_epoch));
    all.insert("producerId".to_owned(), json!(kafka.producer_id));
    all.insert("producerEpoch".to_owned(), json!(kafka.producer_epoch));
    all.insert("sequence".to_owned(), json!(kafka.sequence));
    Value::Object(all)
}

/// Text as it is; what is no UTF-8 in base64, and a member `NAMEEncoding` that says so.
fn put_bytes(into: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => drop(into.insert(name.to_owned(), Value::Null)),
        Some(Ok(text)) => drop(into.insert(name.to_owned(), json!(text))),
        Some(Err(_)) => {
            into.insert(name.to_owned(), json!(STANDARD.encode(bytes.unwrap_or_default())));
            into.insert(format!("{name}Encoding"), json!("base64"));
        }
    }
}

fn plain_body(frame: &FrameView<'_>) -> Vec<u8> {
    let flag = frame.sys_flag();
    if !flag.has(sysflag::COMPRESSED) {
        return frame.body().to_vec();
    }
    let format = match flag.0 & sysflag::COMPRESSION_MASK {
        0 | sysflag::COMPRESSION_ZLIB => Some(Format::Zlib),
        sysflag::COMPRESSION_LZ4 => Some(Format::Lz4),
        sysflag::COMPRESSION_ZSTD => Some(Format::Zstd),
        _ => None,
    };
    let mut plain = Vec::new();
    match format.map(|format| decompress(format, frame.body(), limits::DECOMPRESSED_SIZE, &mut plain)) {
        Some(Ok(())) => plain,
        _ => frame.body().to_vec(),
    }
}

impl serde::Serialize for Message {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Answer for Message {
    fn sections(&self, _wide: bool) -> Vec<Section> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut facts = vec![
            ("Topic", self.topic.clone()),
            ("Queue", self.queue.to_string()),
            ("Offset", self.offset.to_string()),
            ("Time", time::shown(self.timestamp())),
            ("Key", self.key().as_deref().map(lossy).unwrap_or_default()),
            ("Tag", self.tag().unwrap_or_default()),
        ];
        if let Some(native) = &self.native {
            facts.extend([
                ("Message id", native.id().to_owned()),
                ("Offset id", native.offset_id.clone()),
                ("Stored", time::shown(native.store_timestamp)),
                ("Stored at", native.store_host.clone()),
                ("Born at", native.born_host.clone()),
                ("Redelivered", native.reconsume_times.to_string()),
            ]);
        }
        for (name, value) in self.headers() {
            let value = value.as_deref().map_or_else(|| "null".to_owned(), lossy);
            facts.push(("Property", format!("{name}={value}")));
        }
        if let Some(kafka) = self.kafka.as_ref().filter(|_| self.native.is_some()) {
            facts.push(("Kafka topic", kafka.topic.clone()));
            facts.push(("Kafka key", kafka.key.as_deref().map_or_else(|| "null".to_owned(), lossy)));
            for (name, value) in &kafka.headers {
                let value = value.as_deref().map_or_else(|| "null".to_owned(), lossy);
                facts.push(("Kafka header", format!("{name}={value}")));
            }
        }
        facts.push(("Value", self.body.as_deref().map_or_else(|| "null".to_owned(), lossy)));
        vec![Section::Facts(facts)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_marked_as_base64() {
        let message = Message { body: Some(vec![0xff]), ..Message::default() };
        let json = message.to_json();
        assert_eq!((&json["value"], &json["valueEncoding"]), (&json!("/w=="), &json!("base64")));
        let message = Message { body: Some(b"x".to_vec()), ..Message::default() };
        let json = message.to_json();
        assert_eq!((&json["value"], json.get("valueEncoding")), (&json!("x"), None));
    }

    #[test]
    fn a_missing_value_is_not_an_empty_one() {
        assert_eq!(Message::default().to_json()["value"], Value::Null);
        assert_eq!(Message { body: Some(Vec::new()), ..Message::default() }.to_json()["value"], json!(""));
    }
}
