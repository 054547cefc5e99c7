"""Administration by Kafka's own AdminClient: topics, settings with their effect, deleted records, the cluster."""
import re
import struct
import time

from lib import checks, java_peer, kafka_wire, remoting, samples
from lib.client import ClientError
from lib.client import kafka as kafka_client
from lib.lab import case


def admin(client, call, timeout=30, **fields):
    """What one call of the AdminClient says."""
    lines = client.run("admin", timeout, call=call, **fields).lines
    return lines[0] if lines else None


def refused(call, kind):
    checks.refused(call, kind)


def produce(client, topic, values, partition=0):
    records = [dict(samples.kafka("a", b"k", value), partition=partition) for value in values]
    return client.run("produce", topic=topic, records=records, oneByOne=True)


def bounds(client, topic):
    """(min, max) of partition 0."""
    queue = client.run("offsets", topic=topic).lines[0]["queue"]
    return queue["min"], queue["max"]


def setting(client, topic, name):
    said = admin(client, "describeConfigs", name=topic)["configs"][name]
    return said["value"], said["source"]


def alter(client, topic, *changes, **more):
    admin(client, "alterConfigs", name=topic, changes=list(changes), **more)


NODE = "@node"  # the broker's own number, which differs
KNOWN, MISSING, ILLEGAL = "@known", "nonesuch", "a b"

NOT_ENOUGH_REPLICAS = 19

# Each is asked of Kafka 4.1, too; both must refuse for the same reason, or both accept.
FAULTS = [
    ("createTopic", dict(topic="@new", partitions=0)),
    ("createTopic", dict(topic="@new", partitions=-5)),
    ("createTopic", dict(topic="@new", replication=3)),
    ("createTopic", dict(topic="@new", replication=0)),
    ("createTopic", dict(topic=KNOWN)),
    ("createTopic", dict(topic=ILLEGAL)),
    ("createTopic", dict(topic="@new", assignments="77")),
    ("createTopic", dict(topic="@new", assignments=f"{NODE},{NODE}", validateOnly=True)),
    *[("createTopic", dict(topic="@new", validateOnly=True, configs=configs)) for configs in (
        {"no.such": "1"}, {"retention.ms": "abc"}, {"retention.ms": "-2"}, {"retention.ms": None}, {"cleanup.policy": "shred"},
        {"cleanup.policy": ""}, {"min.insync.replicas": "0"}, {"segment.bytes": "100"}, {"max.message.bytes": "-1"}, {"preallocate": "yes"},
        {"compression.type": "rar"}, {"remote.storage.enable": "true"}, {"compression.gzip.level": "0"}, {"flush.ms": " 5 "},
        {"leader.replication.throttled.replicas": "a:b"}, {"min.cleanable.dirty.ratio": "1.5"}, {"unclean.leader.election.enable": "TRUE"},
        {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}, {"retention.bytes": "-7"}, {"segment.jitter.ms": "-1"})],
    ("createPartitions", dict(topic=KNOWN, count=2)),
    ("createPartitions", dict(topic=KNOWN, count=1)),
    ("createPartitions", dict(topic=KNOWN, count=0)),
    ("createPartitions", dict(topic=KNOWN, count=-1)),
    ("createPartitions", dict(topic=MISSING, count=3)),
    ("createPartitions", dict(topic=ILLEGAL, count=3)),
    ("createPartitions", dict(topic=KNOWN, count=4, assignments=NODE)),
    ("createPartitions", dict(topic=KNOWN, count=3, assignments="77")),
    ("createPartitions", dict(topic=KNOWN, count=3, assignments=NODE, validateOnly=True)),
    ("describeTopics", dict(topics=[MISSING])),
    ("describeTopics", dict(topics=[ILLEGAL])),
    *[("describeConfigs", dict(type=kind, name=name)) for kind, name in (
        ("TOPIC", MISSING), ("TOPIC", ILLEGAL), ("TOPIC", ""), ("BROKER", "77"), ("BROKER", "x"), ("BROKER_LOGGER", "77"), ("UNKNOWN", "x"))],
    *[("alterConfigs", dict(name=KNOWN, changes=list(changes), validateOnly=True)) for changes in (
        ["SET retention.ms 1000"], ["SET retention.ms abc"], ["SET no.such 1"], ["SET retention.ms"], ["DELETE retention.ms"], ["DELETE no.such"],
        ["APPEND retention.ms 5"], ["APPEND cleanup.policy shred"], ["APPEND cleanup.policy compact"], ["SUBTRACT cleanup.policy delete"],
        ["SET retention.ms 1", "SET retention.ms 2"], ["SET min.compaction.lag.ms 7", "SET max.compaction.lag.ms 3"])],
    *[("alterConfigs", dict(name=name, changes=["SET retention.ms 5"])) for name in (MISSING, ILLEGAL, "")],
    *[("alterConfigs", dict(type=kind, name=name, changes=[change], validateOnly=True)) for kind, name, change in (
        ("BROKER", NODE, "SET message.max.bytes 5000000"), ("BROKER", NODE, "SET message.max.bytes abc"), ("BROKER", NODE, "SET num.partitions 3"),
        ("BROKER", "77", "SET message.max.bytes 5000000"), ("BROKER", "x", "SET message.max.bytes 5"), ("UNKNOWN", "x", "SET a b"))],
    *[("deleteRecords", dict(topic=topic, partition=partition, offset=offset)) for topic, partition, offset in (
        (KNOWN, 0, 99), (KNOWN, 0, -2), ("@compact", 0, 0), (KNOWN, 0, 0))],
    *[("electLeaders", dict(type=kind, topic=topic, partition=partition)) for kind, topic, partition in (
        ("PREFERRED", KNOWN, 0), ("UNCLEAN", KNOWN, 0), ("PREFERRED", KNOWN, 7), ("PREFERRED", MISSING, 0))],
    ("electLeaders", dict()),
    *[("reassign", dict(topic=topic, partition=partition, **to)) for topic, partition, to in (
        (KNOWN, 0, {"replicas": NODE}), (KNOWN, 0, {"replicas": "77"}), (KNOWN, 0, {"replicas": f"{NODE},77"}), (KNOWN, 0, {}),
        (KNOWN, 7, {"replicas": NODE}), (MISSING, 0, {"replicas": NODE}))],
    ("listReassignments", dict()),
    *[("listOffsets", dict(topic=topic, partition=partition, spec=spec)) for topic, partition, spec in (
        (KNOWN, 0, "earliest"), (KNOWN, 0, "latest"), (KNOWN, 0, "max"), (KNOWN, 0, "local"), (KNOWN, 0, "tiered"), (KNOWN, 0, "time"))],
]

