"""What a reader of one dialect must see of what a writer of either dialect sent: one function a direction.

Each returns the differences as sentences, none when the record is right. Rule numbers are those of the bridge's field
mapping: 2.1 Kafka record to native, 2.2 native message to Kafka, 2.3 request headers, 2.4 round trips."""
import base64
import re

from lib import kafka_wire

# names that a Kafka header can never set (2.1, injection guard): every MessageConst name of 5.3.3 and two prefixes
SYSTEM = set("""KEYS TAGS WAIT DELAY RETRY_TOPIC REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET BUYER_ID
ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME MSG_REGION TRACE_ON UNIQ_KEY EXTEND_UNIQ_INFO
MAX_RECONSUME_TIMES CONSUME_START_TIME INNER_NUM INNER_BASE DUP_INFO CHECK_IMMUNITY_TIME_IN_SECONDS
TRAN_PREPARED_QUEUE_OFFSET TRANSACTION_CHECK_TIMES INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME
PUSH_REPLY_TIME CLUSTER MSG_TYPE POP_CK POP_CK_OFFSET 1ST_POP_TIME PROPERTY_FORWARD_QUEUE_ID REDIRECT
INNER_MULTI_DISPATCH INNER_MULTI_QUEUE_OFFSET TRACE_CONTEXT TIMER_DELAY_SEC TIMER_DELIVER_MS BORN_TIMESTAMP
TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL TIMER_DELAY_MS
DLQ_ORIGIN_TOPIC DLQ_ORIGIN_MESSAGE_ID""".split())
# a 5.3.3 producer acknowledges a batch with one id a message, but the batch's own id, which a broker appends to every
# message's properties, hides them from the readers
ANY_ID = "*"
REQUEST = {"rmq.tags", "rmq.keys", "rmq.sharding.key", "rmq.msg.id", "rmq.flag"}  # 2.3


def is_system(name):
    return name in SYSTEM or name.startswith("__")


class Differences(list):
    """Collects what is wrong, in words."""

    def expect(self, what, wanted, got):
        if wanted != got:
            self.append(f"{what} is {short(got)}, expected {short(wanted)}")

    def require(self, what, holds):
        if not holds:
            self.append(what)


def short(value):
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:120]}... ({len(text)} characters)"


def kafka_to_kafka(sent, got):
    """R1, R2: key, value, null-ness, ordered headers and timestamp are equal, whatever the storage mode."""
    wrong = Differences()
    wrong.expect("key", sent["key"], got["key"])
    wrong.expect("value", sent["value"], got["value"])
    expect_headers(wrong, sent["headers"], got, ordered=True)
    expect_time(wrong, sent, got["timestamp"])
    return wrong


def native_to_native(sent, got):
    """R3 as a client sees it: body, tags, keys, flag, user properties, both ids."""
    wrong = Differences()
    wrong.expect("body", sent["value"], got["value"] or b"")
    wrong.expect("tags", sent.get("tags"), got["tags"])
    wrong.expect("keys", sent.get("keys"), got["keys"])
    wrong.expect("flag", sent.get("flag") or 0, got["flag"])
    wrong.expect("user properties", sent.get("properties") or {}, user_properties(got))
    wrong.expect("sharding key", sent.get("shardingKey"), got["properties"].get("__SHARDINGKEY"))
    wrong.expect("buyer id", sent.get("buyerId"), got["properties"].get("BUYER_ID"))
    wrong.expect("reconsumeTimes", 0, got["reconsumeTimes"])
    wrong.require("no msgId", got["msgId"])
    if "_msgId" in sent:
        wrong.expect("has a UNIQ_KEY", sent["_msgId"] is not None, "UNIQ_KEY" in got["properties"])
    if sent.get("_msgId") not in (None, ANY_ID):
        wrong.expect("msgId", sent["_msgId"], got["msgId"])
    if sent.get("_offsetMsgId") and got.get("offsetMsgId"):
        wrong.expect("offsetMsgId", sent["_offsetMsgId"], got["offsetMsgId"])
    expect_time(wrong, sent, got["bornTimestamp"])
    return wrong


