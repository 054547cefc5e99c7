"""Consumer groups of RocketMQ clients: order, failed messages, broadcasting. Runs against the Java broker, too."""
import json

from lib import checks, remoting, samples
from lib.lab import case

SEND_BACK, LOCK, UNLOCK, UPDATE_GROUP, ALL_GROUPS, DELETE_GROUP, GROUP = 36, 41, 42, 200, 201, 207, 352
SYSTEM_ERROR, NO_PERMISSION, GROUP_NOT_EXIST, INVALID_PARAMETER = 1, 16, 26, 29


def drain(call):
    """The records said so far, without waiting."""
    while not call.inbox.empty():
        call.next(1)
    return call.records()


def send(lab, topic, count, partitions=2):
    records = [samples.native("n", b"%d" % n, partition=n % partitions) for n in range(count)]
    return lab.rmq533.run("produce", topic=topic, records=records)


def values(call):
    return [record["value"] for record in drain(call)]


@case("native group: orderly listeners get each queue in order, also when a member comes", needs=("native",), limit=150)
def orderly(lab):
    for one, other in ((lab.rmq533, lab.rmq498), (lab.rmq498, lab.rmq533)):
        topic, group = lab.fresh("order"), lab.fresh("g")
        send(lab, topic, 20, 4)
        first = one.start("consume", mode="push", topics=[topic], group=group, orderly=True, timeout=120_000)
        first.until(lambda line: len(first.records()) >= 20, 40)
        second = other.start("consume", mode="push", topics=[topic], group=group, orderly=True, timeout=120_000)
        second.event("started")

        def both():
            send(lab, topic, 4, 4)
            return drain(first) and drain(second)
        checks.eventually(f"{other.name} gets a queue after {one.name}", both, 60)
        for call in (first, second):
            for partition in range(4):
                offsets = [record["offset"] for record in drain(call) if record["partition"] == partition]
                checks.equal(f"{call.client.name}: offsets of queue {partition}", offsets, sorted(set(offsets)))
        second.stop()
        first.stop()


@case("native group: a queue is locked for one client until it gives it back", needs=("native",))
def locks(lab):
    topic, group = lab.fresh("lock"), lab.fresh("g")
    send(lab, topic, 4)

    def ask(raw, code, client, *queues):
        names = [{"brokerName": "broker-a", "queueId": queue, "topic": topic} for queue in queues]
        body = {"clientId": client, "consumerGroup": group, "mqSet": names, "onlyThisBroker": False}
        answer = raw.request(code, {}, json.dumps(body).encode())
        checks.equal("code", answer["code"], 0)
        return sorted(queue["queueId"] for queue in json.loads(answer["body"])["lockOKMQSet"]) if answer["body"] else None
    with remoting.Connection(lab.remoting) as raw:
        checks.equal("both queues", ask(raw, LOCK, "a", 0, 1), [0, 1])
        checks.equal("again", ask(raw, LOCK, "a", 1), [1])
        checks.equal("somebody else", ask(raw, LOCK, "b", 0, 1, 2), [2])
        ask(raw, UNLOCK, "b", 0)
        checks.equal("still the first one's", ask(raw, LOCK, "b", 0), [])
        ask(raw, UNLOCK, "a", 0)
        checks.equal("given back", ask(raw, LOCK, "b", 0, 1), [0])
        checks.equal("a body that is none", raw.request(LOCK, {}, b"[]")["code"], SYSTEM_ERROR)