string, number = kafka_wire.string, lambda n: struct.pack(">i", n)
TOPIC = 2


def array(*items):
    return number(len(items)) + b"".join(items)


def new_topic(name, partitions=1, replication=1, assigned=()):
    rows = [number(partition) + array(*map(number, brokers)) for partition, brokers in assigned]
    return string(name) + struct.pack(">ih", partitions, replication) + array(*rows) + array()


def resource(kind, name, *configs):
    return struct.pack(">b", kind) + string(name) + array(*configs)


def raw_faults(known, node):
    """(what, key, version, body, form of the answer): what the AdminClient does not say, or asks again and again."""
    end, keep = number(5_000), b"\1"
    delete = lambda topic, partition, offset: array(string(topic) + array(struct.pack(">iq", partition, offset))) + end
    for topic, partition, offset in ((known, 7, 0), (known, -1, 0), (MISSING, 0, 0), (known, 0, 2**62)):
        yield f"DeleteRecords {partition} {offset}", 21, 1, delete(topic, partition, offset), "i[s[iqh]]"
    for words in ((MISSING,), (ILLEGAL,), (MISSING, MISSING), ()):
        yield f"DeleteTopics {words}", 20, 3, array(*map(string, words)) + end, "i[sh]"
    grow = lambda topic, count: string(topic) + number(count) + number(-1)
    yield "CreatePartitions twice", 37, 1, array(grow(known, 5), grow(known, 6)) + end + keep, "i[sh?]"
    yield "ElectLeaders 9", 43, 1, b"\x09" + array(string(known) + array(number(0))) + end, "ih[s[ih?]]"
    described = "i[h?bs[ssbbb[ssb]]]"
    for kind in (0, 3):
        yield f"DescribeConfigs of type {kind}", 32, 1, array(struct.pack(">b", kind) + string("x") + number(-1)) + b"\0", described
    keys = struct.pack(">b", TOPIC) + string(known) + array(string("retention.bytes"), string("nope"))
    yield "DescribeConfigs of two names", 32, 1, array(keys) + b"\1", described
    pair = lambda name, value: string(name) + string(value)
    for words in ([("retention.ms", "5")], [("retention.ms", None)], [("no.such", "1")], [("retention.ms", "x")], [("retention.ms", "5")] * 2):
        yield f"AlterConfigs {words}", 33, 1, array(resource(TOPIC, known, *[pair(*one) for one in words])) + keep, "i[h?bs]"
    yield "AlterConfigs of nothing", 33, 1, array(resource(TOPIC, MISSING)) + keep, "i[h?bs]"
    change = lambda name, operation, value: string(name) + struct.pack(">b", operation) + string(value)
    for words in (("retention.ms", 0, None), ("retention.ms", 1, "ignored"), ("cleanup.policy", 2, None)):
        yield f"IncrementalAlterConfigs {words}", 44, 0, array(resource(TOPIC, known, change(*words))) + keep, "i[h?bs]"
    yield "IncrementalAlterConfigs twice", 44, 0, array(resource(TOPIC, known), resource(TOPIC, known)) + keep, "i[h?bs]"
    for kind in (0, 3):
        yield f"IncrementalAlterConfigs of type {kind}", 44, 0, array(resource(kind, "x", change("a", 0, "b"))) + keep, "i[h?bs]"
    for at in (-3, -6, 0, 2**62):
        ask = struct.pack(">i", -1) + array(string(known) + array(struct.pack(">iq", 0, at), struct.pack(">iq", 7, at)))
        yield f"ListOffsets {at}", 2, 1, ask, "[s[ihqq]]"
    for what, topics in (("twice", [new_topic("twice"), new_topic("twice")]), ("with a hole", [new_topic("hole", -1, -1, [(1, [node])])]),
                         ("with two replicas", [new_topic("two", -1, -1, [(0, [node, node])])]), ("of nobody", [new_topic("none", -1, -1, [(0, [])])]),
                         ("with counts, too", [new_topic("counts", 1, 1, [(0, [node])])]), ("without a name", [new_topic("")])):
        yield f"CreateTopics {what}", 19, 4, array(*topics) + end + keep, "i[sh?]"


