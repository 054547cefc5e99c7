"""Fetch sessions (KIP-227) and what a fetch promises, by hand. Runs against the Java broker, too."""
import struct

from lib import checks, kafka_wire, samples
from lib.lab import case

SESSION_ID_NOT_FOUND, INVALID_SESSION_EPOCH = 70, 71
OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_LEADER_EPOCH = 1, 3, 75


def fetch(raw, session=0, epoch=-1, wishes=(), forget=(), wait=0, min_bytes=1, max_bytes=1 << 20, rack=""):
    """Fetch v11: (error, session id, [(topic, partition, error, high watermark, log start, preferred replica, values)])."""
    body = struct.pack(">iiiibii", -1, wait, min_bytes, max_bytes, 0, session, epoch)
    body += struct.pack(">i", len(wishes))
    for topic, partition, offset, *more in wishes:
        leader_epoch, most = (list(more) + [-1, 1 << 20][len(more):])[:2]
        body += kafka_wire.string(topic) + struct.pack(">iiiqqi", 1, partition, leader_epoch, offset, -1, most)
    body += struct.pack(">i", len(forget))
    for topic, partition in forget:
        body += kafka_wire.string(topic) + struct.pack(">ii", 1, partition)
    answer = raw.request(kafka_wire.FETCH, 11, body + kafka_wire.string(rack))
    error, ident = struct.unpack_from(">hi", answer, 4)
    count, = struct.unpack_from(">i", answer, 10)
    at, rows = 14, []
    for _ in range(count):
        size, = struct.unpack_from(">h", answer, at)
        topic, at = answer[at + 2:at + 2 + size].decode(), at + 2 + size
        partitions, = struct.unpack_from(">i", answer, at)
        at += 4
        for _ in range(partitions):
            partition, code, high, _stable, start, aborted = struct.unpack_from(">ihqqqi", answer, at)
            at += 34 + 16 * max(aborted, 0)
            preferred, size = struct.unpack_from(">ii", answer, at)
            data = answer[at + 8:at + 8 + max(size, 0)]
            at += 8 + max(size, 0)
            rows.append((topic, partition, code, high, start, preferred, [value for one in kafka_wire.batches(data) for _, value in kafka_wire.values(one)]))
    return error, ident, rows


def ready(lab, word, partitions):
    """A topic whose partitions all have their leader."""
    topic = lab.create(lab.fresh(word), "B", partitions)
    with kafka_wire.Connection(lab.kafka_address) as raw:
        wishes = [(topic, partition, 0) for partition in range(partitions)]
        checks.eventually("leaders", lambda: all(row[2] == 0 for row in fetch(raw, wishes=wishes)[2]))
    return topic


def places(rows):
    return [(partition, len(values)) for _topic, partition, _error, _high, _start, _preferred, values in rows]


def put(lab, topic, partition, *values):
    lab.kafka.run("produce", topic=topic, records=[samples.kafka("k", b"k", value) | {"partition": partition} for value in values])


@case("session: only what is new is answered, and what gave records goes last", needs=("kafka",))
def incremental(lab):
    topic = ready(lab, "session", 3)
    put(lab, topic, 1, b"one")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        error, session, rows = fetch(raw, epoch=0, wishes=[(topic, 0, 0), (topic, 1, 0), (topic, 2, 0)])
        checks.equal("full", (error, session > 0, places(rows)), (0, True, [(0, 0), (1, 1), (2, 0)]))
        error, again, rows = fetch(raw, session, 1, [(topic, 1, 1)])
        checks.equal("nothing new", (error, again, rows), (0, session, []))
        put(lab, topic, 0, b"two")
        put(lab, topic, 2, b"three")
        error, _, rows = fetch(raw, session, 2)
        checks.equal("two have records", (error, sorted(places(rows))), (0, [(0, 1), (2, 1)]))
        error, _, rows = fetch(raw, session, 3, [(topic, 0, 1), (topic, 2, 1)])
        checks.equal("nothing new again", (error, rows), (0, []))
        put(lab, topic, 0, b"four")
        error, _, rows = fetch(raw, session, 4, forget=[(topic, 0)])
        checks.equal("a forgotten partition", (error, rows), (0, []))
        error, _, rows = fetch(raw, session, 5, [(topic, 0, 2)])
        checks.equal("and added again", (error, [(row[1], row[3]) for row in rows]), (0, [(0, 2)]))


