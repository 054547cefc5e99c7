"""The round-trip rules R1-R6 and what only a broker of both dialects can show."""
import time

from lib import checks, kafka_wire, mapping, remoting, samples
from lib.lab import case

INVALID_RECORD, MESSAGE_TOO_LARGE = 87, 10
MEASURED = ("MIN_OFFSET", "MAX_OFFSET", "CONSUME_START_TIME")  # the consumer's own notes


def placed(records, partition=0):
    for record in records:
        record["partition"] = partition
    return records


@case("R1: Kafka to Kafka on a B topic: the batch is byte-identical but for 12 header bytes", needs=("kafka",))
def r1(lab):
    import zlib
    topic = lab.create(lab.fresh("r1"), "B", 1)
    gzip = zlib.compressobj(wbits=31)
    made = [
        kafka_wire.batch(samples.codec_samples("none")),
        kafka_wire.batch(samples.codec_samples("gzip"), 1, lambda data: gzip.compress(data) + gzip.flush()),
        kafka_wire.batch([samples.kafka("one", None, None, [("d", None), ("d", b"")])]),
    ]
    with kafka_wire.Connection(lab.kafka_address) as raw:
        for n, data in enumerate(made):
            checks.equal("answer", raw.produce(topic, 0, data), (0, 4 * n))
        stored = list(kafka_wire.batches(raw.fetch(topic, 0, 0)[2]))
        checks.equal("batches", len(stored), 3)
        for n, (sent, got) in enumerate(zip(made, stored)):
            checks.true(f"batch {n} changed", kafka_wire.without_broker_fields(sent) == kafka_wire.without_broker_fields(got))
            checks.equal("base offset", int.from_bytes(got[:8], "big"), 4 * n)
        middle = next(kafka_wire.batches(raw.fetch(topic, 0, 6)[2]))
        checks.equal("a fetch from the middle begins with the whole batch at", int.from_bytes(middle[:8], "big"), 4)


@case("R2: Kafka to Kafka on an S topic: equal records, the sequence number holds", needs=("bridge",))
def r2(lab):
    topic = lab.create(lab.fresh("r2"), "S", 1)
    records = placed(samples.kafka_samples())
    with kafka_wire.Connection(lab.kafka_address) as raw:
        ident, epoch = raw.producer_id()
        data = kafka_wire.batch(records, producer=(ident, epoch, 0))
        checks.equal("first", raw.produce(topic, 0, data), (0, 0))
        checks.equal("again", raw.produce(topic, 0, data), (0, 0))
    got = checks.by_place(lab.kafka.run("consume", mode="assign", topics=[topic], count=len(records), timeout=10_000).records())
    checks.equal("records", len(got), len(records))
    for offset, record in enumerate(records):
        lab.cell(record["_kind"], mapping.kafka_to_kafka(record, got[0, offset]))


@case("R3: native to native: the frame a puller gets is the frame in the CommitLog", needs=("gantry",))
def r3(lab):
    for mode in ("S", "B"):
        topic = lab.create(lab.fresh("r3"), mode, 1)
        with remoting.Connection(lab.remoting) as raw:
            properties = "KEYS\x01k1 k2\x02TAGS\x01T\x02own\x01größe\x02UNIQ_KEY\x017F00000100002A9F00000000000000AA"
            for n in range(3):
                checks.equal("code", raw.send_message(topic, 0, b"body %d" % n, properties, flag=n, born=1_700_000_000_000 + n)["code"], 0)
            got = list(remoting.frames(raw.pull(topic, 0, 0)["body"]))
        checks.equal("offsets", [frame["offset"] for frame in got], [0, 1, 2])
        for n, frame in enumerate(got):
            checks.equal("body", frame["body"], b"body %d" % n)
            checks.true(f"properties {frame['properties']!r}", all(part in frame["properties"] for part in properties.split("\x02")))
            checks.true(f"{mode}: the delivered frame differs from the stored one", stored(lab.gantry.data, frame) == frame["frame"])


def stored(data, frame):
    """The same bytes of the CommitLog, from the file whose name is the greatest start at or below the offset."""
    at, size = frame["commitOffset"], len(frame["frame"])
    path = max(p for p in (data / "commitlog").iterdir() if p.name.isdigit() and int(p.name) <= at)
    with open(path, "rb") as log:
        log.seek(at - int(path.name))
        return log.read(size)