def parsed(form, answer):
    """The values of an answer without its words ("?"): `i` 32, `q` 64, `h` 16, `b` 8 bits, `s` text, `[ ]` an array."""
    values, rest = fields(form, 0, answer, 0)
    checks.equal("bytes behind the answer", len(answer) - rest, 0)
    return values


def fields(form, at, data, place):
    values = []
    while at < len(form) and form[at] != "]":
        kind, at = form[at], at + 1
        if kind == "[":
            count, place = *struct.unpack_from(">i", data, place), place + 4
            rows, depth = [], 1
            for _ in range(count):
                row, place = fields(form, at, data, place)
                rows.append(row)
            while depth:
                depth, at = depth + {"[": 1, "]": -1}.get(form[at], 0), at + 1
            values.append(sorted(rows, key=str))
        elif kind in "s?":
            size, place = *struct.unpack_from(">h", data, place), place + 2
            text = None if size < 0 else data[place:place + size].decode()
            place += max(size, 0)
            values += [text] if kind == "s" else []
        else:
            values += struct.unpack_from(">" + kind, data, place)
            place += struct.calcsize(">" + kind)
    return values, place


# What the AdminClient says of both, without what must differ.
SAID = {"createTopic": ("partitions", "replication"), "electLeaders": ("outcome",), "listReassignments": ("partitions",),
        "listOffsets": ("offset", "timestamp", "epoch"), "deleteRecords": ("lowWatermark",)}


def outcome(client, node, names, call, fields):
    """What became of a call: the words that count, or the error's class."""
    put = lambda value: names.get(value, value.replace(NODE, node)) if isinstance(value, str) else value
    fields = {name: [put(one) for one in value] if isinstance(value, list) else put(value) for name, value in fields.items()}
    try:
        said = admin(client, call, **fields) or {}
    except ClientError as error:
        return (re.findall(r"errors\.(\w+)", str(error)) or [str(error)])[0]
    return {name: str(said[name]).replace(names[KNOWN], KNOWN) for name in SAID.get(call, ())}


