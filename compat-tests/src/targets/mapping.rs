//! One log, two dialects: the texts that carry what RocketMQ has no place for, and the properties made from Kafka
//! records, which have to give the record back and may never act as something the record did not ask for.

use gantry::mapping::address::RecordKey;
use gantry::mapping::carriers::{self, ProducerMark};
use gantry::mapping::record_properties::{Scratch, Source, implied_key, write, write_cut};
use gantry::mapping::request_headers::Requests;
use gantry::mapping::tag_bloom::TagBloom;
use gantry_protocols::kafka::batch::Batches;
use gantry_protocols::kafka::record::Record;
use gantry_store::format::frame::MAX_PROPERTIES_LEN;
use gantry_store::format::names;
use gantry_store::format::properties::{find, is_well_formed, properties};

use super::DECOMPRESSED_CAP;

/// Reads `input` as the text of each carrier, and as a record set whose records become native messages.
pub fn mapping(input: &[u8]) {
    carrier_texts(input);
    for batch in Batches::new(input).map_while(Result::ok) {
        let Ok(block) = batch.decompressed(DECOMPRESSED_CAP) else { return };
        for record in batch.records(&block).map_while(Result::ok) {
            native_message(&record);
        }
    }
}

fn carrier_texts(text: &[u8]) {
    let (mut scratch, mut raw, mut again, mut second) = Default::default();
    if let Some(key) = carriers::read_key(text, &mut scratch) {
        carriers::write_key(key, &mut again);
        assert_eq!(carriers::read_key(&again, &mut second), Some(key));
    }
    again = Vec::new();
    if let Some(headers) = carriers::read_headers(text, &mut scratch) {
        carriers::write_headers(headers, &mut raw, &mut again);
        assert_eq!(carriers::read_headers(&again, &mut second), Some(headers));
    }
    if let Some(mark) = ProducerMark::parse(text) {
        assert_eq!(ProducerMark::parse(mark.to_string().as_bytes()), Some(mark));
        let _ = mark.sequence();
    }
    let bloom = TagBloom::parse(text);
    assert_eq!(TagBloom::parse(&bloom.to_text()), bloom);
    if let Ok(text) = std::str::from_utf8(text)
        && let Some(key) = RecordKey::parse(text)
    {
        assert_eq!(key.to_string(), text);
    }
}

fn native_message(record: &Record<'_>) {
    let requests = Requests::read(record.headers).ok();
    let unique_key = requests.and_then(|requests| requests.msg_id);
    let source = Source { record, requests: requests.as_ref(), unique_key };
    let mut scratch = Scratch::default();
    let mut cut = Vec::new();
    write_cut(source, MAX_PROPERTIES_LEN, &mut scratch, &mut cut);
    assert!(cut.len() <= MAX_PROPERTIES_LEN, "{} bytes of properties", cut.len());
    let mut block = Vec::new();
    if write(source, MAX_PROPERTIES_LEN, &mut scratch, &mut block).is_err() {
        assert!(block.is_empty(), "a refused record left properties behind");
        return;
    }
    assert_eq!(cut, block);
    gives_the_record_back(record, &block);
    asks_for_nothing_else(&requests.unwrap_or_default(), &block);
}

/// A carrier decides, and where there is none the plain properties say it.
fn gives_the_record_back(record: &Record<'_>, block: &[u8]) {
    let mut scratch = Vec::new();
    let implied = implied_key(find(block, names::SHARDING_KEY), find(block, names::KEYS));
    let key = match find(block, names::KAFKA_KEY) {
        Some(text) => carriers::read_key(text, &mut scratch).expect("own carrier"),
        None => implied,
    };
    assert_eq!(key, record.key);
    assert_eq!(find(block, names::KAFKA_NULL).is_some(), record.value.is_none());
    let mut scratch = Vec::new();
    match find(block, names::KAFKA_HEADERS) {
        Some(text) => assert_eq!(carriers::read_headers(text, &mut scratch), Some(record.headers)),
        None => {
            let user = properties(block).map(|property| (property.name, Some(property.value)));
            let user = user.filter(|(name, _)| !std::str::from_utf8(name).is_ok_and(names::is_system_name));
            assert!(user.eq(record.headers), "headers without a carrier are not the user properties");
        }
    }
}

/// No header acts as a system property unless it is a request.
fn asks_for_nothing_else(requests: &Requests<'_>, block: &[u8]) {
    assert_eq!(find(block, names::TAGS), requests.tags.map(str::as_bytes));
    assert_eq!(find(block, names::UNIQ_KEY), requests.msg_id.map(str::as_bytes));
    assert_eq!(find(block, names::SHARDING_KEY), requests.sharding_key.map(str::as_bytes));
    for forbidden in [names::INNER_NUM, names::INNER_BASE, names::DELAY] {
        assert_eq!(find(block, forbidden), None, "{forbidden}");
    }
    assert!(is_well_formed(block), "a whole block counts as torn");
}
