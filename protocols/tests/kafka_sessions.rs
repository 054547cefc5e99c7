//! Recorded sessions of the Java client with a Kafka broker: every request passes header, guard and decoder, every
//! fetch response is written back byte for byte, every produced batch is one a client may write.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod kafka_golden;
mod kafka_requests;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use gantry_protocols::kafka::batch::{BatchView, Batches};
use gantry_protocols::kafka::codec::decode_request;
use gantry_protocols::kafka::error_code::ErrorCode;
use gantry_protocols::kafka::fetch_response::*;
use gantry_protocols::kafka::frame::{self, RequestHeader};
use gantry_protocols::kafka::guard;
use gantry_protocols::kafka::record::check_dense;
use kafka_protocol::messages::fetch_response as theirs;
use kafka_protocol::messages::{FetchResponse as CrateFetchResponse, ProduceRequest};
use kafka_protocol::protocol::Decodable;
use kafka_requests::{Again, decode_again};
use serde_json::Value;

const CAP: usize = 1 << 20;

/// Frames of all sessions that go in `direction`, with the session's name.
fn frames(direction: &str) -> Vec<(String, Value)> {
    let mut files: Vec<_> =
        std::fs::read_dir(kafka_golden::path("sessions")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    assert_eq!(files.len(), 15);
    let mut frames = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let lines: Vec<Value> =
            kafka_golden::text(&file).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        frames.extend(
            lines.into_iter().filter(|line| line["dir"] == direction).map(|line| (name.clone(), line)),
        );
    }
    frames
}

fn wire(line: &Value) -> BytesMut {
    BytesMut::from(&STANDARD.decode(line["frame"].as_str().unwrap()).unwrap()[..])
}

fn request(line: &Value) -> (RequestHeader, Bytes) {
    let mut input = wire(line);
    let frame = frame::split_frame(&mut input, guard::PRODUCE_FRAME_LIMIT).unwrap().unwrap();
    assert!(input.is_empty());
    RequestHeader::decode(&frame).unwrap()
}

#[test]
fn every_request_passes_header_guard_and_decoder() {
    let mut seen = BTreeMap::new();
    for (file, line) in frames("c2s") {
        let (header, body) = request(&line);
        assert_eq!(i64::from(header.api_key), line["apiKey"].as_i64().unwrap(), "{file}");
        assert_eq!(i64::from(header.api_version), line["apiVersion"].as_i64().unwrap(), "{file}");
        assert_eq!(i64::from(header.correlation_id), line["correlationId"].as_i64().unwrap(), "{file}");
        assert_eq!(header.client_id.as_deref(), line["clientId"].as_str(), "{file}");
        assert_eq!(guard::api_name(header.api_key), line["api"].as_str(), "{file}");
        let (_, highest) = guard::measured_versions(header.api_key).unwrap();
        *seen.entry(header.api_key).or_insert(0) += 1;
        assert!(header.api_version <= highest, "{file} {:?}", line["api"]);
        assert_eq!(guard::check_body(header.api_key, header.api_version, &body), Ok(()), "{file} {line}");
        let again = decode_again(header.api_key, header.api_version, body.clone());
        assert_eq!(again, Some(Again { left: 0, body }), "{file} {line}");
    }
    assert_eq!(seen.values().sum::<i32>(), 241);
    assert_eq!(seen.len(), 35);
}

#[test]
fn response_headers_are_as_long_as_we_say() {
    for (file, line) in frames("s2c") {
        let key = line["apiKey"].as_i64().unwrap() as i16;
        let version = line["apiVersion"].as_i64().unwrap() as i16;
        let sent = wire(&line);
        let mut head = BytesMut::new();
        let header_version = frame::response_header_version(key, version).unwrap();
        let start =
            frame::start_response(&mut head, header_version, line["correlationId"].as_i64().unwrap() as i32);
        let beside = sent.len() - head.len();
        frame::finish_response(&mut head, start, beside).unwrap();
        assert_eq!(head, sent[..head.len()], "{file} {}", line["n"]);
    }
}

