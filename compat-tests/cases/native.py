"""What a RocketMQ client expects of a broker, beyond the matrix. Runs against the Java broker, too."""
import time

from lib import checks, remoting, samples
from lib.lab import case

NOT_SUPPORTED = 3


def bodies(call):
    return [record["value"] for record in call.records()]


def send(lab, topic, count, partitions=4, **fields):
    records = [samples.native("n", b"%s-%d" % (topic.encode(), n), partition=n % partitions, **fields) for n in range(count)]
    return lab.rmq533.run("produce", topic=topic, records=records), records


@case("native: a waiting push consumer gets a message within a second", needs=("native",))
def long_poll(lab):
    topic = lab.fresh("poll")
    send(lab, topic, 4)
    for client in (lab.rmq533, lab.rmq498):
        waiting = client.start("consume", mode="push", topics=[topic], group=lab.fresh("g"), timeout=40_000)
        waiting.event("started")
        for _ in range(4):
            waiting.until(lambda line: len(waiting.records()) >= 4, 30)
        for n in range(3):
            sent = time.time() * 1000
            send(lab, topic, 1)
            before = len(waiting.records())
            waiting.until(lambda line: len(waiting.records()) > before, 10)
            took = waiting.records()[-1]["receivedAt"] - sent
            checks.true(f"{client.name} waited {took:.0f} ms", took < 1000)
        waiting.stop()


@case("native: the tag filter delivers the tags asked for and commits past the others", needs=("native",))
def tag_filter(lab):
    topic, group = lab.fresh("tags"), lab.fresh("g")
    tags = ["TagA", "TagB", "TagC", None, "Aa", "BB"]  # Aa and BB have the same hash code
    records = [samples.native("t", f"{tag}-{n}".encode(), partition=n % 2, **({"tags": tag} if tag else {}))
               for n, tag in enumerate(tags * 4)]
    lab.rmq533.run("produce", topic=topic, records=records)
    for client in (lab.rmq533, lab.rmq498):
        for mode in ("push", "pull"):
            call = client.run("consume", mode=mode, topics=[topic], group=f"{group}{mode}{client.name[-1]}",
                              tags="TagA || Aa", count=8, timeout=15_000)
            checks.equal(f"{client.name} {mode} tags", sorted(record["tags"] for record in call.records()), ["Aa"] * 4 + ["TagA"] * 4)


@case("native: a send creates its topic, the client sees the route", needs=("native",))
def auto_creation(lab):
    for client in (lab.rmq533, lab.rmq498):
        topic = lab.fresh("auto")
        ack = client.run("produce", topic=topic, records=[samples.native("a")]).acks()[0]
        checks.equal("status", ack["status"], "SEND_OK")
        queues = client.run("offsets", topic=topic).lines
        checks.true(f"{len(queues)} queues", len(queues) >= 1)
        checks.equal("messages", sum(line["queue"]["max"] - line["queue"]["min"] for line in queues), 1)


@case("native: an unknown code is answered by number, the connection lives on", needs=("native",))
def unknown_code(lab):
    with remoting.Connection(lab.remoting) as raw:
        answer = raw.request(9999)
        checks.equal("code", answer["code"], NOT_SUPPORTED)
        checks.true(f"the remark names no code: {answer.get('remark')}", "9999" in (answer.get("remark") or ""))
        checks.equal("the next request", raw.request(remoting.GET_MAX_OFFSET, {"topic": "TBW102", "queueId": 0})["code"], 0)
    with remoting.Connection(lab.namesrv) as raw:
        checks.equal("name server's code", raw.request(9999)["code"], NOT_SUPPORTED)


