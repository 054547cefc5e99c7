"""Groups as Kafka's tool shows, resets and deletes them. Runs against the Java broker, too."""
import struct

from lib import checks, consumer_groups, kafka_wire, samples
from lib.lab import case

DESCRIBE_GROUPS, LIST_GROUPS, DELETE_GROUPS, OFFSET_DELETE = 15, 16, 42, 47
UNKNOWN_TOPIC_OR_PARTITION, NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC = 3, 68, 69, 86


def tool(lab, *words):
    return consumer_groups.run(lab.kafka_address, *words)


def filled(lab, count, partitions=2, mode="B"):
    """A topic with `count` records on each partition."""
    topic = lab.create(lab.fresh("grp"), mode, partitions)
    records = [samples.kafka("k", b"k", b"%d" % n) | {"partition": n % partitions} for n in range(count * partitions)]
    lab.kafka.run("produce", topic=topic, records=records)
    return topic


def committed_group(lab, topic, offsets):
    """A group without members that committed these offsets, one a partition."""
    group = lab.fresh("g")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        raw.join(group)
        for partition, offset in enumerate(offsets):
            checks.equal("commit", raw.commit(group, topic, partition, offset), 0)
    return group


def member(lab, topic, group, **configs):
    """A live consumer that has everything; stop() it."""
    call = lab.kafka.start("consume", mode="group", topics=[topic], group=group, timeout=90_000, configs=configs)
    call.event("assigned")
    return call


def rows(lines):
    return consumer_groups.table(lines)


@case("groups: a live consumer group is listed and described with its members", needs=("kafka",), limit=90)
def describe_live(lab):
    topic, group = filled(lab, 5), lab.fresh("g.live")
    live = member(lab, topic, group, **{"client.id": "describe-me"})
    live.until(lambda line: len(live.records()) == 10)
    checks.true("listed", group in tool(lab, "--list"))
    checks.true("listed as stable", f"{group} Stable" in [" ".join(line.split()) for line in tool(lab, "--list", "--state", "stable")])
    checks.true("not listed as empty", group not in " ".join(tool(lab, "--list", "--state", "Empty")).split())
    checks.eventually("no lag", lambda: set(consumer_groups.offsets(lab.kafka_address, group).values()) == {("5", "5", "0")})
    found = sorted(rows(tool(lab, "--describe", "--group", group)), key=lambda row: row["PARTITION"])
    checks.equal("rows", [(row["TOPIC"], row["PARTITION"]) for row in found], [(topic, "0"), (topic, "1")])
    checks.equal("who", {(row["CLIENT-ID"], row["HOST"]) for row in found}, {("describe-me", "/127.0.0.1")})
    checks.true("the member id begins with the client id", all(row["CONSUMER-ID"].startswith("describe-me-") for row in found))
    [one] = rows(tool(lab, "--describe", "--group", group, "--members", "--verbose"))
    checks.equal("of the member", (one["CLIENT-ID"], one["#PARTITIONS"]), ("describe-me", "2"))
    checks.true("its partitions", any(f"{topic}:0,1" in line or f"{topic}(0,1)" in line for line in tool(lab, "--describe", "--group", group, "--members", "--verbose")))
    [state] = tool(lab, "--describe", "--group", group, "--state")[1:]
    checks.true(f"the state: {state}", state.split()[-2:] == ["Stable", "1"] and "range" in state)
    live.stop()


@case("groups: an empty group keeps its offsets until it is deleted", needs=("kafka",), limit=90)
def describe_empty(lab):
    topic = filled(lab, 5)
    group = committed_group(lab, topic, [2, 5])
    said = tool(lab, "--describe", "--group", group)
    checks.true(f"says so: {said[:1]}", "has no active members" in said[0])
    checks.equal("lags", consumer_groups.offsets(lab.kafka_address, group), {(topic, 0): ("2", "5", "3"), (topic, 1): ("5", "5", "0")})
    said = " ".join(tool(lab, "--delete", "--group", group))
    checks.true(f"deleted: {said}", "was successful" in said)
    with kafka_wire.Connection(lab.kafka_address) as raw:
        checks.equal("its offset", raw.committed(group, topic, 0), -1)
    for words in (["--describe", "--group", group], ["--delete", "--group", group]):
        said = " ".join(tool(lab, *words))
        checks.true(f"{words[0]} of what is gone: {said}", "GroupIdNotFound" in said or "not found" in said or "does not exist" in said)


@case("groups: offsets are reset in every way that the tool has", needs=("kafka",), limit=120)
def reset(lab):
    topic = filled(lab, 10)
    group = committed_group(lab, topic, [4, 4])
    forms = [
        (["--to-earliest"], (0, 0)), (["--to-latest"], (10, 10)), (["--to-offset", "3"], (3, 3)), (["--shift-by", "2"], (5, 5)),
        (["--shift-by", "-1"], (4, 4)), (["--to-offset", "99"], (10, 10)), (["--to-datetime", "2000-01-01T00:00:00.000"], (0, 0)),
        (["--by-duration", "PT0S"], (10, 10)), (["--to-current"], (10, 10)),
    ]
    for words, wanted in forms:
        tool(lab, "--reset-offsets", "--group", group, "--topic", topic, *words, "--execute")
        with kafka_wire.Connection(lab.kafka_address) as raw:
            checks.equal(" ".join(words), tuple(raw.committed(group, topic, partition) for partition in (0, 1)), wanted)
    tool(lab, "--reset-offsets", "--group", group, "--topic", f"{topic}:1", "--to-offset", "7", "--dry-run")
    tool(lab, "--reset-offsets", "--group", group, "--topic", f"{topic}:0", "--to-offset", "6", "--execute")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        checks.equal("one partition, a dry run", [raw.committed(group, topic, partition) for partition in (0, 1)], [6, 10])


