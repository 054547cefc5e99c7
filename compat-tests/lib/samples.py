"""The records of the cross matrix: one a kind, in the sender's own words.

Kafka samples have key, value, headers and timestamp as bytes, native samples value (body), tags, keys, properties, flag.
`_kind` names the sample in reports; names with an underscore never leave the runner."""
import time

LARGE = b"".join(b'{"line":%d,"text":"the quick brown fox jumps over the lazy dog"},' % n for n in range(400))
BINARY = bytes(range(256))


def kafka(kind, key=b"key", value=b"value", headers=(), age_ms=1_000):
    now = int(time.time() * 1000)
    return {"_kind": kind, "key": key, "value": value, "headers": list(headers), "timestamp": now - age_ms}


def kafka_samples():
    """What a Kafka producer can say (rules 2.1, 2.3)."""
    return [
        kafka("plain"),
        kafka("null key", key=None),
        kafka("null value", value=None),
        kafka("null key and value", key=None, value=None, headers=[("only", b"header")]),
        kafka("empty value", value=b""),
        kafka("empty key", key=b""),
        kafka("binary key", key=b"\xff\xfe\x00\x01"),
        kafka("key with a space", key=b"two words"),
        kafka("unicode", key="schlüssel-鍵".encode(), value="wert-値-🚀".encode(),
              headers=[("name", "größe-大".encode()), ("überschrift-題", b"x")]),
        kafka("binary value", value=BINARY),
        kafka("headers", headers=[("a", b"1"), ("b", b"2")]),
        kafka("duplicate headers", headers=[("d", b"first"), ("e", b"between"), ("d", b"second"), ("d", b"first")]),
        kafka("repeated header", headers=[("d", b"first"), ("d", b"second"), ("e", b"after")]),
        kafka("null header", headers=[("n", None), ("m", b"1")]),
        kafka("empty header", headers=[("n", b""), ("m", b"1")]),
        kafka("binary header", headers=[("bin", b"\x80\x00\xff\x01\x02"), ("m", b"1")]),
        kafka("header named DELAY", headers=[("DELAY", b"3"), ("TIMER_DELAY_SEC", b"600"), ("__STARTDELIVERTIME", b"9999999999999")]),
        kafka("header named like a system property",
              headers=[("REAL_TOPIC", b"stolen"), ("REAL_QID", b"9"), ("TAGS", b"forged"), ("KEYS", b"forged"),
                       ("UNIQ_KEY", b"forged"), ("INNER_NUM", b"5"), ("TRAN_MSG", b"true"), ("PGROUP", b"g"), ("WAIT", b"false")]),
        kafka("header named like a carrier", headers=[("__KK", b"Zm9yZ2Vk"), ("__KN", b"1"), ("__KH", b"AA=="), ("__KP", b"1.0.0.1.0.0")]),
        kafka("request headers", key=b"k", headers=[("rmq.tags", b"TagA"), ("rmq.keys", b"ka kb"), ("rmq.flag", b"7"), ("own", b"x")]),
        kafka("sharding key by header", headers=[("rmq.sharding.key", b"order-1")]),
        kafka("message id by header", headers=[("rmq.msg.id", b"7F00000100002A9F0000000000000001")]),
        kafka("unknown rmq header", headers=[("rmq.unheard.of", b"x"), ("rmq.reconsume.times", b"3"), ("kafka.h.DELAY", b"3")]),
        kafka("old timestamp", age_ms=24 * 3600 * 1000),
        kafka("large", value=LARGE),
    ]


def codec_samples(codec):
    """Records that share one compressed batch."""
    return [
        kafka(f"{codec} small", key=b"c1", value=b"small"),
        kafka(f"{codec} large", key=b"c2", value=LARGE, headers=[("codec", codec.encode())]),
        kafka(f"{codec} null value", key=b"c3", value=None, headers=[("n", None), ("n", b"2")]),
        kafka(f"{codec} tagged", key=b"c4", value=BINARY, headers=[("rmq.tags", b"TagC")]),
    ]


def native(kind, value=b"body", **fields):
    return {"_kind": kind, "value": value, **fields}


def native_samples():
    """What a RocketMQ producer can say (rule 2.2)."""
    return [
        native("plain"),
        native("tag", tags="TagA"),
        native("one key", keys="order-1"),
        native("two keys", keys="order-1 order-2"),
        native("unicode", "körper-体-🚀".encode(), tags="тег", keys="schlüssel", properties={"größe": "大きい", "a": "ä"}),
        native("properties", properties={"b": "2", "a": "1", "with space": "a b", "eq": "a=b,c"}),
        native("sharding key", shardingKey="order-9", keys="k9"),
        native("flag", flag=7),
        native("buyer id", buyerId="buyer-1"),
        native("property named rmq", properties={"rmq.tags": "forged", "rmq.unheard.of": "x"}),
        native("binary body", BINARY),
        native("large", LARGE, tags="Large"),
        native("no wait for the disk", waitStore=False),
        native("everything", tags="T", keys="k", flag=-1, properties={"p": "v"}, buyerId="b"),
    ]


def batch_samples():
    """Native messages that go as one batch (no delay, no retry topics)."""
    return [native(f"batch {n}", b"batch-%d" % n, tags=f"B{n}", keys=f"bk{n}", properties={"n": str(n)}) for n in range(5)]


def mode_samples(mode):
    """Two messages for async and oneway."""
    return [native(f"{mode} {n}", b"%s-%d" % (mode.encode(), n), tags=mode, keys=f"{mode}{n}") for n in range(2)]
