//! A frame as `expected.json` of a golden store describes it: the one description for all tests that compare frames.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gantry_store::format::frame::MAGIC_V1;
use gantry_store::format::properties::properties;
use gantry_store::format::{FrameView, HostAddr, message_id};
use serde_json::{Value, json};

/// As Java prints a host: IPv6 without `::`.
fn host(host: HostAddr) -> String {
    match host.ip {
        IpAddr::V4(ip) => format!("{ip}:{}", host.port),
        IpAddr::V6(ip) => {
            let groups: Vec<String> = ip.segments().iter().map(|group| format!("{group:x}")).collect();
            format!("[{}]:{}", groups.join(":"), host.port)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fields under the names of expected.json; a long body is compared by its checksum.
pub(crate) fn described(frame: &FrameView<'_>) -> Value {
    let pairs: BTreeMap<String, String> = properties(frame.properties())
        .map(|property| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(property.name), text(property.value))
        })
        .collect();
    let mut value = json!({
        "physicalOffset": frame.commit_offset().0,
        "storeSize": frame.total_size(),
        "magic": if frame.magic() == MAGIC_V1 { "V1" } else { "V2" },
        "topic": frame.topic().unwrap(),
        "queueId": frame.queue_id(),
        "queueOffset": frame.queue_offset().0,
        "bodyCRC": frame.body_crc(),
        "flag": frame.flag(),
        "sysFlag": frame.sys_flag().0,
        "bornTimestamp": frame.born_timestamp(),
        "bornHost": host(frame.born_host()),
        "storeTimestamp": frame.store_timestamp(),
        "storeHost": host(frame.store_host()),
        "reconsumeTimes": frame.reconsume_times(),
        "preparedTransactionOffset": frame.prepared_transaction_offset(),
        "offsetMsgId": message_id::encode(frame.store_host(), frame.commit_offset()),
        "bodyLength": frame.body().len(),
        "properties": pairs,
    });
    if frame.body().len() <= 64 {
        value["bodyHex"] = hex(frame.body()).into();
    }
    value
}

/// What expected.json says about a frame, less the fields that are not the frame's.
pub(crate) fn wanted(expected: &Value) -> Value {
    let mut expected = expected.clone();
    let fields = expected.as_object_mut().unwrap();
    let foreign = [
        "file",
        "tagsCode",
        "batchSize",
        "msgBaseOffset",
        "bodySha256",
        "plainBodySha256",
        "plainBodyLength",
    ];
    fields.retain(|name, _| !foreign.contains(&name.as_str()));
    expected
}