@case("R4: Kafka to native to Kafka through an application that copies body and properties", needs=("bridge",))
def r4(lab):
    records = placed([record for record in samples.kafka_samples() if record["value"]])
    there, back = lab.create(lab.fresh("r4a"), "B", 1), lab.create(lab.fresh("r4b"), "S", 1)
    lab.kafka.run("produce", topic=there, records=records)
    read = sorted(lab.rmq533.run("consume", mode="pull", topics=[there], count=len(records)).records(), key=lambda r: r["offset"])
    copies = [{"value": r["value"], "flag": r["flag"], "partition": 0,
               "allProperties": {k: v for k, v in r["properties"].items() if k not in MEASURED}} for r in read]
    lab.rmq533.run("produce", topic=back, records=copies)
    got = checks.by_place(lab.kafka.run("consume", mode="assign", topics=[back], count=len(records), timeout=10_000).records())
    for offset, record in enumerate(records):
        wrong = mapping.Differences()
        wrong.expect("key", record["key"], got[0, offset]["key"])
        wrong.expect("value", record["value"], got[0, offset]["value"])
        own = {name for name, _ in record["headers"]}
        seen = [h for h in got[0, offset]["headers"] if h[0] in own or not h[0].startswith("rmq.")]
        wrong.expect("headers", sorted(record["headers"], key=repr), sorted(seen, key=repr))
        lab.cell(record["_kind"], wrong)
    for record in samples.kafka_samples():
        if not record["value"]:
            lab.cell(record["_kind"], skipped="the Java client refuses to send an empty body")


@case("R5: native to Kafka to native through an application that copies headers", needs=("bridge",))
def r5(lab):
    records = placed([record for record in samples.native_samples() if record["_kind"] != "property named rmq"])
    there, back = lab.create(lab.fresh("r5a"), "S", 1), lab.create(lab.fresh("r5b"), "B", 1)
    lab.rmq533.run("produce", topic=there, records=records)
    read = sorted(lab.kafka.run("consume", mode="assign", topics=[there], count=len(records)).records(), key=lambda r: r["offset"])
    lab.kafka.run("produce", topic=back, records=[{name: r[name] for name in ("key", "value", "headers", "timestamp", "partition")} for r in read])
    got = checks.by_place(lab.rmq533.run("consume", mode="pull", topics=[back], count=len(records)).records())
    for offset, record in enumerate(records):
        wrong, seen = mapping.Differences(), got[0, offset]
        wrong.expect("body", record["value"], seen["value"])
        wrong.expect("tags", record.get("tags"), seen["tags"])
        wrong.expect("flag", record.get("flag") or 0, seen["flag"])
        own = {k: v for k, v in mapping.user_properties(seen).items() if not k.startswith("rmq.")}
        wrong.expect("user properties", record.get("properties") or {}, own)
        lost = set((record.get("keys") or "").split()) - set((seen["keys"] or "").split())
        wrong.expect("lost keys", set(), lost)
        lab.cell(record["_kind"], wrong)


@case("R6: unknown rmq.* and kafka.h.* headers never change what happens to a record", needs=("bridge",))
def r6(lab):
    names = ["rmq.unheard", "rmq.reconsume.times", "rmq.origin.topic", "rmq.born.host", "rmq.prop.DELAY", "kafka.h.DELAY", "kafka.h.REAL_TOPIC"]
    for mode in ("B", "S"):
        topic = lab.create(lab.fresh("r6"), mode, 1)
        record = samples.kafka("r6", headers=[(name, b"3") for name in names])
        lab.kafka.run("produce", topic=topic, records=placed([record]))
        kafka = lab.kafka.run("consume", mode="assign", topics=[topic], count=1, timeout=5_000).records()
        native = lab.rmq533.run("consume", mode="pull", topics=[topic], count=1, timeout=5_000).records()
        checks.equal("records seen", (len(kafka), len(native)), (1, 1))
        checks.same(mapping.kafka_to_kafka(record, kafka[0]))
        checks.same(mapping.kafka_to_native(record, native[0]))


@case("bridge: a request header that cannot be kept is refused with INVALID_RECORD", needs=("bridge",))
def refused_headers(lab):
    for mode in ("B", "S"):
        topic = lab.create(lab.fresh("refuse"), mode, 1)
        with kafka_wire.Connection(lab.kafka_address) as raw:
            for header in (("rmq.delay.level", b"3"), ("rmq.delay.ms", b"1000"), ("rmq.deliver.at", b"1"), ("rmq.flag", b"seven")):
                error, _ = raw.produce(topic, 0, kafka_wire.batch([samples.kafka("good"), samples.kafka("bad", headers=[header])]))
                checks.equal(f"{mode}: {header[0]}", error, INVALID_RECORD)
            checks.equal("end", raw.fetch(topic, 0, 0)[1], 0)


@case("bridge: 32,767 records in a batch are taken, one more is too large; native pulls start inside", needs=("bridge",), limit=120)
def batch_limit(lab):
    topic = lab.create(lab.fresh("limit"), "B", 1)
    records = [{"key": None, "value": b"%d" % n, "timestamp": 1_700_000_000_000} for n in range(32_768)]
    with kafka_wire.Connection(lab.kafka_address) as raw:
        checks.equal("32768", raw.produce(topic, 0, kafka_wire.batch(records))[0], MESSAGE_TOO_LARGE)
        checks.equal("32767", raw.produce(topic, 0, kafka_wire.batch(records[:-1])), (0, 0))
        checks.equal("end", raw.fetch(topic, 0, 0, 64)[1], 32_767)
    for client in (lab.rmq533, lab.rmq498):
        got = client.run("consume", mode="pull", topics=[topic], offset=31_000, count=2_000, timeout=20_000).records()
        checks.equal("offsets and bodies", [(r["offset"], r["value"]) for r in got], [(n, b"%d" % n) for n in range(31_000, 32_767)])