@case("native: a message is found by offset id, by unique id and by key", needs=("native",))
def view_and_query(lab):
    topic, key = lab.fresh("query"), lab.fresh("key")
    records = [samples.native("q", b"v%d" % n, keys=f"{key} other{n}", tags="T", partition=n % 2) for n in range(3)]
    acks = lab.rmq533.run("produce", topic=topic, records=records).acks()
    for client in (lab.rmq533, lab.rmq498):
        for n, ack in acks.items():
            for ident in (ack["offsetMsgId"], ack["msgId"]):
                found = checks.eventually(f"view {ident}", lambda i=ident: viewed(client, topic, i))
                checks.equal("body", found["value"], b"v%d" % n)
                checks.equal("offset", (found["partition"], found["offset"]), (ack["partition"], ack["offset"]))
        for word, wanted in ((key, [b"v0", b"v1", b"v2"]), ("other1", [b"v1"])):
            checks.eventually(f"query {word}", lambda w=word, v=wanted: queried(client, topic, w) == v)
    checks.refused(lambda: lab.rmq533.run("query", topic=topic, key="nobody"), "no message")


def viewed(client, topic, ident):
    from lib.client import ClientError
    try:
        return client.run("view", topic=topic, msgId=ident).records()[0]
    except ClientError:  # the index is written behind the answer
        return None


def queried(client, topic, key):
    from lib.client import ClientError
    try:
        return sorted(bodies(client.run("query", topic=topic, key=key)))
    except ClientError:
        return None


@case("native: min, max and search by store time", needs=("native",))
def search_offset(lab):
    topic = lab.fresh("search")
    send(lab, topic, 8)
    call = lab.rmq533.run("consume", mode="pull", topics=[topic], count=8)
    times = {}
    for record in call.records():
        times.setdefault(record["partition"], []).append((record["offset"], record["storeTimestamp"]))
    first = min(time for entries in times.values() for _, time in entries)
    for client in (lab.rmq533, lab.rmq498):
        for line in client.run("offsets", topic=topic, timestamp=first - 10_000).lines:
            queue = line["queue"]
            count = len(times.get(queue["partition"], []))
            checks.equal("min, max, found long ago", (queue["min"], queue["max"], queue["found"]), (0, count, 0))


@case("native: two members of a group share the queues, nothing is lost", needs=("native",), limit=90)
def two_members(lab):
    topic, group = lab.fresh("share"), lab.fresh("g")
    send(lab, topic, 4)
    first = lab.rmq533.start("consume", mode="push", topics=[topic], group=group, timeout=80_000)
    first.until(lambda line: len(first.records()) >= 4, 30)
    second = lab.rmq498.start("consume", mode="push", topics=[topic], group=group, timeout=80_000)
    second.event("started")
    total = [4]

    def shared():
        send(lab, topic, 4)
        total[0] += 4
        for member in (first, second):
            drain(member)
        return second.records()
    checks.eventually("the second member gets messages", shared, 40)
    checks.eventually("every message is seen", lambda: len(seen_by(first, second)) == total[0], 20)
    second.stop()
    before = len(first.records())
    send(lab, topic, 4)
    checks.eventually("the first member takes all queues back", lambda: len(drain(first)) >= before + 4, 40)
    first.stop()


def seen_by(*calls):
    return {(record["partition"], record["offset"]) for call in calls for record in drain(call)}


def drain(call):
    """Takes what is there without waiting."""
    while not call.inbox.empty():
        call.next(1)
    return call.records()


@case("native: offsets committed by a stopped consumer are where the next one begins", needs=("native",))
def committed(lab):
    topic, group = lab.fresh("commit"), lab.fresh("g")
    send(lab, topic, 20, partitions=2)
    first = lab.rmq533.run("consume", mode="push", topics=[topic], group=group, count=8, timeout=20_000)
    second = lab.rmq498.run("consume", mode="push", topics=[topic], group=group, count=12, timeout=20_000)
    seen = {(record["partition"], record["offset"]) for call in (first, second) for record in call.records()}
    checks.true(f"{20 - len(seen)} of 20 were skipped or are repeated", len(seen) >= 17)
    third = lab.rmq533.run("consume", mode="push", topics=[topic], group=group, count=20 - len(seen) or 1, timeout=4_000)
    seen |= {(record["partition"], record["offset"]) for record in third.records()}
    checks.equal("seen", len(seen), 20)
