//! One log, two dialects: how names, records and offsets of one look in the other.
//!
//! Pure values: bytes of Kafka batches ([`gantry_protocols`]) and of RocketMQ frames
//! ([`gantry_store::format`]) in and out; no store, no broker, no socket, no clock.

pub mod address;
pub mod batch_summary;
pub mod broker_properties;
pub mod carriers;
pub mod consumer_protocol;
pub mod decoded_cache;
pub mod explode;
pub mod frame_parts;
pub mod group_names;
pub mod header_list;
pub mod incoming;
pub mod incoming_error;
pub mod inner_batch;
pub mod log_append_time;
pub mod names;
pub mod native_record;
pub mod native_view;
pub mod pack;
pub mod producer_mark;
pub mod record_properties;
pub mod request_headers;
pub mod tag_bloom;
pub mod unwrap;
pub mod verbatim;
pub mod wire_batch;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
pub(crate) mod test_records;