@case("kafka admin: faults have the outcome that they have with Kafka 4.1", needs=("gantry",), limit=240)
def faults(lab):
    peer = java_peer.Kafka(lab.home / "fault-peer").start()
    other = kafka_client(peer.kafka)
    try:
        names = {KNOWN: lab.fresh("known"), "@new": lab.fresh("new"), "@compact": lab.fresh("compact")}
        for client in (lab.kafka, other):
            admin(client, "createTopic", topic=names[KNOWN], partitions=2)
            admin(client, "createTopic", topic=names["@compact"], partitions=1, configs={"cleanup.policy": "compact"})
            produce_at(client, names[KNOWN])
        for call, fields in FAULTS:
            theirs, ours = outcome(other, "1", names, call, fields), outcome(lab.kafka, "0", names, call, fields)
            what = f"{call} {fields}" if fields else call
            lab.cell(what, [] if ours == theirs else [f"Gantry: {ours}", f"Kafka: {theirs}"])
        with kafka_wire.Connection(lab.kafka_address) as here, kafka_wire.Connection(peer.kafka) as there:
            pairs = zip(raw_faults(names[KNOWN], 0), raw_faults(names[KNOWN], 1))
            for (what, key, version, mine, form), (_, _, _, yours, _) in pairs:
                ours, theirs = parsed(form, here.request(key, version, mine)), parsed(form, there.request(key, version, yours))
                lab.cell(what, [] if ours == theirs else [f"Gantry: {ours}", f"Kafka: {theirs}"])
    finally:
        other.close()
        peer.kill()


def produce_at(client, topic):
    """Three records whose times neither rise nor depend on the clock's day."""
    base = int(time.time()) // 86_400 * 86_400_000
    times = (base + 5, base + 9, base + 7)
    records = [dict(samples.kafka("a", b"k", b"v"), partition=0, timestamp=at) for at in times]
    client.run("produce", topic=topic, records=records, oneByOne=True)


@case("kafka admin: every setting of a topic is described as Kafka describes it", needs=("gantry",), limit=120)
def described(lab):
    peer = java_peer.Kafka(lab.home / "config-peer").start()
    other = kafka_client(peer.kafka)
    try:
        topic, said = lab.fresh("described"), []
        for client in (lab.kafka, other):
            admin(client, "createTopic", topic=topic, partitions=1, configs={"max.message.bytes": "2000", "cleanup.policy": "compact,delete"})
            said.append(admin(client, "describeConfigs", name=topic)["configs"])
        ours, theirs = said
        checks.equal("names", sorted(set(ours) - {"queue.type", "message.type"}), sorted(theirs))
        # retention.ms says how long log files are kept here; min.insync.replicas is set for the cluster there.
        for name in sorted(set(theirs) - {"retention.ms", "min.insync.replicas"}):
            for field in ("value", "source", "type", "readOnly", "sensitive", "documented"):
                checks.equal(f"{name}: {field}", ours[name][field], theirs[name][field])
        checks.equal("synonyms", ours["max.message.bytes"]["synonyms"], theirs["max.message.bytes"]["synonyms"])
        mine = admin(lab.kafka, "describeConfigs", type="BROKER", name="0")["configs"]
        known = admin(other, "describeConfigs", type="BROKER", name="1")["configs"]
        checks.equal("broker settings that Kafka does not know", sorted(set(mine) - set(known)), [])
        checks.true("advertised.listeners", mine["advertised.listeners"]["value"].startswith("PLAINTEXT://127.0.0.1:"))
    finally:
        other.close()
        peer.kill()


