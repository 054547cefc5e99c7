"""One group, two dialects: shared offsets (G1), one membership mode at a time (G4), handover without loss (G6)."""
from lib import checks, remoting, samples
from lib.lab import case

NO_PERMISSION = 16


def fill(lab, topic, count):
    """Half of the messages from each dialect, on two partitions."""
    kafka = [samples.kafka("k", b"k", b"%d" % n) | {"partition": n % 2} for n in range(count // 2)]
    native = [samples.native("n", b"%d" % n, partition=n % 2) for n in range(count // 2)]
    lab.kafka.run("produce", topic=topic, records=kafka)
    lab.rmq533.run("produce", topic=topic, records=native)


def places(call):
    return [(record["partition"], record["offset"]) for record in call.records()]


@case("group: handover from native to Kafka and back loses nothing", needs=("bridge",), limit=120)
def handover(lab):
    for mode in ("B", "S"):
        topic, group = lab.create(lab.fresh("hand"), mode, 2), lab.fresh("g")
        fill(lab, topic, 60)
        seen = places(lab.rmq533.run("consume", mode="push", topics=[topic], group=group, count=25, timeout=20_000))
        seen += take(lab.kafka, topic, group, 20)
        seen += take(lab.franz, topic, group, 5)
        fill(lab, topic, 20)
        wanted = {(partition, offset) for partition in range(2) for offset in range(40)}
        back = lab.rmq498.start("consume", mode="push", topics=[topic], group=group, timeout=30_000)
        checks.eventually(f"{mode}: the rest", lambda: gather(back) | set(seen) == wanted, 20)
        back.stop()
        repeated = len(seen) + len(places(back)) - len(wanted)
        checks.true(f"{mode}: {repeated} messages came twice", repeated <= 8)  # at most what 4 listener threads had in hand, twice


def take(client, topic, group, count):
    call = client.run("consume", mode="group", topics=[topic], group=group, count=count, timeout=20_000)
    checks.equal(f"{client.name} as the next member got", len(call.records()), count)
    return places(call)


def gather(call):
    while not call.inbox.empty():
        call.next(1)
    return set(places(call))


@case("group: an offset committed by one dialect is read by the other", needs=("bridge",))
def one_offset(lab):
    for mode in ("B", "S"):
        topic, group = lab.create(lab.fresh("offset"), mode, 1), lab.fresh("g")
        lab.kafka.run("produce", topic=topic, records=[samples.kafka("k") | {"partition": 0} for _ in range(10)])
        checks.equal("before any commit", kafka_offset(lab, topic, group), -1)
        with remoting.Connection(lab.remoting) as raw:
            raw.join(group)
            checks.equal("commit", raw.commit(group, topic, 0, 7)["code"], 0)
        checks.equal("kafka reads", kafka_offset(lab, topic, group), 7)
        take(lab.kafka, topic, group, 2)
        with remoting.Connection(lab.remoting) as raw:
            checks.equal("native reads", raw.committed(group, topic, 0), 9)


def kafka_offset(lab, topic, group):
    return lab.kafka.run("committed", topic=topic, group=group).lines[0]["queue"]["offset"]


@case("group: a Kafka member is refused while native members are there", needs=("bridge",))
def kafka_refused(lab):
    topic, group = lab.create(lab.fresh("mixed"), "B", 2), lab.fresh("g")
    fill(lab, topic, 4)
    holder = lab.rmq533.start("consume", mode="push", topics=[topic], group=group, timeout=40_000)
    holder.until(lambda line: len(holder.records()) >= 4, 20)
    for client in (lab.kafka, lab.franz):
        checks.refused(lambda c=client: c.run("consume", mode="group", topics=[topic], group=group, timeout=8_000),
                       "InconsistentGroupProtocol", "INCONSISTENT_GROUP_PROTOCOL")
    holder.stop()
    fill(lab, topic, 4)
    take(lab.kafka, topic, group, 4)


@case("group: a native consumer gets nothing while Kafka members are there", needs=("bridge",), limit=90)
def native_refused(lab):
    topic, group = lab.create(lab.fresh("mixed"), "B", 2), lab.fresh("g")
    holder = lab.kafka.start("consume", mode="group", topics=[topic], group=group, timeout=60_000)
    holder.event("assigned")
    fill(lab, topic, 4)
    other = lab.rmq533.run("consume", mode="push", topics=[topic], group=group, count=1, timeout=4_000)
    checks.equal("the native member got", len(other.records()), 0)
    with remoting.Connection(lab.remoting) as raw:
        answer = raw.pull(topic, 0, 0, group)
        checks.equal("code", answer["code"], NO_PERMISSION)
        checks.true(f"the remark names no holder: {answer.get('remark')}", "kafka" in (answer.get("remark") or "").lower())
    checks.eventually("the holder keeps its messages", lambda: len(gather(holder)) == 4, 10)
    holder.stop()
    fill(lab, topic, 4)
    again = lab.rmq533.run("consume", mode="push", topics=[topic], group=group, count=4, timeout=20_000)
    checks.equal("after the holder left", len(again.records()), 4)


@case("group: assign() and a native group may read the same topic side by side", needs=("bridge",))
def assign_beside(lab):
    topic = lab.create(lab.fresh("beside"), "B", 2)
    fill(lab, topic, 10)
    native = lab.rmq533.start("consume", mode="push", topics=[topic], group=lab.fresh("g"), count=10, timeout=20_000)
    kafka = lab.kafka.run("consume", mode="assign", topics=[topic], count=10, timeout=10_000)
    native.wait()
    checks.equal("places", sorted(places(native)), sorted(places(kafka)))
