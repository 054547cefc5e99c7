"""What a Kafka client expects of a broker, beyond the matrix. Runs against the Java broker, too."""
import time

from lib import checks, kafka_wire, samples
from lib.lab import case


def produce(client, topic, count, partitions=1, **how):
    records = [samples.kafka("k", b"k%d" % n, b"%s-%d" % (topic.encode(), n)) for n in range(count)]
    for n, record in enumerate(records):
        record["partition"] = n % partitions
    return client.run("produce", topic=topic, records=records, **how)


@case("kafka: offsetsForTimes finds the first record at or after a time", needs=("kafka",))
def offsets_for_times(lab):
    for mode in modes(lab):
        topic, base = lab.create(lab.fresh("times"), mode, 1), int(time.time() * 1000) - 60_000
        records = [samples.kafka("t", b"k", b"v%d" % n) for n in range(5)]
        for n, record in enumerate(records):
            record.update(timestamp=base + 1_000 * n, partition=0)
        lab.kafka.run("produce", topic=topic, records=records)
        for asked, offset, at in ((base - 1, 0, base), (base, 0, base), (base + 1, 1, base + 1_000), (base + 4_000, 4, base + 4_000), (base + 4_001, -1, -1)):
            queue = lab.kafka.run("offsets", topic=topic, timestamp=asked).lines[0]["queue"]
            checks.equal(f"{mode}: found at {asked - base}", (queue["found"], queue["foundTimestamp"]), (offset, at))
            checks.equal(f"{mode}: bounds", (queue["min"], queue["max"]), (0, 5))


def modes(lab):
    return ("B", "S") if "bridge" in lab.has else ("B",)


@case("kafka: two members of a group share the partitions, nothing is lost", needs=("kafka",), limit=90)
def two_members(lab):
    for client in (lab.kafka, lab.franz):
        topic, group = lab.create(lab.fresh("share"), "B", 4), lab.fresh("g")
        first = client.start("consume", mode="group", topics=[topic], group=group, timeout=60_000)
        first.until(lambda line: len(line.get("partitions", [])) == 4)
        second = client.start("consume", mode="group", topics=[topic], group=group, timeout=60_000)
        second.until(lambda line: line.get("event") == "assigned" and len(line["partitions"]) == 2, 20)
        produce(client, topic, 40, 4)
        checks.eventually("all 40 records", lambda: len(read(first) | read(second)) == 40, 20)
        second.stop()
        produce(client, topic, 40, 4)
        checks.eventually("the other 40 records", lambda: len(read(first) | read(second)) == 80, 20)
        first.stop()


def read(call):
    while not call.inbox.empty():
        call.next(1)
    return {(record["partition"], record["offset"]) for record in call.records()}


@case("kafka: a repeated batch is acknowledged where it stands, a gap is refused", needs=("kafka",))
def idempotence(lab):
    for mode in modes(lab):
        topic = lab.create(lab.fresh("idem"), mode, 1)
        with kafka_wire.Connection(lab.kafka_address) as raw:
            ident, epoch = raw.producer_id()
            made = [kafka_wire.batch([samples.kafka("i", b"k", b"%d" % n)] * 2, producer=(ident, epoch, 2 * n)) for n in range(6)]
            for n, data in enumerate(made):
                checks.equal(f"{mode}: batch {n}", raw.produce(topic, 0, data), (0, 2 * n))
            for n in range(1, 6):
                checks.equal(f"{mode}: batch {n} again", raw.produce(topic, 0, made[n]), (0, 2 * n))
            gap = kafka_wire.batch([samples.kafka("i")], producer=(ident, epoch, 50))
            checks.equal(f"{mode}: a gap", raw.produce(topic, 0, gap)[0], kafka_wire.OUT_OF_ORDER_SEQUENCE)
            checks.equal(f"{mode}: end", raw.fetch(topic, 0, 0)[1], 12)