@case("native group: a failed message comes again, then it is a dead letter", needs=("native",), limit=200)
def failed(lab):
    for client in (lab.rmq533, lab.rmq498):
        topic, group = lab.fresh("fail"), lab.fresh("g")
        acks = send(lab, topic, 1).acks()
        call = client.start("consume", mode="push", topics=[topic], group=group, fail=1, count=2, timeout=60_000)
        call.wait(70)
        first, again = call.records()
        checks.equal(f"{client.name}: attempts", (first["reconsumeTimes"], again["reconsumeTimes"]), (0, 1))
        checks.equal("the topic it was sent to", again["topic"], topic)
        checks.equal("body", again["value"], b"0")
        checks.equal("where it comes from", again["properties"]["ORIGIN_MESSAGE_ID"], acks[0]["offsetMsgId"])
        checks.equal("its own id", again["msgId"], acks[0]["msgId"])
        group = lab.fresh("g")
        call = client.start("consume", mode="push", topics=[topic], group=group, fail=9, attempts=1, timeout=90_000)
        dead = f"%DLQ%{group}"
        letters = checks.eventually("the dead letter", lambda: dead_letters(lab, dead), 60)
        call.stop()
        checks.equal("dead letters", [(letter["value"], letter["reconsumeTimes"]) for letter in letters], [(b"0", 2)])
        checks.equal("their topic", letters[0]["properties"]["RETRY_TOPIC"], topic)


def dead_letters(lab, topic):
    from lib.client import ClientError
    try:
        return lab.rmq533.run("consume", mode="pull", topics=[topic], count=10, timeout=5_000).records()
    except ClientError:  # there is no such topic yet
        return []


@case("native group: one record of a Kafka batch fails and comes again alone", needs=("bridge",), limit=150)
def failed_record(lab):
    topic, group = lab.create(lab.fresh("failb"), "B", 1), lab.fresh("g")
    lab.kafka.run("produce", topic=topic, records=[samples.kafka("k", b"k", b"%d" % n) | {"partition": 0} for n in range(5)],
                  codec="zstd")
    with remoting.Connection(lab.remoting) as raw:
        raw.join(group)
        frame = list(remoting.frames(raw.pull(topic, 0, 0, group)["body"]))[2]
        checks.equal("code", raw.request(SEND_BACK, {"group": group, "offset": frame["commitOffset"], "delayLevel": 0})["code"], 0)
        retry = list(remoting.frames(raw.pull(f"%RETRY%{group}", 0, 0, group)["body"]))
    checks.equal("what came back", [one["body"] for one in retry], [b"2"])
    for client in (lab.rmq533, lab.rmq498):
        call = client.start("consume", mode="push", topics=[topic], group=lab.fresh("g"), fail=1, count=10, timeout=60_000)
        call.wait(70)
        counts = {value: [record["reconsumeTimes"] for record in call.records() if record["value"] == value] for value in set(values(call))}
        checks.equal(f"{client.name}: attempts of each", counts, {b"%d" % n: [0, 1] for n in range(5)})


@case("native group: a message that cannot be taken back is refused by its code", needs=("native",))
def not_taken_back(lab):
    topic, group = lab.fresh("back"), lab.fresh("g")
    send(lab, topic, 1)
    with remoting.Connection(lab.remoting) as raw:
        raw.join(group)
        for fields, code in (({"offset": 987654321987, "delayLevel": 0}, SYSTEM_ERROR), ({"offset": -1, "delayLevel": 0}, SYSTEM_ERROR)):
            checks.equal(str(fields), raw.request(SEND_BACK, {"group": group, **fields})["code"], code)
        checks.equal("an illegal group", raw.request(SEND_BACK, {"group": "a b", "offset": 0, "delayLevel": 0})["code"], GROUP_NOT_EXIST)


@case("native group: every broadcasting member gets every message", needs=("native",), limit=90)
def broadcasting(lab):
    topic, group = lab.fresh("cast"), lab.fresh("g")
    send(lab, topic, 1)
    members = [client.start("consume", mode="push", topics=[topic], group=group, broadcast=True, timeout=80_000)
               for client in (lab.rmq533, lab.rmq498)]
    for member in members:
        member.event("started")
    checks.eventually("both are there", lambda: all(drain(member) for member in members) or not send(lab, topic, 1), 40)
    before = [len(drain(member)) for member in members]
    send(lab, topic, 10)
    checks.eventually("each gets all ten", lambda: all(len(drain(member)) >= 10 + n for member, n in zip(members, before)), 20)
    for member in members:
        member.stop()


