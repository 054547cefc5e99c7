//! Typed headers against the recorded sessions: decoded and written again, they say what the client said.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[expect(dead_code, reason = "each test uses its part")]
mod remoting_recorded;

use std::collections::{BTreeSet, HashMap};

use bytes::BytesMut;
use gantry_protocols::remoting::ext::ExtValue;
use gantry_protocols::remoting::frame::MAX_FRAME_SIZE;
use gantry_protocols::remoting::header::VERSION;
use gantry_protocols::remoting::headers::{
    Boundary, CustomHeader, HeaderError, broker, client, group, offset, pull, query, route, send, topic,
    transaction,
};
use gantry_protocols::remoting::{Codec, Flag, Frame, Head, HeaderView, RequestCode, ResponseCode};
use remoting_recorded::frames;

type Fields = HashMap<String, String>;

/// Keys that any request may carry: RPC routing and the request tracer's mark.
const COMMON: &[&str] = &["ns", "nsd", "bname", "oway", "lo", "ReqT"];

fn fields(view: &HeaderView<'_>) -> Fields {
    view.ext.iter().map(|(key, value)| (key.text().into_owned(), value.text().into_owned())).collect()
}

/// Decodes the fields as `H`, writes them again and returns what was written.
fn rewritten<'a, H: CustomHeader<'a>>(view: &HeaderView<'a>) -> Result<Fields, HeaderError> {
    let header = H::decode(view)?;
    let mut out = BytesMut::new();
    let head = Head::request(RequestCode(1), 1, Flag::REQUEST);
    head.write(Codec::Json, 0, &mut out, |ext| header.write(ext)).unwrap();
    let frame = Frame::split(&mut out, MAX_FRAME_SIZE).unwrap().unwrap();
    Ok(fields(&HeaderView::of(&frame).unwrap()))
}

fn request(code: i32, view: &HeaderView<'_>) -> Option<Result<Fields, HeaderError>> {
    Some(match code {
        310 | 320 | 325 => rewritten::<send::SendMessageRequest<'_>>(view),
        36 => rewritten::<send::ConsumerSendMsgBackRequest<'_>>(view),
        326 => rewritten::<send::ReplyMessageRequest<'_>>(view),
        11 | 361 => rewritten::<pull::PullMessageRequest<'_>>(view),
        12 => rewritten::<query::QueryMessageRequest<'_>>(view),
        33 => rewritten::<query::ViewMessageRequest<'_>>(view),
        14 => rewritten::<offset::QueryConsumerOffsetRequest<'_>>(view),
        15 => rewritten::<offset::UpdateConsumerOffsetRequest<'_>>(view),
        29 => rewritten::<offset::SearchOffsetRequest<'_>>(view),
        30 => rewritten::<offset::MaxOffsetRequest<'_>>(view),
        31 => rewritten::<offset::MinOffsetRequest<'_>>(view),
        32 => rewritten::<offset::EarliestStoreTimeRequest<'_>>(view),
        222 => rewritten::<offset::ResetOffsetRequest<'_>>(view),
        35 => rewritten::<client::UnregisterClientRequest<'_>>(view),
        38 | 203 => rewritten::<client::ConsumerGroupRequest<'_>>(view),
        40 => rewritten::<client::NotifyConsumerIdsChangedRequest<'_>>(view),
        204 => rewritten::<client::ProducerConnectionRequest<'_>>(view),
        307 => rewritten::<client::ConsumerRunningRequest<'_>>(view),
        309 => rewritten::<client::ConsumeDirectlyRequest<'_>>(view),
        37 => rewritten::<transaction::EndTransactionRequest<'_>>(view),
        39 => rewritten::<transaction::CheckTransactionStateRequest<'_>>(view),
        105 => rewritten::<route::RouteRequest<'_>>(view),
        100 => rewritten::<route::PutKvConfigRequest<'_>>(view),
        101 | 102 => rewritten::<route::KvConfigRequest<'_>>(view),
        205 | 327 => rewritten::<route::WritePermRequest<'_>>(view),
        103 => rewritten::<broker::RegisterBrokerRequest<'_>>(view),
        17 => rewritten::<topic::CreateTopicRequest<'_>>(view),
        202 | 215 | 300 | 351 => rewritten::<topic::TopicRequest<'_>>(view),
        216 => rewritten::<topic::DeleteTopicInNamesrvRequest<'_>>(view),
        21 => rewritten::<topic::AllTopicConfigRequest<'_>>(view),
        201 => rewritten::<group::AllSubscriptionGroupRequest<'_>>(view),
        207 => rewritten::<group::DeleteSubscriptionGroupRequest<'_>>(view),
        208 => rewritten::<group::ConsumeStatsRequest<'_>>(view),
        _ => return None,
    })
}