@case("session: a wrong epoch and an unknown session are told apart, and a session ends when it is told to", needs=("kafka",))
def faults(lab):
    topic = ready(lab, "session", 1)
    with kafka_wire.Connection(lab.kafka_address) as raw:
        wishes = [(topic, 0, 0)]
        checks.equal("unknown", fetch(raw, 12345, 1), (SESSION_ID_NOT_FOUND, 0, []))
        _, session, _ = fetch(raw, epoch=0, wishes=wishes)
        checks.equal("wrong epoch", fetch(raw, session, 2), (INVALID_SESSION_EPOCH, 0, []))
        checks.equal("the right one", fetch(raw, session, 1), (0, session, []))
        checks.equal("an old one", fetch(raw, session, 1), (INVALID_SESSION_EPOCH, 0, []))
        error, other, rows = fetch(raw, session, 0, wishes)
        checks.equal("a new one in its place", (error, other not in (0, session), len(rows)), (0, True, 1))
        checks.equal("the old one", fetch(raw, session, 2)[0], SESSION_ID_NOT_FOUND)
        error, none, rows = fetch(raw, other, -1, wishes)
        checks.equal("ended", (error, none, len(rows)), (0, 0, 1))
        checks.equal("gone", fetch(raw, other, 1)[0], SESSION_ID_NOT_FOUND)
        _, last, _ = fetch(raw, epoch=0, wishes=wishes)
        checks.equal("without partitions", fetch(raw, last, 1, forget=[(topic, 0)]), (0, 0, []))
        checks.equal("it is over", fetch(raw, last, 2)[0], SESSION_ID_NOT_FOUND)


@case("session: an error is told once a fetch, and its end is news", needs=("kafka",))
def errors(lab):
    topic, ghost = ready(lab, "session", 1), lab.fresh("ghost")
    put(lab, topic, 0, b"v")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        error, session, rows = fetch(raw, epoch=0, wishes=[(topic, 0, 9), (ghost, 0, 0)])
        checks.equal("errors", (error, [row[2] for row in rows]), (0, [OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION]))
        error, _, rows = fetch(raw, session, 1, [(topic, 0, 1)])
        checks.equal("one is over", (error, sorted((row[2], row[3]) for row in rows)), (0, [(0, 1), (UNKNOWN_TOPIC_OR_PARTITION, -1)]))
        error, _, rows = fetch(raw, session, 2)
        checks.equal("the other stays", (error, [row[2] for row in rows]), (0, [UNKNOWN_TOPIC_OR_PARTITION]))


@case("session: a waiting fetch of a session wakes with the record", needs=("kafka",))
def waits(lab):
    topic = ready(lab, "session", 2)
    put(lab, topic, 0, b"v")
    put(lab, topic, 1, b"v")
    with kafka_wire.Connection(lab.kafka_address, timeout=20) as raw:
        _, session, _ = fetch(raw, epoch=0, wishes=[(topic, 0, 1), (topic, 1, 1)])
        sent = lab.kafka.start("produce", topic=topic, records=[samples.kafka("k", b"k", b"late") | {"partition": 1}])
        error, _, rows = fetch(raw, session, 1, wait=10_000)
        checks.equal("woken", (error, [(row[1], row[6]) for row in rows]), (0, [(1, [b"late"])]))
        sent.wait()


@case("fetch: bytes are bounded, but the first batch always comes", needs=("kafka",))
def bounds(lab):
    topic = ready(lab, "bounds", 2)
    for partition in (0, 1):
        for _ in range(3):
            put(lab, topic, partition, b"x" * 1000)
    with kafka_wire.Connection(lab.kafka_address) as raw:
        both = [(topic, 0, 0), (topic, 1, 0)]
        checks.equal("everything", places(fetch(raw, wishes=both)[2]), [(0, 3), (1, 3)])
        checks.equal("one byte in all", places(fetch(raw, wishes=both, max_bytes=1)[2]), [(0, 1), (1, 0)])
        small = [(topic, 0, 0, -1, 1), (topic, 1, 0, -1, 1)]
        checks.equal("one byte a partition", places(fetch(raw, wishes=small)[2]), [(0, 1), (1, 0)])
        two = [(topic, 0, 0, -1, 2_500), (topic, 1, 1, -1, 2_500)]
        checks.equal("two batches a partition", places(fetch(raw, wishes=two)[2]), [(0, 2), (1, 2)])
        checks.equal("an empty one first", places(fetch(raw, wishes=[(topic, 0, 3), (topic, 1, 0)], max_bytes=1)[2]), [(0, 0), (1, 1)])
        late = fetch(raw, wishes=both, min_bytes=1 << 20, wait=200)[2]
        checks.equal("too few bytes, at the end of the wait", places(late), [(0, 3), (1, 3)])
        checks.equal("no replica is preferred", {row[5] for row in fetch(raw, wishes=both, rack="r1")[2]}, {-1})


@case("fetch: a leader epoch that is not ours is refused as older or newer", needs=("kafka",))
def epochs(lab):
    topic = ready(lab, "epoch", 1)
    put(lab, topic, 0, b"v")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        codes = [fetch(raw, wishes=[(topic, 0, 0, epoch)])[2][0][2] for epoch in (-1, 0, 1000)]
        checks.equal("codes of -1, 0 and 1000", codes, [0, 0, UNKNOWN_LEADER_EPOCH])