@case("native group: lite pull members share the queues and commit", needs=("native",), limit=120)
def lite_pull(lab):
    for client in (lab.rmq533, lab.rmq498):
        topic, group = lab.fresh("lite"), lab.fresh("g")
        send(lab, topic, 12)
        first = client.run("consume", mode="lite", topics=[topic], group=group, subscribe=True, commit=True, count=12, timeout=40_000)
        checks.equal(f"{client.name} got", sorted(values(first), key=int), [b"%d" % n for n in range(12)])
        send(lab, topic, 4)
        second = client.run("consume", mode="push", topics=[topic], group=group, count=4, timeout=40_000)
        checks.equal("where the next one begins", sorted({(r["partition"], r["offset"]) for r in second.records()}), [(0, 6), (0, 7), (1, 6), (1, 7)])


@case("native group: settings are made, changed, listed and enforced", needs=("native",))
def settings(lab):
    topic, group = lab.fresh("set"), lab.fresh("g")
    send(lab, topic, 1)

    def update(raw, name=group, **changes):
        return raw.request(UPDATE_GROUP, {}, json.dumps({"groupName": name, **changes}).encode())
    with remoting.Connection(lab.remoting) as raw:
        checks.equal("made", update(raw, retryMaxTimes=3, retryQueueNums=2)["code"], 0)
        shown = json.loads(raw.request(GROUP, {"group": group})["body"])
        checks.equal("settings", (shown["retryMaxTimes"], shown["retryQueueNums"], shown["consumeEnable"]), (3, 2, True))
        answer = raw.request(ALL_GROUPS)
        table = json.loads(answer["body"])
        checks.true("it is not listed", group in table["subscriptionGroupTable"] and "TOOLS_CONSUMER" in table["subscriptionGroupTable"])
        if "gantry" in lab.has:  # 5.3.4 says so, 5.3.3 does not
            checks.equal("how many there are", int(answer["extFields"]["totalGroupNum"]), len(table["subscriptionGroupTable"]))
        checks.equal("it may read", raw.pull(topic, 0, 0, group)["code"], 0)
        update(raw, consumeEnable=False)
        checks.equal("it may not", raw.pull(topic, 0, 0, group)["code"], NO_PERMISSION)
        update(raw, consumeEnable=True)
        checks.equal("it may again", raw.pull(topic, 0, 0, group)["code"], 0)
        if "gantry" in lab.has:  # RocketMQ's broker takes any name from a tool
            checks.equal("a name that is none", update(raw, "a b")["code"], INVALID_PARAMETER)
        checks.equal("an attribute", update(raw, attributes={"+a": "b"})["code"], SYSTEM_ERROR)
        checks.equal("no JSON", raw.request(UPDATE_GROUP, {}, b"{")["code"], SYSTEM_ERROR)
        raw.commit(group, topic, 0, 1)
        checks.equal("deleted with its offsets", raw.request(DELETE_GROUP, {"groupName": group, "cleanOffset": "true"})["code"], 0)
        checks.equal("a commit of no group", raw.commit(group, topic, 0, 1)["code"], GROUP_NOT_EXIST)
        table = json.loads(raw.request(ALL_GROUPS)["body"])
        checks.true("it is still listed", group not in table["subscriptionGroupTable"])


@case("native group: without automatic creation only known groups consume", needs=("gantry",), limit=90)
def known_groups(lab):
    topic, known, unknown = lab.fresh("auto"), lab.fresh("g"), lab.fresh("g")
    strict = lab.gantry_on(lab.fresh("strict"), autoCreateSubscriptionGroup="false").start()
    try:
        with remoting.Connection(strict.remoting) as raw:
            raw.send_message(topic, 0, b"x")
            raw.request(UPDATE_GROUP, {}, json.dumps({"groupName": known}).encode())
            for group, code in ((known, 0), (unknown, GROUP_NOT_EXIST)):
                raw.join(group)
                checks.equal(f"pull of {group}", raw.pull(topic, 0, 0, group)["code"], code)
            checks.equal("settings of nobody", raw.request(GROUP, {"group": unknown})["code"], GROUP_NOT_EXIST)
        strict.stop()
        strict.start()
        with remoting.Connection(strict.remoting) as raw:
            checks.equal("after a restart", raw.pull(topic, 0, 0, known)["code"], 0)
    finally:
        strict.stop()