fn response(code: i32, view: &HeaderView<'_>) -> Option<Result<Fields, HeaderError>> {
    Some(match code {
        310 | 320 | 325 => rewritten::<send::SendMessageResponse<'_>>(view),
        11 | 361 => rewritten::<pull::PullMessageResponse>(view),
        12 => rewritten::<query::QueryMessageResponse>(view),
        14 | 29 | 30 | 31 => rewritten::<offset::OffsetResponse>(view),
        32 => rewritten::<offset::EarliestStoreTimeResponse>(view),
        34 => rewritten::<client::HeartbeatResponse>(view),
        26 => rewritten::<broker::BrokerConfigResponse<'_>>(view),
        101 => rewritten::<route::KvConfigResponse<'_>>(view),
        205 => rewritten::<route::WipeWritePermResponse>(view),
        327 => rewritten::<route::AddWritePermResponse>(view),
        _ => return None,
    })
}

/// Fields that are not common and are not written the same by the typed header.
fn lost(view: &HeaderView<'_>, typed: &Fields) -> Vec<(String, String)> {
    let said = fields(view).into_iter();
    said.filter(|(key, value)| typed.get(key) != Some(value) && !COMMON.contains(&key.as_str())).collect()
}

#[test]
fn typed_headers_say_what_every_recorded_frame_says() {
    let mut requests = BTreeSet::new();
    let mut responses = BTreeSet::new();
    for recorded in frames() {
        let frame = Frame::split(&mut BytesMut::from(&recorded.frame[..]), MAX_FRAME_SIZE).unwrap().unwrap();
        let view = HeaderView::of(&frame).unwrap();
        let code = recorded.request_code.unwrap_or(-1);
        let (typed, seen) = match recorded.is_response() {
            true if view.ext.is_empty() => continue,
            true => (response(code, &view), &mut responses),
            false => (request(code, &view), &mut requests),
        };
        let Some(typed) = typed else { continue };
        seen.insert(code);
        let malformed = recorded.place.contains("-errors");
        match typed {
            Ok(typed) => assert_eq!(lost(&view, &typed), [], "{}", recorded.place),
            Err(_) if malformed || (recorded.is_response() && view.code != 0) => {}
            Err(error) => panic!("{}: {error}", recorded.place),
        }
    }
    assert!(requests.len() > 30 && responses.len() >= 10, "{requests:?} {responses:?}");
}

fn view(header: &str) -> HeaderView<'_> {
    HeaderView::decode(Codec::Json, header.as_bytes()).unwrap()
}

#[test]
fn a_missing_mandatory_field_is_named() {
    let header = view(r#"{"code":14,"extFields":{"consumerGroup":"g","queueId":"0"}}"#);
    let missing = HeaderError::Missing { header: "QueryConsumerOffsetRequest", field: "topic" };
    assert_eq!(offset::QueryConsumerOffsetRequest::decode(&header), Err(missing));
    let header = view(r#"{"code":310,"extFields":{"a":"g","b":"t","c":"d","d":"x"}}"#);
    let error = send::SendMessageRequest::decode(&header).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SendMessageRequest field defaultTopicQueueNums has to be a 32-bit integer"
    );
}

#[test]
fn long_and_short_names_of_a_send_mean_the_same() {
    let long = view(
        r#"{"code":10,"extFields":{"producerGroup":"g","topic":"t","defaultTopic":"TBW102",
        "defaultTopicQueueNums":"4","queueId":"-1","sysFlag":"0","bornTimestamp":"9","flag":"0",
        "properties":"TAGS\u0001A\u0002","reconsumeTimes":"0","unitMode":"false","batch":"TRUE"}}"#,
    );
    let short = view(
        r#"{"code":310,"extFields":{"a":"g","b":"t","c":"TBW102","d":"4","e":"-1","f":"0","g":"9","h":"0",
        "i":"TAGS\u0001A\u0002","j":"0","k":"false","m":"true"}}"#,
    );
    let send = send::SendMessageRequest::decode(&long).unwrap();
    assert_eq!(send, send::SendMessageRequest::decode(&short).unwrap());
    assert_eq!(send.batch, Some(true));
    let mut properties = Vec::new();
    send.properties.unwrap().append_to(&mut properties);
    assert_eq!(properties, b"TAGS\x01A\x02");
}

