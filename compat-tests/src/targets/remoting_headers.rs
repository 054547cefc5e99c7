//! Named arguments: every declared header is read from the fields that came, written, and read again.

use bytes::BytesMut;
use gantry_protocols::remoting::ext_writer::ExtWriter;
use gantry_protocols::remoting::headers::{
    CustomHeader, broker, client, group, offset, pull, query, route, rpc, send, topic, transaction,
};
use gantry_protocols::remoting::{Codec, Flag, Frame, Head, HeaderView, RequestCode};

/// A frame that holds nothing but the arguments.
fn written(arguments: impl FnOnce(&mut ExtWriter<'_>)) -> Frame {
    let mut out = BytesMut::new();
    let head = Head::request(RequestCode(0), 0, Flag::REQUEST);
    head.write(Codec::Json, 0, &mut out, arguments).expect("JSON holds every argument");
    Frame::split(&mut out, usize::MAX).expect("own frame").expect("own frame is whole")
}

macro_rules! typed_headers {
    ($($family:ident: $($header:ident)+;)+) => {
        /// Reads the arguments as each kind of header; what is one has to survive writing.
        pub(super) fn typed_headers(view: &HeaderView<'_>) {
            $($(
                if let Ok(header) = $family::$header::decode(view) {
                    let first = written(|ext| header.write(ext));
                    let view = HeaderView::of(&first).expect("own header");
                    let again = $family::$header::decode(&view).expect(stringify!($header));
                    let second = written(|ext| again.write(ext));
                    assert_eq!(first, second, stringify!($header));
                }
            )+)+
        }
    };
}

typed_headers! {
    send: SendMessageRequest SendMessageResponse ConsumerSendMsgBackRequest ReplyMessageRequest;
    pull: PullMessageRequest PullMessageResponse;
    transaction: EndTransactionRequest CheckTransactionStateRequest;
    query: QueryMessageRequest QueryMessageResponse ViewMessageRequest;
    offset: QueryConsumerOffsetRequest UpdateConsumerOffsetRequest OffsetResponse SearchOffsetRequest
        MaxOffsetRequest MinOffsetRequest EarliestStoreTimeRequest EarliestStoreTimeResponse ResetOffsetRequest;
    route: RouteRequest RegisterTopicRequest PutKvConfigRequest KvConfigRequest KvConfigResponse KvListRequest
        TopicsByClusterRequest WritePermRequest WipeWritePermResponse AddWritePermResponse;
    client: HeartbeatResponse UnregisterClientRequest ConsumerGroupRequest NotifyConsumerIdsChangedRequest
        ProducerConnectionRequest ConsumerRunningRequest ConsumeDirectlyRequest;
    group: SubscriptionGroupRequest AllSubscriptionGroupRequest DeleteSubscriptionGroupRequest ConsumeStatsRequest;
    broker: RegisterBrokerRequest RegisterBrokerResponse BrokerIdentityRequest QueryDataVersionResponse
        BrokerHeartbeatRequest BrokerMemberGroupRequest BrokerConfigResponse;
    topic: CreateTopicRequest AllTopicConfigRequest AllTopicConfigResponse TopicRequest DeleteTopicInNamesrvRequest;
    rpc: RpcFields;
}