#[test]
fn every_produced_batch_is_one_a_client_may_write() {
    let mut batches = 0;
    for (file, line) in frames("c2s").into_iter().filter(|(_, line)| line["api"] == "Produce") {
        let (header, body) = request(&line);
        let request: ProduceRequest = decode_request(header.api_version, body).unwrap();
        for partition in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            let batch = BatchView::only(partition.records.as_deref().unwrap()).unwrap();
            assert_eq!(batch.validate_for_produce(), Ok(()), "{file}");
            let block = batch.decompressed(CAP).unwrap();
            assert_eq!(check_dense(&block, batch.count() as u32), Ok(()), "{file}");
            batches += 1;
        }
    }
    assert!(batches >= 10, "{batches} batches");
}

/// Our value of what the broker sent; texts borrow from `theirs`.
fn ours(theirs: &CrateFetchResponse) -> FetchResponse<'_> {
    let topics = theirs.responses.iter().map(|topic| FetchedTopic {
        name: topic.topic.as_str(),
        topic_id: topic.topic_id.into_bytes(),
        partitions: topic.partitions.iter().map(our_partition).collect(),
    });
    let endpoints = theirs.node_endpoints.iter().map(|endpoint| NodeEndpoint {
        node_id: endpoint.node_id.0,
        host: &endpoint.host,
        port: endpoint.port,
        rack: endpoint.rack.as_deref(),
    });
    FetchResponse {
        throttle_time_ms: theirs.throttle_time_ms,
        error_code: ErrorCode(theirs.error_code),
        session_id: theirs.session_id,
        topics: topics.collect(),
        node_endpoints: endpoints.collect(),
    }
}

fn our_partition(data: &theirs::PartitionData) -> FetchedPartition {
    let aborted = |transaction: &theirs::AbortedTransaction| AbortedTransaction {
        producer_id: transaction.producer_id.0,
        first_offset: transaction.first_offset,
    };
    assert_eq!(data.diverging_epoch, theirs::EpochEndOffset::default());
    FetchedPartition {
        error_code: ErrorCode(data.error_code),
        high_watermark: data.high_watermark,
        last_stable_offset: data.last_stable_offset,
        log_start_offset: data.log_start_offset,
        aborted_transactions: data
            .aborted_transactions
            .as_ref()
            .map(|list| list.iter().map(aborted).collect()),
        preferred_read_replica: data.preferred_read_replica.0,
        records: data.records.clone().into_iter().collect(),
        ..FetchedPartition::new(data.partition_index)
    }
}

#[test]
fn fetch_responses_of_the_broker_are_written_back_byte_for_byte() {
    let (mut written, mut aborted, mut batches) = (0, 0, 0);
    for (file, line) in frames("s2c").into_iter().filter(|(_, line)| line["api"] == "Fetch") {
        // The recorded broker speaks 18, which differs from 17 in the request only.
        let version = (line["apiVersion"].as_i64().unwrap() as i16).min(MAX_VERSION);
        let sent = wire(&line).freeze();
        let mut body = sent.slice(9..);
        let theirs = CrateFetchResponse::decode(&mut body, version).unwrap();
        assert_eq!(body.remaining(), 0, "{file}");
        let ours = ours(&theirs);
        let mut segments = Vec::new();
        ours.encode(version, line["correlationId"].as_i64().unwrap() as i32, &mut segments).unwrap();
        assert_eq!(segments.concat(), sent, "{file} {}", line["n"]);
        written += 1;
        for partition in ours.topics.iter().flat_map(|topic| &topic.partitions) {
            aborted += partition.aborted_transactions.as_ref().map_or(0, Vec::len);
            for batch in partition.records.iter().flat_map(|set| Batches::new(set)) {
                batch.unwrap().check_crc().unwrap();
                batches += 1;
            }
        }
    }
    assert!(
        written > 30 && aborted > 0 && batches > 10,
        "{written} responses, {aborted} aborted, {batches} batches"
    );
}
