"""The rows of the cross matrix: each client, how it sends, how it reads, and what it cannot express.

What a client cannot express is a sentence about that client, with the place in its source or documentation; it is never
a fault of the broker, and the Java brokers see the same."""
import dataclasses
from typing import Callable


def nothing(_record):
    """This client can express every record."""
    return None


@dataclasses.dataclass(frozen=True)
class Row:
    """One client of the matrix. `cannot_send` and `cannot_read` give the reason for a record that it cannot express."""

    name: str
    dialect: str
    program: str  # the lab's name for it
    reads: dict  # label -> fields of its consume command
    cannot_send: Callable = nothing
    cannot_read: Callable = nothing
    chooses_queue: bool = False  # the library gives no way to name the queue of a message
    creates_topics: bool = True  # a send to an unknown topic makes it
    modes: tuple = ("sync",)  # how a native client sends
    compresses: tuple = ()  # native compressions to ask for, beside its default
    in_order: tuple = ()  # the readers that hand out each queue in order


def without_body(record):
    """rocketmq-client 4.9: ProcessQueue.putMessage asks an empty body, which its decoder leaves null, for its length
    (NullPointerException): on a stock broker too, whose batches may hold such messages."""
    return None if record["value"] else "its push consumer fails on a message without a body (NullPointerException in ProcessQueue)"


def zlib_only(record):
    """rocketmq-client-go utils.UnCompress and ali-ons utils.uncompress know zlib, whatever the message says."""
    return "its decoder knows zlib only" if record.get("_compress") else None


def bytes_in_headers(record):
    """kafka-python KafkaProducer.send: TypeError for a header without bytes, ValueError without key and value."""
    if any(value is None for _, value in record["headers"]):
        return "send() takes headers of bytes only"
    return key_or_value(record)


def key_or_value(record):
    """kafka-python and aiokafka, send(): "Need at least one: key or value"."""
    return "send() wants a key or a value" if record["key"] is None and record["value"] is None else None


def headers_as_map(record):
    """kafkajs: headers are an object, the values of one name stand together; its encoder fails on a null (TypeError of
    Buffer.byteLength)."""
    if any(value is None for _, value in record["headers"]):
        return "cannot send a header without a value"
    names = [name for name, _ in record["headers"]]
    grouped = [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    return "takes headers as a map, which cannot alternate between names" if len(set(grouped)) != len(grouped) else None


def kcat_cannot(record):
    """kcat takes headers from its command line and has no option for the time."""
    if any(b"\x00" in (value or b"") for _, value in record["headers"]):
        return "takes headers from its command line, which ends at a zero byte"
    return "cannot set a timestamp" if record["_kind"] == "old timestamp" else None


GROUP, ASSIGN = {"mode": "group"}, {"mode": "assign"}
PUSH, PULL, LITE = {"mode": "push"}, {"mode": "pull"}, {"mode": "lite"}
BOTH = {"group": GROUP, "assign": ASSIGN}
ALL_MODES = ("sync", "async", "batch", "oneway")

ROWS = [
    Row("rocketmq-client 4.9.8", "native", "rmq498", {"pull": PULL}, modes=ALL_MODES, compresses=("LZ4", "ZSTD"), in_order=("pull",)),
    Row("rocketmq-client 4.9.8 push", "native", "rmq498", {"push": PUSH}, cannot_read=without_body, modes=()),
    Row("rocketmq-client 5.3.3", "native", "rmq533", {"push": PUSH, "pull": PULL, "lite": LITE}, modes=ALL_MODES,
        compresses=("LZ4", "ZSTD"), in_order=("pull", "lite")),
    Row("rocketmq-client-go", "native", "rocketmq_go", {"push": PUSH, "pull": PULL}, cannot_read=zlib_only, modes=ALL_MODES,
        in_order=("pull",)),
    Row("ali-ons", "native", "ali_ons", {"push": PUSH}, cannot_read=zlib_only, chooses_queue=True,
        creates_topics=False, in_order=("push",)),
    Row("kafka-clients 4.1", "kafka", "kafka", BOTH, in_order=("group", "assign")),
    Row("kafka-clients 3.9", "kafka", "kafka39", BOTH, in_order=("group", "assign")),
    Row("kcat", "kafka", "kcat", BOTH, cannot_send=kcat_cannot, in_order=("group", "assign")),
    Row("confluent-kafka", "kafka", "confluent", BOTH, in_order=("group", "assign")),
    Row("kafka-python", "kafka", "kafka_python", BOTH, cannot_send=bytes_in_headers, in_order=("group", "assign")),
    Row("aiokafka", "kafka", "aiokafka", BOTH, cannot_send=key_or_value, in_order=("group", "assign")),
    Row("franz-go", "kafka", "franz", BOTH, in_order=("group", "assign")),
    Row("sarama", "kafka", "sarama", BOTH, in_order=("group", "assign")),
    Row("kafkajs", "kafka", "kafkajs", {"group": GROUP}, cannot_send=headers_as_map, in_order=("group",)),
]
