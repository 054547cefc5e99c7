"""Directories cross over: a Java broker 5.3.3 opens what Gantry wrote, Gantry opens what the Java broker wrote.

Small files on both sides (mappedFileSizeCommitLog and the index sizes are RocketMQ's own keys), so that a copy is cheap
and the log rolls. The reader works on a copy: the original stays as evidence when a case fails."""
import shutil

from lib import checks, client, java_peer, kafka_wire, remoting, samples
from lib.lab import NotApplicable, case

LAYOUT = {"mappedFileSizeCommitLog": 1 << 20, "mappedFileSizeConsumeQueue": 20_000, "maxHashSlotNum": 50_000, "maxIndexNum": 200_000,
          "flushDiskType": "ASYNC_FLUSH", "fileReservedTime": 87_600}
COUNT = 40


def write_native(native, topic, acked):
    """Keys, tags, properties, a batch and a large body; `acked` gets (topic, queue, offset) -> (record, ack)."""
    records = [samples.native("n", b"native %d " % n + bytes(n * 20), keys=f"{topic}k{n} shared", tags=f"T{n % 3}", properties={"p": str(n)}, partition=n % 2)
               for n in range(COUNT)]
    records.append(samples.native("large", samples.LARGE * 3, keys=f"{topic}large", partition=0))
    sends = [(records, "sync"), ([r | {"partition": 1} for r in samples.batch_samples()], "batch")]
    for group, mode in sends:
        acks = native.run("produce", topic=topic, records=group, mode=mode).acks()
        for n, record in enumerate(group):
            acked[topic, acks[n]["partition"], acks[n]["offset"]] = (record, acks[n])


def write_kafka(kafka, topic, acked):
    """Batches in each codec, five records a batch and more."""
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        records = [samples.kafka("k", b"%s%d" % (codec.encode(), n), b"kafka %d" % n, [("codec", codec.encode())]) | {"partition": n % 2} for n in range(20)]
        acks = kafka.run("produce", topic=topic, records=records, codec=codec).acks()
        for n, record in enumerate(records):
            acked[topic, acks[n]["partition"], acks[n]["offset"]] = (record, acks[n])


def gantry_directory(lab, how):
    """A directory with S and B topics of both dialects, after a clean stop or a kill; and what was acknowledged."""
    gantry = lab.gantry_on(lab.fresh(f"written{how}"), **LAYOUT).start()
    native, kafka = client.rocketmq("533", gantry.namesrv, lab.home), client.kafka(gantry.kafka)
    acked = {}
    write_native(native, "nativeS", acked)
    for topic, configs in (("kafkaB", {}), ("kafkaS", {"queue.type": "SimpleCQ"})):
        kafka.run("createTopic", topic=topic, partitions=2, configs=configs)
        write_kafka(kafka, topic, acked)
        write_native(native, topic, acked)
    with remoting.Connection(gantry.remoting) as raw:
        raw.join("keeper")
        checks.equal("commit", raw.commit("keeper", "nativeS", 0, 5)["code"], 0)
    port = int(gantry.remoting.rsplit(":", 1)[1])
    native.close(), kafka.close()
    gantry.kill() if how == "kill" else gantry.stop()
    return gantry.data, acked, port


def java_reads_gantry(lab, how):
    data, acked, port = gantry_directory(lab, how)
    java = lab.java_on(lab.fresh("java"), copy(data, lab.home / lab.fresh("copy")), **LAYOUT, listenPort=port).start()
    native = client.rocketmq("533", java.namesrv, lab.home)
    try:
        for topic in ("nativeS", "kafkaS"):
            compare_single(lab, native, topic, acked)
        compare_batches(lab, native, "kafkaB", acked)
        if how == "stop":  # after a kill the last commits may still be in Gantry's own journal, which Java does not read
            with remoting.Connection(java.remoting) as raw:
                checks.equal("committed offset", raw.committed("keeper", "nativeS", 0), 5)
        appended = native.run("produce", topic="nativeS", records=[samples.native("after", b"after", partition=0)]).acks()[0]
        checks.equal("the next offset", appended["offset"], 1 + max(place[2] for place in acked if place[:2] == ("nativeS", 0)))
    finally:
        native.close()
        java.kill()  # it worked on a copy


def copy(source, target):
    """A plain copy: what an operator does with `cp -a` while nothing runs."""
    shutil.copytree(source, target, symlinks=True)
    return target


def compare_single(lab, native, topic, acked):
    """Every message of an S topic: offset, body, message id, key queries."""
    got = checks.by_place(native.run("consume", mode="pull", topics=[topic], timeout=20_000).records())
    wanted = {place[1:]: entry for place, entry in acked.items() if place[0] == topic}
    checks.equal(f"{topic}: places", sorted(got), sorted(wanted))
    for place, (record, ack) in wanted.items():
        checks.equal(f"{topic} {place}: body", got[place]["value"] or b"", record["value"] or b"")
        if ack.get("msgId") and not record["_kind"].startswith("batch"):
            checks.equal(f"{topic} {place}: msgId", got[place]["msgId"], ack["msgId"])
            checks.equal(f"{topic} {place}: offsetMsgId", got[place]["offsetMsgId"], ack["offsetMsgId"])
    for key in (f"{topic}k3", f"{topic}large"):
        if any(key in (record.get("keys") or "").split() for record, _ in wanted.values()):
            found = native.run("query", topic=topic, key=key).records()
            checks.equal(f"{topic}: found by {key}", [r["value"] for r in found], [record["value"] for record, _ in wanted.values() if key in (record.get("keys") or "").split()])
    lab.cell(f"{topic}: {len(wanted)} messages, ids and key queries are equal")