@case("kafka admin: an altered setting acts at once", needs=("kafka",))
def altered(lab):
    topic = lab.create(lab.fresh("altered"), "B", 1)
    large = [b"x" * 3000]
    produce(lab.kafka, topic, large)
    alter(lab.kafka, topic, "SET max.message.bytes 2000", validateOnly=True)
    produce(lab.kafka, topic, large)
    alter(lab.kafka, topic, "SET max.message.bytes 2000")
    checks.equal("the setting", setting(lab.kafka, topic, "max.message.bytes"), ("2000", "DYNAMIC_TOPIC_CONFIG"))
    refused(lambda: produce(lab.kafka, topic, large), "RecordTooLarge")
    alter(lab.kafka, topic, "DELETE max.message.bytes")
    checks.equal("the setting", setting(lab.kafka, topic, "max.message.bytes"), ("1048588", "DEFAULT_CONFIG"))
    produce(lab.kafka, topic, large)
    alter(lab.kafka, topic, "SET message.timestamp.type LogAppendTime")
    ack = lab.kafka.run("produce", topic=topic, records=[dict(samples.kafka("a"), partition=0, timestamp=1_000)]).lines[0]
    checks.true(f"the time of the record is {ack['timestamp']}", ack["timestamp"] > 1_600_000_000_000)
    alter(lab.kafka, topic, "DELETE message.timestamp.type", "SET message.timestamp.before.max.ms 1000")
    old = [dict(samples.kafka("a"), partition=0, timestamp=1_000)]
    refused(lambda: lab.kafka.run("produce", topic=topic, records=old), "InvalidTimestamp")
    alter(lab.kafka, topic, "DELETE message.timestamp.before.max.ms", "APPEND cleanup.policy compact")
    checks.equal("cleanup.policy", setting(lab.kafka, topic, "cleanup.policy")[0], "delete,compact")
    keyless = [dict(samples.kafka("a", None, b"v"), partition=0)]
    refused(lambda: lab.kafka.run("produce", topic=topic, records=keyless), "InvalidRecord")
    alter(lab.kafka, topic, "SUBTRACT cleanup.policy compact", "SET min.insync.replicas 2")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        checks.equal("acks=all with too few replicas", raw.produce(topic, 0, kafka_wire.batch(keyless))[0], NOT_ENOUGH_REPLICAS)
        checks.equal("acks=1", raw.produce(topic, 0, kafka_wire.batch(keyless), acks=1)[0], 0)


@case("kafka admin: a default of the broker acts on topics that set nothing", needs=("gantry",))
def broker_default(lab):
    topic, large = lab.create(lab.fresh("default"), "B", 1), [b"x" * 3000]
    for name, source in (("0", "DYNAMIC_BROKER_CONFIG"), ("", "DYNAMIC_DEFAULT_BROKER_CONFIG")):
        alter(lab.kafka, name, "SET message.max.bytes 2000", type="BROKER")
        checks.equal("the setting", setting(lab.kafka, topic, "max.message.bytes"), ("2000", source))
        refused(lambda: produce(lab.kafka, topic, large), "RecordTooLarge")
        alter(lab.kafka, name, "DELETE message.max.bytes", type="BROKER")
        produce(lab.kafka, topic, large)
    for change in ("SET num.partitions 2", "SET log.dirs /", "SET no.such 1"):
        refused(lambda c=change: alter(lab.kafka, "0", c, type="BROKER"), "InvalidRequest")


@case("kafka admin: added partitions are there for both dialects", needs=("bridge",))
def grown(lab):
    for mode in ("B", "S"):
        topic = lab.create(lab.fresh("grown"), mode, 2)
        produce(lab.kafka, topic, [b"before"], 1)
        admin(lab.kafka, "createPartitions", topic=topic, count=5)
        checks.equal(f"{mode}: partitions", lab.kafka.run("describeTopic", topic=topic).lines[0]["partitions"], 5)
        with remoting.Connection(lab.namesrv) as ask:
            route = ask.request(remoting.GET_ROUTE, {"topic": topic})["body"].decode()
        counts = set(re.findall(r'"(?:read|write)QueueNums":(\d+)', route))
        checks.equal(f"{mode}: queues in the route", counts, {"5"})
        # the client learns of new partitions with its next metadata
        checks.eventually("a record in partition 4", lambda: produced(lab.kafka, topic, 4), 20)
        with remoting.Connection(lab.remoting) as raw:
            checks.equal(f"{mode}: messages of queue 4", raw.max_offset(topic, 4), 1)
            checks.equal(f"{mode}: messages of queue 1", raw.max_offset(topic, 1), 1)


def produced(client, topic, partition):
    try:
        produce(client, topic, [b"after"], partition)
        return True
    except ClientError:
        return False


