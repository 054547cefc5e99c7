"""The cross matrix: each producer, each consumer, on a B topic and on an S topic, every kind of record.

A producer fills a topic once; all consumers then read it at the same time and every record is compared with what the
mapping rules say this reader must see."""
import functools
import time

from lib import mapping, samples
from lib.lab import case

CODECS = ("gzip", "snappy", "lz4", "zstd")
PARTITIONS = 2
NO_BRIDGE = "the original speaks one dialect"


def now():
    return int(time.time() * 1000)


class Sent:
    """What is in the topic: (partition, offset) -> the record as it was sent."""

    def __init__(self, topic, dialect, bodies_only=False):
        self.topic, self.dialect, self.at, self.next, self.turn = topic, dialect, {}, [0] * PARTITIONS, 0
        self.skipped, self.bodies_only = [], bodies_only

    def wanted(self, records):
        """The records that go into this topic: all, or those with a body."""
        return [record for record in records if record["value"] or not self.bodies_only]

    def place(self, records, partition=None):
        """Gives each record its partition (in turn, or all to one) and says where it must land."""
        places = []
        for record in records:
            record["partition"] = self.turn % PARTITIONS if partition is None else partition
            self.turn += 1
            places.append((record["partition"], self.next[record["partition"]]))
            self.next[record["partition"]] += 1
        return places

    def add(self, places, records, acks, since):
        """Compares each acknowledgement with its place and remembers the record."""
        for number, (place, record) in enumerate(zip(places, records)):
            record["_between"] = (since - 2, now() + 2)
            ack = acks.get(number, {})
            if "offset" in ack and (ack["partition"], ack["offset"]) != place:
                raise AssertionError(f"{record['_kind']} was acknowledged at {ack['partition']}/{ack['offset']}, expected {place}")
            record["_msgId"] = mapping.ANY_ID if record["_kind"].startswith("batch") else ack.get("msgId")
            record["_offsetMsgId"] = ack.get("offsetMsgId")
            self.at[place] = record


# ---- producers

def send(sent, client, records, partition=None, **how):
    """One produce command of a program in serve mode."""
    records = sent.wanted(records)
    places, since = sent.place(records, partition), now()
    call = client.run("produce", topic=sent.topic, records=records, **how)
    acks = call.acks()
    if len(acks) != len(records):
        raise AssertionError(f"{len(acks)} acknowledgements for {len(records)} records")
    sent.add(places, records, acks, since)


def by_kafka(lab, sent, client):
    send(sent, client, samples.kafka_samples())
    for codec in CODECS:
        send(sent, client, samples.codec_samples(codec), partition=1, codec=codec)
    send(sent, client, [samples.kafka("acks=1")], acks="1")
    send(sent, client, [samples.kafka("not idempotent")], idempotent=False)


def by_kcat(lab, sent, _client):
    for record in sent.wanted(samples.kafka_samples()):
        if (reason := kcat_cannot(record)):
            sent.skipped.append((record["_kind"], reason))
            continue
        kcat_send(lab, sent, record)
    for codec in CODECS:
        pairs = [(b"k%d" % n, samples.LARGE[:2000] if n else b"small") for n in range(4)]
        records = [samples.kafka(f"{codec} {n}", key, value) for n, (key, value) in enumerate(pairs)]
        places, since = sent.place(records, 1), now()
        lab.kcat.produce_lines(sent.topic, 1, pairs, codec)
        remember(sent, places, records, since)
    kcat_send(lab, sent, samples.kafka("acks=1"), acks="1")


def kcat_cannot(record):
    if any(b"\x00" in (value or b"") for _, value in record["headers"]):
        return "kcat takes headers from its command line, which ends at a zero byte"
    if record["_kind"] == "old timestamp":
        return "kcat cannot set a timestamp"
    return None


def kcat_send(lab, sent, record, **how):
    places, since = sent.place([record]), now()
    lab.kcat.produce(sent.topic, record, **how)
    remember(sent, places, [record], since)


def remember(sent, places, records, since):
    for record in records:
        record["timestamp"] = None
    sent.add(places, records, {}, since)


def by_rocketmq(lab, sent, client):
    send(sent, client, samples.native_samples())
    send(sent, client, samples.mode_samples("async"), mode="async")
    send(sent, client, samples.batch_samples(), partition=0, mode="batch")
    for kind in ("LZ4", "ZSTD"):
        send(sent, client, [samples.native(f"large {kind}", samples.LARGE, keys=kind)], compressType=kind)
    for record in samples.mode_samples("oneway"):  # one a queue: two oneway sends may overtake each other
        send(sent, client, [record], mode="oneway")
    arrived(client, sent)


def arrived(client, sent):
    """Waits until the oneway messages, which nobody acknowledges, are in their queues."""
    deadline = time.monotonic() + 10
    while True:
        lines = client.run("offsets", topic=sent.topic).lines
        ends = {line["queue"]["partition"]: line["queue"]["max"] for line in lines}
        if all(ends.get(partition, 0) >= sent.next[partition] for partition in range(PARTITIONS)):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"oneway messages did not arrive: {lines}")


# ---- consumers: each starts reading and returns the function that hands over the records

def read_program(client, **how):
    def start(lab, sent):
        more = {"group": lab.fresh("g")} if how.get("mode") in ("push", "group") else {}
        call = client(lab).start("consume", topics=[sent.topic], count=len(sent.at), timeout=20_000, **how, **more)

        def finish():
            call.wait(40)
            return call.records()
        return finish
    return start