def compare_batches(lab, native, topic, acked):
    """A B topic as a stock broker serves it: native frames one by one, Kafka batches whole, base offset = queue offset."""
    covered, wanted = {}, {place[1:]: entry[0] for place, entry in acked.items() if place[0] == topic}
    for frame in native.run("consume", mode="pull", topics=[topic], timeout=20_000).records():
        if frame["sysFlag"] & 0xC0 != 0x80:
            covered[frame["partition"], frame["offset"]] = frame["value"]
            continue
        batch, = kafka_wire.batches(frame["value"])
        for n in range(int.from_bytes(batch[57:61], "big")):
            covered[frame["partition"], frame["offset"] + n] = None
    checks.equal(f"{topic}: places", sorted(covered), sorted(wanted))
    for place, value in covered.items():
        if value is not None:
            checks.equal(f"{topic} {place}: body", value, wanted[place]["value"])
    lab.cell(f"{topic}: {len(wanted)} offsets, {sum(v is None for v in covered.values())} of them in Kafka batches")


def java_directory(lab, how):
    """A directory that the Java broker wrote."""
    java = lab.java_on(lab.fresh(f"jwritten{how}"), None, **LAYOUT).start()
    native, acked = client.rocketmq("533", java.namesrv, lab.home), {}
    for topic in ("nativeS", "second"):
        write_native(native, topic, acked)
    with remoting.Connection(java.remoting) as raw:
        raw.join("keeper")
        checks.equal("commit", raw.commit("keeper", "nativeS", 0, 5)["code"], 0)
    consumed = native.run("consume", mode="push", topics=["second"], group="reader", count=len([p for p in acked if p[0] == "second"]), timeout=20_000)
    checks.true("the Java consumer read nothing", consumed.records())
    port = int(java.remoting.rsplit(":", 1)[1])
    native.close()
    java.kill() if how == "kill" else java.stop()
    return java.store, acked, port


def gantry_reads_java(lab, how):
    store, acked, port = java_directory(lab, how)
    gantry = lab.gantry_on(lab.fresh("opens"), **LAYOUT)
    copy(store, gantry.data)
    gantry.addresses = dict(zip(("namesrv", "kafka", "http"), (f"127.0.0.1:{p}" for p in java_peer.free_ports(3))), remoting=f"127.0.0.1:{port}")
    gantry.start()
    native, kafka = client.rocketmq("533", gantry.namesrv, lab.home), client.kafka(gantry.kafka)
    try:
        for topic in ("nativeS", "second"):
            compare_single(lab, native, topic, acked)
            seen = kafka.run("consume", mode="assign", topics=[topic], count=len([p for p in acked if p[0] == topic]), timeout=10_000).records()
            checks.equal(f"{topic} by Kafka", {(r["partition"], r["offset"]): r["value"] for r in seen},
                         {place[1:]: entry[0]["value"] for place, entry in acked.items() if place[0] == topic})
        if how == "stop":  # Java itself persists offsets every 5 s and loses the rest in a kill
            with remoting.Connection(gantry.remoting) as raw:
                checks.equal("committed offset", raw.committed("keeper", "nativeS", 0), 5)
        more = kafka.run("produce", topic="nativeS", records=[samples.kafka("after") | {"partition": 0}]).acks()[0]
        checks.equal("the next offset", more["offset"], 1 + max(place[2] for place in acked if place[:2] == ("nativeS", 0)))
    finally:
        native.close(), kafka.close()
        gantry.stop()


def java_reads_java(lab):
    """The case's own proof: the same comparisons when both sides are the original."""
    if not lab.oracle:
        raise NotApplicable("only against the originals")
    store, acked, port = java_directory(lab, "stop")
    java = lab.java_on(lab.fresh("again"), copy(store, lab.home / lab.fresh("copy")), **LAYOUT, listenPort=port).start()
    native = client.rocketmq("533", java.namesrv, lab.home)
    try:
        for topic in ("nativeS", "second"):
            compare_single(lab, native, topic, acked)
        with remoting.Connection(java.remoting) as raw:
            checks.equal("committed offset", raw.committed("keeper", "nativeS", 0), 5)
    finally:
        native.close()
        java.kill()


for _how in ("stop", "kill"):
    case(f"directory: the Java broker opens Gantry's after a {_how}", needs=("gantry",), limit=180)(lambda lab, how=_how: java_reads_gantry(lab, how))
    case(f"directory: Gantry opens the Java broker's after a {_how}", needs=("gantry",), limit=180)(lambda lab, how=_how: gantry_reads_java(lab, how))
case("directory: the Java broker opens the Java broker's", needs=("native",), limit=180)(java_reads_java)
