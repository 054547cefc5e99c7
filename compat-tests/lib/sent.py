"""What a producer of the matrix put into a topic, and where each record must stand."""
import collections
import time

from lib import mapping, samples

CODECS = ("gzip", "snappy", "lz4", "zstd")
PARTITIONS = 2


def now():
    return int(time.time() * 1000)


class Sent:
    """One topic and what is in it: (partition, offset) -> the record as it was sent. `left_out(record)` gives the reason
    why a record is not for this topic's readers."""

    def __init__(self, topic, row, left_out=lambda _: None):
        self.topic, self.row, self.left_out = topic, row, left_out
        self.at, self.next, self.turn = {}, collections.defaultdict(int), 0
        self.skipped = []  # (kind, reason): what the producer cannot say

    def wanted(self, records):
        """The records that go into this topic."""
        chosen = []
        for record in records:
            if (reason := self.row.cannot_send(record)):
                self.skipped.append((record["_kind"], reason))
            elif not self.left_out(record):
                chosen.append(record)
        return chosen

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
            record["_msgId"] = self.message_id(record, ack)
            record["_offsetMsgId"] = ack.get("offsetMsgId")
            self.at[place] = record


    def message_id(self, record, ack):
        """The id that readers must see. A batch's messages have the ids that their client gave them, but readers see
        another (see ANY_ID), or none; a single message without one gets the broker's."""
        if self.row.dialect == "kafka":
            return None
        if record["_kind"].startswith("batch"):
            return mapping.ANY_ID if ack.get("msgId") else None
        return ack.get("msgId") or mapping.ANY_ID


def fill(lab, sent):
    """Sends every sample that the client can say, in every way it can send."""
    by = by_kcat if sent.row.program == "kcat" else by_kafka if sent.row.dialect == "kafka" else by_native
    by(lab, sent, getattr(lab, sent.row.program))


def send(sent, client, records, partition=None, **how):
    """One produce command of a program in serve mode."""
    records = sent.wanted(records)
    if not records:
        return
    since = now()
    places = None if sent.row.chooses_queue else sent.place(records, partition)
    acks = client.run("produce", topic=sent.topic, records=records, **how).acks()
    if len(acks) != len(records):
        raise AssertionError(f"{len(acks)} acknowledgements for {len(records)} records")
    sent.add(places or acknowledged(sent, acks), records, acks, since)


def acknowledged(sent, acks):
    """The places that a client's own choice of queues makes; `add` compares each with its acknowledgement."""
    places = []
    for number in sorted(acks):
        partition = acks[number]["partition"]
        places.append((partition, sent.next[partition]))
        sent.next[partition] += 1
    return places


def by_kafka(lab, sent, client):
    send(sent, client, samples.kafka_samples())
    for codec in CODECS:
        send(sent, client, samples.codec_samples(codec), partition=1, codec=codec)
    send(sent, client, [samples.kafka("acks=1")], acks="1")
    send(sent, client, [samples.kafka("not idempotent")], idempotent=False)


def by_kcat(lab, sent, client):
    for record in sent.wanted(samples.kafka_samples()):
        kcat_send(sent, client, record)
    for codec in CODECS:
        pairs = [(b"k%d" % n, samples.LARGE[:2000] if n else b"small") for n in range(4)]
        records = [samples.kafka(f"{codec} {n}", key, value) for n, (key, value) in enumerate(pairs)]
        places, since = sent.place(records, 1), now()
        client.produce_lines(sent.topic, 1, pairs, codec)
        remember(sent, places, records, since)
    kcat_send(sent, client, samples.kafka("acks=1"), acks="1")


def kcat_send(sent, client, record, **how):
    places, since = sent.place([record]), now()
    client.produce(sent.topic, record, **how)
    remember(sent, places, [record], since)


def remember(sent, places, records, since):
    for record in records:
        record["timestamp"] = None
    sent.add(places, records, {}, since)


def by_native(lab, sent, client):
    modes = sent.row.modes
    send(sent, client, samples.native_samples())
    if "async" in modes:
        send(sent, client, samples.mode_samples("async"), mode="async")
    if "batch" in modes:
        send(sent, client, samples.batch_samples(), partition=0, mode="batch")
    for kind in sent.row.compresses:
        send(sent, client, [samples.native(f"large {kind}", samples.LARGE, keys=kind, _compress=kind)], compressType=kind)
    if "oneway" in modes:
        for record in samples.mode_samples("oneway"):  # one a queue: two oneway sends may overtake each other
            send(sent, client, [record], mode="oneway")
        arrived(lab.rmq533, sent)


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
        time.sleep(0.02)