@case("bridge: a compressed batch of 10,000 records is pulled natively, each record once", needs=("bridge",), limit=90)
def big_batch(lab):
    topic = lab.create(lab.fresh("big"), "B", 1)
    records = placed([{"key": b"k%d" % n, "value": b"value %d" % n, "headers": []} for n in range(10_000)])
    lab.franz.run("produce", topic=topic, records=records, codec="zstd")
    got = lab.rmq533.run("consume", mode="pull", topics=[topic], count=10_000, timeout=30_000).records()
    checks.equal("bodies", [r["value"] for r in sorted(got, key=lambda r: r["offset"])], [r["value"] for r in records])


@case("bridge: each dialect wakes the waiting consumer of the other within a second", needs=("bridge",))
def cross_latency(lab):
    topic = lab.create(lab.fresh("wake"), "B", 1)
    native = lab.rmq533.start("consume", mode="push", topics=[topic], group=lab.fresh("g"), timeout=40_000)
    kafka = lab.kafka.start("consume", mode="group", topics=[topic], group=lab.fresh("g"), timeout=40_000)
    send = {"kafka": lambda: lab.kafka.run("produce", topic=topic, records=placed([samples.kafka("w")])),
            "native": lambda: lab.rmq533.run("produce", topic=topic, records=placed([samples.native("w")]))}
    send["kafka"](), send["native"]()
    for call in (native, kafka):
        call.until(lambda line, c=call: len(c.records()) >= 2, 20)
    for turn in range(6):
        sent, writer = time.time() * 1000, ("kafka", "native")[turn % 2]
        send[writer]()
        for call in (native, kafka):
            call.until(lambda line, c=call, n=turn: len(c.records()) >= 3 + n, 10)
            took = call.records()[2 + turn]["receivedAt"] - sent
            checks.true(f"{call.client.name} waited {took:.0f} ms for a message from {writer}", took < 1000)
    native.stop(), kafka.stop()


@case("bridge: a topic created by either dialect is there for the other", needs=("bridge",))
def shared_topics(lab):
    by_native, by_kafka = lab.fresh("byn"), lab.fresh("byk")
    lab.rmq533.run("produce", topic=by_native, records=[samples.native("x", partition=0)])
    lab.franz.run("produce", topic=by_kafka, records=placed([samples.kafka("x")]))
    listed = lab.kafka.run("listTopics").lines[0]["topics"]
    checks.true(f"{by_native} or {by_kafka} is not in {listed}", {by_native, by_kafka} <= set(listed))
    hidden = [t for t in listed if t.startswith(("SCHEDULE_TOPIC", "RMQ_SYS", "rmq_sys", "TBW102", "SELF_TEST", "BenchmarkTest", "%"))]
    checks.equal("system topics listed to Kafka", hidden, [])
    checks.equal("native reads", len(lab.rmq498.run("consume", mode="pull", topics=[by_kafka], count=1, timeout=5_000).records()), 1)
    checks.equal("kafka reads", len(lab.kafka.run("consume", mode="assign", topics=[by_native], count=1, timeout=5_000).records()), 1)


@case("bridge: a dotted topic has the native alias %2E", needs=("bridge",))
def dotted(lab):
    topic = lab.create(lab.fresh("orders") + ".v1", "B", 1)
    alias = topic.replace(".", "%2E")
    lab.kafka.run("produce", topic=topic, records=placed([samples.kafka("k", value=b"from kafka")]))
    lab.rmq533.run("produce", topic=alias, records=placed([samples.native("n", b"from native")]))
    both = [b"from kafka", b"from native"]
    for client in (lab.rmq533, lab.rmq498):
        for mode in ("push", "pull"):
            got = client.run("consume", mode=mode, topics=[alias], group=lab.fresh("g"), count=2, timeout=10_000).records()
            checks.equal(f"{client.name} {mode}", sorted(r["value"] for r in got), both)
    got = lab.kafka.run("consume", mode="assign", topics=[topic], count=2, timeout=5_000).records()
    checks.equal("kafka reads", [r["value"] for r in got], both)


@case("bridge: tags set by a Kafka header are filtered for native consumers", needs=("bridge",))
def tags_of_kafka(lab):
    for mode in ("B", "S"):
        topic = lab.create(lab.fresh("ktag"), mode, 1)
        records = [samples.kafka("t", b"k%d" % n, b"%d" % n, [("rmq.tags", b"Even" if n % 2 == 0 else b"Odd")]) for n in range(10)]
        lab.kafka.run("produce", topic=topic, records=placed(records))
        got = lab.rmq533.run("consume", mode="push", topics=[topic], group=lab.fresh("g"), tags="Even", count=5, timeout=10_000).records()
        checks.equal(mode, sorted(r["value"] for r in got), [b"0", b"2", b"4", b"6", b"8"])