def read_kcat(member):
    def start(lab, sent):
        child = lab.kcat.start([sent.topic], len(sent.at), lab.fresh("g") if member else None, 30)
        return lambda: lab.kcat.finish(child)
    return start


PRODUCERS = {
    "rocketmq-client 4.9.8": ("native", by_rocketmq, lambda lab: lab.rmq498),
    "rocketmq-client 5.3.3": ("native", by_rocketmq, lambda lab: lab.rmq533),
    "kafka-clients 4.1": ("kafka", by_kafka, lambda lab: lab.kafka),
    "kcat": ("kafka", by_kcat, lambda lab: lab.kcat),
    "franz-go": ("kafka", by_kafka, lambda lab: lab.franz),
}
CONSUMERS = {
    "rocketmq-client 4.9.8 push": ("native", read_program(lambda lab: lab.rmq498, mode="push")),
    "rocketmq-client 4.9.8 pull": ("native", read_program(lambda lab: lab.rmq498, mode="pull")),
    "rocketmq-client 5.3.3 push": ("native", read_program(lambda lab: lab.rmq533, mode="push")),
    "rocketmq-client 5.3.3 pull": ("native", read_program(lambda lab: lab.rmq533, mode="pull")),
    "rocketmq-client 5.3.3 lite": ("native", read_program(lambda lab: lab.rmq533, mode="lite")),
    "kafka-clients 4.1 group": ("kafka", read_program(lambda lab: lab.kafka, mode="group")),
    "kafka-clients 4.1 assign": ("kafka", read_program(lambda lab: lab.kafka, mode="assign")),
    "kcat": ("kafka", read_kcat(False)),
    "kcat group": ("kafka", read_kcat(True)),
    "franz-go group": ("kafka", read_program(lambda lab: lab.franz, mode="group")),
}
# Its ProcessQueue.putMessage asks an empty body, which its decoder leaves null, for its length: the same on a stock
# broker, whose batches may hold such messages. Pull consumers of that version and 5.3.3 are not affected.
STALLS_ON_EMPTY_BODIES = {
    "rocketmq-client 4.9.8 push": "this client fails on a message without a body (NullPointerException), whoever serves it",
}
RULES = {
    ("kafka", "kafka"): mapping.kafka_to_kafka, ("kafka", "native"): mapping.kafka_to_native,
    ("native", "kafka"): mapping.native_to_kafka, ("native", "native"): mapping.native_to_native,
}


def topic_for(lab, dialect, mode, producer):
    """B topics are made through Kafka; S topics by the first native send, or through Kafka with queue.type=SimpleCQ."""
    topic = lab.fresh(f"m{mode}_" + "".join(c for c in producer if c.isalnum()))
    if dialect == "kafka" or mode == "B":
        lab.create(topic, mode, PARTITIONS)
    return topic


def fill_and_read(lab, producer, mode):
    dialect, fill, client = PRODUCERS[producer]
    if "bridge" not in lab.has and mode != {"kafka": "B", "native": "S"}[dialect]:
        lab.cell("all", skipped=NO_BRIDGE)
        return
    sent = Sent(topic_for(lab, dialect, mode, producer), dialect)
    fill(lab, sent, client(lab))
    readers = {}
    for name, (reads, start) in CONSUMERS.items():
        if reads != dialect and "bridge" not in lab.has:
            lab.cell(f"-> {name}", skipped=NO_BRIDGE)
            continue
        source = sent
        if name in STALLS_ON_EMPTY_BODIES and any(not record["value"] for record in sent.at.values()):
            source = Sent(topic_for(lab, dialect, mode, producer), dialect, bodies_only=True)
            fill(lab, source, client(lab))
            for record in sent.at.values():
                if not record["value"]:
                    lab.cell(f"-> {name}: {record['_kind']}", skipped=STALLS_ON_EMPTY_BODIES[name])
        readers[name] = (source, start(lab, source))
    for name, (source, finish) in readers.items():
        compare(lab, source, name, finish)
    for kind, reason in sent.skipped:
        lab.cell(kind, skipped=reason)


def compare(lab, sent, name, finish):
    """One cell for each kind of record, one for the set of offsets."""
    rule = RULES[sent.dialect, CONSUMERS[name][0]]
    try:
        got = finish()
    except Exception as error:  # the other readers still report
        lab.cell(f"-> {name}", [f"{type(error).__name__}: {error}"])
        return
    seen = {}
    for record in got:
        seen.setdefault((record["partition"], record["offset"]), []).append(record)
    lab.cell(f"-> {name}: offsets", offsets_wrong(sent, seen))
    for place, record in sorted(sent.at.items()):
        if place in seen:
            lab.cell(f"-> {name}: {record['_kind']}", rule(record, seen[place][0]))


def offsets_wrong(sent, seen):
    wrong = mapping.Differences()
    wrong.expect("missing", [], sorted(set(sent.at) - set(seen)))
    wrong.expect("not sent", [], sorted(set(seen) - set(sent.at)))
    wrong.expect("twice", [], sorted(place for place, records in seen.items() if len(records) > 1))
    return wrong


for _mode in ("B", "S"):
    for _producer, (_dialect, _, _) in PRODUCERS.items():
        case(f"matrix {_mode} {_producer}", needs=(_dialect,), limit=90)(
            functools.partial(fill_and_read, producer=_producer, mode=_mode))