@case("groups: a group with members is neither reset nor deleted, nor are offsets it needs", needs=("kafka",), limit=120)
def refused(lab):
    topic, other, group = filled(lab, 3), filled(lab, 3), lab.fresh("g")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        raw.join(group)
        checks.equal("commit of another topic", raw.commit(group, other, 0, 1), 0)
    live = member(lab, topic, group)
    live.until(lambda line: len(live.records()) == 6)
    said = " ".join(tool(lab, "--delete", "--group", group))
    checks.true(f"not deleted: {said}", "GroupNotEmpty" in said)
    said = " ".join(tool(lab, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"))
    checks.true(f"not reset: {said}", "inactive" in said)
    said = " ".join(tool(lab, "--delete-offsets", "--group", group, "--topic", topic))
    checks.true(f"offsets of a subscribed topic stay: {said}", "subscribed" in said.lower())
    said = " ".join(tool(lab, "--delete-offsets", "--group", group, "--topic", f"{other}:0"))
    checks.true(f"those of another topic go: {said}", "Successful" in said)
    with kafka_wire.Connection(lab.kafka_address) as raw:
        checks.equal("the other topic", raw.committed(group, other, 0), -1)
        checks.eventually("its own topic", lambda: raw.committed(group, topic, 0) == 3)
    live.stop()


@case("groups: requests about groups that are not there are answered as their version says", needs=("kafka",))
def absent(lab):
    topic, ghost = filled(lab, 1), lab.fresh("ghost")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        raw.join(ghost)
        for version in range(5):
            error, group, state, kind, protocol, members = described(raw, version, ghost)
            checks.equal(f"DescribeGroups v{version}", (error, group, state, kind, protocol, members), (0, ghost, "Dead", "", "", 0))
        answer = raw.request(DELETE_GROUPS, 0, struct.pack(">i", 1) + kafka_wire.string(ghost))
        checks.equal("DeleteGroups", struct.unpack(">h", answer[-2:])[0], GROUP_ID_NOT_FOUND)
        checks.equal("OffsetDelete", offset_delete(raw, ghost, topic, 0)[0], GROUP_ID_NOT_FOUND)
        group = committed_group(lab, topic, [1])
        checks.equal("of an unknown topic", offset_delete(raw, group, ghost, 0), (0, UNKNOWN_TOPIC_OR_PARTITION))
        checks.equal("of an unknown partition", offset_delete(raw, group, topic, 7), (0, UNKNOWN_TOPIC_OR_PARTITION))
        checks.equal("of one that is there", offset_delete(raw, group, topic, 0), (0, 0))


def described(raw, version, group):
    """DescribeGroups below version 5: (error, group, state, protocol type, protocol, number of members)."""
    body = struct.pack(">i", 1) + kafka_wire.string(group) + (b"\0" if version >= 3 else b"")
    answer = raw.request(DESCRIBE_GROUPS, version, body)
    at = (4 if version >= 1 else 0) + 4
    error, = struct.unpack_from(">h", answer, at)
    texts, at = [], at + 2
    for _ in range(4):
        size, = struct.unpack_from(">h", answer, at)
        texts.append(answer[at + 2:at + 2 + size].decode())
        at += 2 + size
    return error, *texts, struct.unpack_from(">i", answer, at)[0]


def offset_delete(raw, group, topic, partition):
    """(error of the request, error of the partition)."""
    body = kafka_wire.string(group) + struct.pack(">i", 1) + kafka_wire.string(topic) + struct.pack(">ii", 1, partition)
    answer = raw.request(OFFSET_DELETE, 0, body)
    error, = struct.unpack_from(">h", answer)
    return error, struct.unpack(">h", answer[-2:])[0] if not error else None


@case("groups: native groups are listed, described and refused like Kafka's, with the same lag", needs=("bridge",), limit=120)
def native_groups(lab):
    for mode in ("B", "S"):
        topic, group = filled(lab, 6, mode=mode), lab.fresh("g")
        live = lab.rmq533.start("consume", mode="push", topics=[topic], group=group, timeout=60_000)
        live.until(lambda line: len(live.records()) == 12, 20)
        said = tool(lab, "--describe", "--group", group)
        checks.equal("members hold", {(row["TOPIC"], row["PARTITION"]) for row in rows(said) if row["CONSUMER-ID"] != "-"} >= {(topic, "0"), (topic, "1")}, True)
        [state] = tool(lab, "--describe", "--group", group, "--state")[1:]
        checks.true(f"the state: {state}", state.split()[-2:] == ["Stable", "1"])
        said = " ".join(tool(lab, "--delete", "--group", group))
        checks.true(f"not deleted: {said}", "GroupNotEmpty" in said)
        live.stop()
        checks.true("listed", group in tool(lab, "--list"))
        lags = {place: lag for place, lag in consumer_groups.offsets(lab.kafka_address, group).items() if place[0] == topic}
        checks.equal("lag after the stop", lags, {(topic, 0): ("6", "6", "0"), (topic, 1): ("6", "6", "0")})
        tool(lab, "--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "4", "--execute")
        again = lab.rmq533.run("consume", mode="push", topics=[topic], group=group, count=4, timeout=20_000)
        checks.equal("the native group goes on from there", sorted({record["offset"] for record in again.records()}), [4, 5])