@case("kafka admin: deleted records are gone for both dialects", needs=("kafka",))
def deleted(lab):
    for mode in (("B", "S") if "bridge" in lab.has else ("B",)):
        topic = lab.create(lab.fresh("deleted"), mode, 1)
        produce(lab.kafka, topic, [b"v%d" % n for n in range(10)])
        checks.equal(f"{mode}: low watermark", admin(lab.kafka, "deleteRecords", topic=topic, offset=4)["lowWatermark"], 4)
        checks.equal(f"{mode}: bounds", bounds(lab.kafka, topic), (4, 10))
        checks.equal(f"{mode}: an older offset", admin(lab.kafka, "deleteRecords", topic=topic, offset=2)["lowWatermark"], 4)
        with kafka_wire.Connection(lab.kafka_address) as raw:
            checks.equal(f"{mode}: a fetch below", raw.fetch(topic, 0, 3)[0], 1)
        read = lab.kafka.run("consume", mode="group", topics=[topic], group=lab.fresh("g"), count=6, timeout=20_000, **{"from": "first"})
        checks.equal(f"{mode}: records", sorted(record["offset"] for record in read.records()), list(range(4, 10)))
        if "bridge" in lab.has:
            with remoting.Connection(lab.remoting) as raw:
                checks.equal(f"{mode}: minimum of the queue", native_min(raw, topic), 4)
                checks.equal(f"{mode}: a pull below", raw.pull(topic, 0, 0)["extFields"]["nextBeginOffset"], "4")
                found = raw.pull(topic, 0, 4)
                checks.equal(f"{mode}: a pull", [frame["offset"] for frame in remoting.frames(found["body"])], list(range(4, 10)))
        checks.equal(f"{mode}: all", admin(lab.kafka, "deleteRecords", topic=topic, offset=-1)["lowWatermark"], 10)
        checks.equal(f"{mode}: the newest record", admin(lab.kafka, "listOffsets", topic=topic, spec="max")["offset"], -1)


def native_min(raw, topic):
    return int(raw.request(remoting.GET_MIN_OFFSET, {"topic": topic, "queueId": 0})["extFields"]["offset"])


@case("kafka admin: settings, partitions and beginnings outlive a kill", needs=("bridge",), limit=90)
def outlive(lab):
    broker = lab.gantry_on("outlive").start()
    client = kafka_client(broker.kafka)
    try:
        admin(client, "createTopic", topic="kept", partitions=1)
        produce(client, "kept", [b"a", b"b", b"c"])
        alter(client, "kept", "SET max.message.bytes 4321")
        alter(client, "", "SET message.max.bytes 54321", type="BROKER")
        admin(client, "createPartitions", topic="kept", count=3)
        admin(client, "deleteRecords", topic="kept", offset=2)
        broker.child.kill()
        broker.child.wait()
        broker.start()
        checks.equal("max.message.bytes", setting(client, "kept", "max.message.bytes"), ("4321", "DYNAMIC_TOPIC_CONFIG"))
        synonyms = admin(client, "describeConfigs", name="kept")["configs"]["max.message.bytes"]["synonyms"]
        checks.equal("the broker's default", synonyms[1], ["message.max.bytes", "54321", "DYNAMIC_DEFAULT_BROKER_CONFIG"])
        checks.equal("partitions", client.run("describeTopic", topic="kept").lines[0]["partitions"], 3)
        checks.equal("bounds", bounds(client, "kept"), (2, 3))
        with remoting.Connection(broker.addresses["remoting"]) as raw:
            checks.equal("minimum of the queue", native_min(raw, "kept"), 2)
    finally:
        client.close()
        broker.stop()