def kafka_to_native(sent, got):
    """2.1, with 2.3 for request headers."""
    wrong, properties = Differences(), got["properties"]
    asked = first_values(sent["headers"])
    wrong.expect("body", sent["value"] or b"", got["value"] or b"")
    wrong.expect("null value marker __KN", "1" if sent["value"] is None else None, properties.get("__KN"))
    expect_key(wrong, sent["key"], asked.get("rmq.keys"), got)
    wrong.expect("tags", text(asked.get("rmq.tags")), got["tags"])
    wrong.expect("flag", int(asked.get("rmq.flag") or 0), got["flag"])
    wrong.expect("sharding key", text(asked.get("rmq.sharding.key")), properties.get("__SHARDINGKEY"))
    if "rmq.msg.id" in asked:
        wrong.expect("msgId", text(asked["rmq.msg.id"]), got["msgId"])
    wrong.require("no msgId", got["msgId"])
    expect_user_properties(wrong, sent["headers"], got)
    expect_header_block(wrong, sent["headers"], properties)
    for name in ("DELAY", "REAL_TOPIC", "TRAN_MSG", "INNER_NUM", "INNER_BASE", "__KP", "TIMER_DELAY_SEC"):
        wrong.expect(f"system property {name}", None, properties.get(name))
    wrong.expect("reconsumeTimes", 0, got["reconsumeTimes"])
    expect_time(wrong, sent, got["bornTimestamp"])
    return wrong


def native_to_kafka(sent, got):
    """2.2 with kafka.native.headers = basic."""
    wrong = Differences()
    key = native_key(sent)
    wrong.expect("value", sent["value"], got["value"])
    wrong.expect("key", key and key.encode(), got["key"])
    expect_headers(wrong, native_headers(sent, key, got), got, ordered=False)
    expect_time(wrong, sent, got["timestamp"])
    return wrong


def native_key(sent):
    """2.2: __SHARDINGKEY, else KEYS when it is one token, else null (a native sender has no __KK)."""
    if sent.get("shardingKey"):
        return sent["shardingKey"]
    keys = sent.get("keys")
    return keys if keys and " " not in keys else None


def native_headers(sent, key, got):
    """2.2: user properties, then the named fields; the message id is the sender's when it is known."""
    headers = []
    for name, value in (sent.get("properties") or {}).items():
        headers.append((f"rmq.user.{name}" if name.startswith("rmq.") else name, value))
    fields = [("rmq.tags", sent.get("tags")), ("rmq.sharding.key", sent.get("shardingKey")), ("rmq.buyer.id", sent.get("buyerId"))]
    fields.append(("rmq.keys", sent.get("keys") if sent.get("keys") != key else None))
    fields.append(("rmq.flag", str(sent["flag"]) if sent.get("flag") else None))
    fields.append(("rmq.msg.id", shown_id(got) if sent.get("_msgId") == ANY_ID else sent.get("_msgId")))
    headers += [(name, value) for name, value in fields if value is not None]
    return [(name, value.encode()) for name, value in headers]


def shown_id(got):
    """Any well-formed message id the reader saw."""
    shown = got["headersText"] if got["headers"] is None else b" ".join(name.encode() + b"=" + (v or b"") for name, v in got["headers"])
    found = re.search(rb"rmq\.msg\.id=([0-9A-F]{32})", shown)
    return found.group(1).decode() if found else "a message id"


def expect_key(wrong, key, asked_keys, got):
    """2.1: KEYS holds the key when it can; what KEYS cannot carry alone is in __KK ("-" for the empty key)."""
    carrier, plain = got["properties"].get("__KK"), fits_keys(key)
    words = [word for word in (text(asked_keys), key.decode() if plain else None) if word]
    wrong.expect("keys", " ".join(words) or None, got["keys"])
    if key is None:
        wrong.expect("__KK of a null key", None, carrier)
    elif key == b"":
        wrong.expect("__KK of the empty key", "-", carrier)
    elif carrier is not None or not plain or asked_keys:
        wrong.expect("key in __KK", key, carrier and unpadded(carrier))