@case("kafka: a waiting consumer gets a record within a second", needs=("kafka",))
def long_poll(lab):
    topic = lab.create(lab.fresh("poll"), "B", 1)
    for client in (lab.kafka, lab.franz):
        waiting = client.start("consume", mode="group", topics=[topic], group=lab.fresh("g"), **{"from": "first"}, timeout=40_000)
        produce(client, topic, 1)
        waiting.until(lambda line: "record" in line, 20)
        for _ in range(3):
            sent, before = time.time() * 1000, len(waiting.records())
            produce(client, topic, 1)
            waiting.until(lambda line: len(waiting.records()) > before and line is waiting.lines[-1], 10)
            took = waiting.records()[-1]["receivedAt"] - sent
            checks.true(f"{client.name} waited {took:.0f} ms", took < 1000)
        waiting.stop()


@case("kafka: producing creates a topic", needs=("kafka",))
def auto_creation(lab):
    for client in (lab.kafka, lab.franz):
        topic = lab.fresh("auto")
        record = samples.kafka("a")
        client.run("produce", topic=topic, records=[record])
        queues = lab.kafka.run("offsets", topic=topic).lines
        checks.equal("records", sum(line["queue"]["max"] for line in queues), 1)


@case("kafka: a deleted topic is gone, its name may be used again with another id", needs=("kafka",))
def delete_topic(lab):
    topic = lab.create(lab.fresh("gone"), "B", 1)
    first = lab.kafka.run("describeTopic", topic=topic).lines[0]["topicId"]
    produce(lab.kafka, topic, 3)
    lab.kafka.run("deleteTopic", topic=topic)
    checks.eventually("the topic is not listed", lambda: topic not in lab.kafka.run("listTopics").lines[0]["topics"])
    lab.create(topic, "B", 1)
    checks.true("the topic id is the old one", lab.kafka.run("describeTopic", topic=topic).lines[0]["topicId"] != first)
    checks.equal("end of the new topic", lab.kafka.run("offsets", topic=topic).lines[0]["queue"]["max"], 0)


@case("kafka: a name that cannot be a topic is refused", needs=("kafka",))
def bad_names(lab):
    for name in ("../x", "a b", "x" * 250, ".", "a\u0000b"):
        checks.refused(lambda n=name: lab.create(n, "B", 1), "InvalidTopicException")
    topic = lab.create(lab.fresh("twice"), "B", 1)
    checks.refused(lambda: lab.create(topic, "B", 1), "TopicExistsException")


@case("kafka: a corrupt batch is refused and nothing of it is stored", needs=("kafka",))
def corrupt_batch(lab):
    topic = lab.create(lab.fresh("corrupt"), "B", 1)
    with kafka_wire.Connection(lab.kafka_address) as raw:
        good = kafka_wire.batch([samples.kafka("c")])
        for at in (20, len(good) - 1):  # the checksum, the last byte
            bad = bytearray(good)
            bad[at] ^= 1
            checks.true("accepted", raw.produce(topic, 0, bytes(bad))[0] in (2, 87))
        checks.equal("a good one", raw.produce(topic, 0, good), (0, 0))
        checks.equal("end", raw.fetch(topic, 0, 0)[1], 1)


@case("kafka: committed offsets are where the next member begins", needs=("kafka",))
def committed(lab):
    topic, group = lab.create(lab.fresh("commit"), "B", 2), lab.fresh("g")
    produce(lab.kafka, topic, 20, 2)
    places = []
    for client, count in ((lab.kafka, 7), (lab.franz, 5)):
        places += [(r["partition"], r["offset"]) for r in client.run("consume", mode="group", topics=[topic], group=group, count=count, timeout=20_000).records()]
    places += [(r["partition"], r["offset"]) for r in lab.kcat.consume([topic], 8, group, 20)]
    checks.equal("records", sorted(places), [(p, o) for p in range(2) for o in range(10)])