#[test]
fn absent_and_empty_optional_fields_mean_their_defaults() {
    let header = view(r#"{"code":29,"extFields":{"topic":"t","queueId":"1","timestamp":"5"}}"#);
    assert_eq!(offset::SearchOffsetRequest::decode(&header).unwrap().boundary, Boundary::Lower);
    let header = view(r#"{"code":30,"extFields":{"topic":"t","queueId":"1","committed":""}}"#);
    assert!(offset::MaxOffsetRequest::decode(&header).unwrap().committed);
}

#[test]
fn text_without_escapes_stays_in_the_frame() {
    let header = view(r#"{"code":105,"extFields":{"topic":"T"}}"#);
    let route = route::RouteRequest::decode(&header).unwrap();
    assert!(matches!(route.topic, std::borrow::Cow::Borrowed("T")));
}

#[test]
fn reads_the_vectors_of_the_original_classes() {
    let json = concat!(
        r#"{"code":105,"extFields":{"topic":"TBW102"},"flag":0,"language":"JAVA","opaque":7,"#,
        r#""serializeTypeCurrentRPC":"JSON","version":479}"#
    );
    let mut out = BytesMut::new();
    let head = Head::request(RequestCode::GET_ROUTEINFO_BY_TOPIC, 7, Flag::REQUEST);
    head.write(Codec::Json, 0, &mut out, |ext| ext.text("topic", "TBW102")).unwrap();
    assert_eq!(&out[..8], b"\0\0\0\x84\0\0\0\x80");
    assert_eq!(&out[8..], json.as_bytes());
    let mut out = BytesMut::new();
    head.write(Codec::Rocketmq, 0, &mut out, |ext| ext.text("topic", "TBW102")).unwrap();
    let binary = b"\0\0\0\x2a\x01\0\0\x26\0\x69\0\x01\xdf\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\x11\0\x05topic\0\0\0\x06TBW102";
    assert_eq!(&out[..], binary);
    assert_eq!(head.version, VERSION);
}

#[test]
fn writes_the_answer_to_an_unknown_code_as_the_original_does() {
    let mut out = BytesMut::new();
    let remark = Some(" request type 9999 not supported");
    let head = Head::response(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, 7, remark);
    head.write(Codec::Json, 0, &mut out, |_| {}).unwrap();
    let json = concat!(
        r#"{"code":3,"flag":1,"language":"JAVA","opaque":7,"remark":" request type 9999 not supported","#,
        r#""serializeTypeCurrentRPC":"JSON","version":479}"#
    );
    assert_eq!(&out[8..], json.as_bytes());
}

#[test]
fn writes_a_send_as_the_original_does() {
    let send = send::SendMessageRequest {
        producer_group: "PG".into(),
        topic: "TopicTest".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 0,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        flag: 0,
        properties: Some(ExtValue::plain("TAGS\u{1}TagA\u{2}")),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: Some(0),
        batch: Some(false),
        broker_name: None,
    };
    let mut out = BytesMut::new();
    let head = Head::request(RequestCode::SEND_MESSAGE_V2, 1, Flag::REQUEST);
    head.write(Codec::Json, 2, &mut out, |ext| send.write(ext)).unwrap();
    out.extend_from_slice(b"hi");
    let original = concat!(
        r#"{"code":310,"extFields":{"a":"PG","b":"TopicTest","c":"TBW102","d":"4","e":"0","f":"0","#,
        r#""g":"1700000000000","h":"0","i":"TAGS\u0001TagA\u0002","j":"0","k":"false","l":"0","m":"false"},"#,
        r#""flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":479}hi"#
    );
    assert_eq!(&out[8..], original.as_bytes());
    let frame = Frame::split(&mut out, MAX_FRAME_SIZE).unwrap().unwrap();
    assert_eq!(&frame.body[..], b"hi");
    let view = HeaderView::of(&frame).unwrap();
    let read = send::SendMessageRequest::decode(&view).unwrap();
    assert_eq!(read.properties.unwrap().text(), send.properties.unwrap().text());
}

#[test]
fn the_binary_header_cuts_pop_codes_to_16_bits() {
    let pop = b"\0\0\0\x19\x01\0\0\x15\x0d\x72\0\x01\xdf\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0";
    let frame = Frame::split(&mut BytesMut::from(&pop[..]), MAX_FRAME_SIZE).unwrap().unwrap();
    assert_eq!(HeaderView::of(&frame).unwrap().request_code(), RequestCode(3442));
    let mut out = BytesMut::from(&b"before"[..]);
    let head = Head::request(RequestCode::POP_MESSAGE, 2, Flag::REQUEST);
    let refused = head.write(Codec::Rocketmq, 0, &mut out, |_| {}).unwrap_err();
    assert_eq!(refused.to_string(), "code 200050 does not fit the binary header, send it as JSON");
    assert_eq!(&out[..], b"before");
}