def fits_keys(key):
    if not key or b" " in key or b"\x01" in key or b"\x02" in key:
        return False
    return is_utf8(key)


def expect_user_properties(wrong, headers, got):
    """2.1: the first occurrence of each plain header, system names as kafka.h.<name>, request headers not at all."""
    wanted, free = {}, set()
    for name, value in headers:
        shown = f"kafka.h.{name}" if is_system(name) else name
        if name in REQUEST or shown in wanted or shown in free:
            continue
        if name.startswith("rmq."):
            free.add(shown)  # preserved in __KH; whether it is shown as well is not laid down
        elif value and is_utf8(value) and b"\x01" not in value and b"\x02" not in value:
            wanted[shown] = value.decode()
        else:
            free.add(shown)
    seen = {name: value for name, value in user_properties(got).items() if name not in free}
    wrong.expect("user properties", wanted, seen)


def expect_header_block(wrong, headers, properties):
    """2.1: __KH holds every header when properties alone would lose one."""
    names = [name for name, _ in headers]
    needed = len(set(names)) != len(names) or any(
        not value or not is_utf8(value) or b"\x01" in value or b"\x02" in value or name.startswith("rmq.") or is_system(name)
        for name, value in headers)
    block = properties.get("__KH")
    if block is None:
        wrong.require("headers need the carrier __KH, which is absent", not needed)
    else:
        wrong.expect("headers in __KH", list(headers), header_block(unpadded(block)))


def header_block(data):
    """Kafka's header encoding: a varint count, then varint-length name and value each."""
    try:
        at, headers = 0, []
        count, at = kafka_wire.read_varint(data, at)
        for _ in range(count):
            size, at = kafka_wire.read_varint(data, at)
            name, at = data[at:at + size].decode(), at + size
            size, at = kafka_wire.read_varint(data, at)
            headers.append((name, None if size < 0 else data[at:at + size]))
            at += max(size, 0)
        return headers if at == len(data) else f"{len(data) - at} bytes left over"
    except (IndexError, UnicodeDecodeError) as error:
        return f"no header block: {error}"


def expect_headers(wrong, wanted, got, ordered):
    """kcat prints headers without lengths: there the printed text is compared. A reader that hands out headers as a map
    ("grouped") keeps the order of one name's values only."""
    if got["headers"] is None:
        from lib import kcat
        texts = [kcat.headers_text([header]) for header in wanted]
        seen = got["headersText"]
        if ordered:
            wrong.expect("headers as printed", b",".join(texts), seen)
        else:
            wrong.expect("headers as printed, sorted", sorted(b",".join(texts)), sorted(seen))
    elif got.get("grouped"):
        wrong.expect("headers by name", by_name(wanted), by_name(got["headers"]))
    elif ordered:
        wrong.expect("headers", list(wanted), got["headers"])
    else:
        wrong.expect("headers", sorted(wanted), sorted(got["headers"]))


def by_name(headers):
    """The values of each name in their order."""
    found = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def expect_time(wrong, sent, got):
    """The sender's time where it could set one, else between before and after the send."""
    if sent.get("timestamp") is not None:
        wrong.expect("timestamp", sent["timestamp"], got)
    elif "_between" in sent:
        low, high = sent["_between"]
        wrong.require(f"timestamp {got} is not between {low} and {high}", low <= got <= high)


def user_properties(got):
    return {name: value for name, value in got["properties"].items() if not is_system(name)}


def first_values(headers):
    first = {}
    for name, value in headers:
        first.setdefault(name, value)
    return first


def text(value):
    return None if value is None else value.decode()


def is_utf8(value):
    try:
        value.decode()
        return True
    except UnicodeDecodeError:
        return False


def unpadded(carrier):
    return base64.b64decode(carrier + "=" * (-len(carrier) % 4))