@case("kafka admin: the age and size that a topic allows bound what both dialects read", needs=("bridge",), limit=90)
def retention(lab):
    broker = lab.gantry_on("retention", **{"log.retention.check.interval.ms": 1000, "flushConsumerOffsetInterval": 100}).start()
    client = kafka_client(broker.kafka)
    try:
        for mode in ("BatchCQ", "SimpleCQ"):
            aged, sized = f"aged_{mode}", f"sized_{mode}"
            for topic in (aged, sized):
                admin(client, "createTopic", topic=topic, partitions=1, configs={"queue.type": mode})
                produce(client, topic, [b"x" * 1000] * 5)
            alter(client, aged, "SET retention.ms 600000")
            checks.equal(f"{aged}: bounds", bounds(client, aged), (0, 5))
            alter(client, aged, "SET retention.ms 1")
            checks.eventually(f"{aged}: the beginning moves", lambda t=aged: bounds(client, t) == (5, 5), 10)
            size = sizes(client)[f"{sized}-0"]
            checks.true(f"{sized}: {size} bytes", 5_000 < size < 8_000)
            alter(client, sized, f"SET retention.bytes {size * 2 // 5}")
            checks.equal(f"{sized}: bounds", bounds(client, sized), (3, 5))
            produce(client, sized, [b"x" * 1000])
            checks.eventually(f"{sized}: the beginning follows", lambda t=sized: bounds(client, t) == (4, 6), 10)
            checks.equal(f"{sized}: bytes", sizes(client)[f"{sized}-0"] * 5, size * 2)
            with remoting.Connection(broker.addresses["remoting"]) as raw:
                checks.equal(f"{sized}: minimum of the queue", native_min(raw, sized), 4)
                checks.equal(f"{aged}: minimum of the queue", native_min(raw, aged), 5)
            produce(client, aged, [b"new"])
            checks.equal(f"{aged}: end", bounds(client, aged)[1], 6)
    finally:
        client.close()
        broker.stop()


def sizes(client):
    return admin(client, "describeLogDirs")["sizes"]


@case("kafka admin: the cluster, its topics page by page, its disks and producers are described", needs=("kafka",))
def cluster(lab):
    topics = [lab.create(lab.fresh("page"), "B", count) for count in (5, 1, 3)]
    for page in (1, 2, 4, 9, 2000):
        lines = lab.kafka.run("admin", call="describeTopics", topics=topics, page=page).lines
        found = {line["topic"]: sorted(line["partitions"]) for line in lines}
        checks.equal(f"partitions by {page}", found, {topic: list(range(count)) for topic, count in zip(topics, (5, 1, 3))})
        checks.equal("operations", lines[0]["operations"], OPERATIONS)
    said = admin(lab.kafka, "describeCluster")
    checks.equal("nodes", [node.split()[0] for node in said["nodes"]], [str(said["controller"])])
    checks.true(f"cluster id {said['clusterId']}", len(said["clusterId"]) == 22)
    before = admin(lab.kafka, "describeLogDirs")
    produce(lab.kafka, topics[0], [b"x" * 1000] * 5)
    after = admin(lab.kafka, "describeLogDirs")
    grown = after["sizes"][f"{topics[0]}-0"] - before["sizes"][f"{topics[0]}-0"]
    checks.true(f"5 messages of 1000 bytes take {grown} bytes", 5_000 < grown < 8_000)
    checks.equal("bytes of an empty partition", after["sizes"][f"{topics[0]}-1"], 0)
    checks.true(f"room {after['usable']} of {after['total']}", 0 < after["usable"] <= after["total"])
    producer = admin(lab.kafka, "describeProducers", topic=topics[0])["producer"]
    # the client raises its epoch by itself after a batch that was refused or timed out in a case before
    checks.true(f"epoch {producer[0]}", producer[0] >= 0)
    checks.equal("last sequence", producer[1], 4)
    checks.true(f"its time {producer[2]}", abs(time.time() * 1000 - producer[2]) < 60_000)
    checks.equal("coordinator epoch or open transaction", producer[3:], [False, False])
    checks.equal("producers of an unused partition", admin(lab.kafka, "describeProducers", topic=topics[0], partition=1), None)
    known = admin(lab.kafka, "listConfigResources")["resources"]
    checks.equal("resources", [one for one in known if one.split()[-1] in topics], [f"TOPIC {topic}" for topic in sorted(topics)])


OPERATIONS = ["ALTER", "ALTER_CONFIGS", "CREATE", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS", "READ", "WRITE"]


@case("kafka admin: clients are told the broker's rack", needs=("gantry",))
def rack(lab):
    broker = lab.gantry_on("rack", **{"broker.rack": "cellar-2"}).start()
    client = kafka_client(broker.kafka)
    try:
        admin(client, "createTopic", topic="racked", partitions=1)
        checks.equal("nodes of the cluster", admin(client, "describeCluster")["nodes"], ["0 cellar-2"])
        checks.equal("rack of the leader", admin(client, "describeTopics", topics=["racked"])["rack"], "cellar-2")
    finally:
        client.close()
        broker.stop()
