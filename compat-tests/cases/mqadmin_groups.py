"""Consumer groups through mqadmin 5.3.3: settings, progress, connections, resets, questions to clients. Runs against the
Java broker, too."""
import json
import re
import time

from lib import checks, remoting, samples
from lib.lab import case
from lib.mqadmin import Mqadmin

RESET, STATUS, CLONE, RUNNING, CONSUME, TIME_SPAN, CORRECTION = 222, 223, 314, 307, 309, 303, 308
SYSTEM_ERROR, TOPIC_NOT_EXIST, GROUP_NOT_EXIST, INVALID_PARAMETER, NOT_ONLINE, TIMEOUT = 1, 17, 26, 29, 206, 207


def admin(lab):
    return Mqadmin(lab.namesrv, lab.home / "mqadmin")


def shows(what, text, *words):
    for word in words:
        checks.true(f"{what} does not show {word!r}: {text[-700:]}", word in text)


def squeezed(text):
    return " ".join(text.split())


def drain(call):
    while not call.inbox.empty():
        call.next(1)
    return call.records()


def send(lab, topic, count, partitions=2):
    records = [samples.native("n", b"%d" % n, partition=n % partitions) for n in range(count)]
    return lab.rmq533.run("produce", topic=topic, records=records)


def consumed(lab, topic, group, count):
    """A group that consumed so many messages and left."""
    call = lab.rmq533.start("consume", mode="push", topics=[topic], group=group, count=count, timeout=40_000)
    call.wait(50)
    return call


@case("mqadmin group: settings are made, changed, shown and deleted", needs=("native",), limit=150)
def settings(lab):
    mq, group, listed = admin(lab), lab.fresh("mqg"), [lab.fresh("mql"), lab.fresh("mql")]
    path = lab.home / "groups.json"
    path.write_text(json.dumps([{"groupName": name, "retryMaxTimes": 5} for name in listed]))
    made = mq.each([["updateSubGroup", "-b", lab.remoting, "-g", group, "-r", 7, "-q", 2, "-d", "false"],
                    ["updateSubGroupList", "-b", lab.remoting, "-f", path]])
    for text in made:
        shows("updateSubGroup", text, "success")
    one, two = mq.each([["getConsumerConfig", "-g", group], ["getConsumerConfig", "-g", listed[0]]])
    shows("getConsumerConfig", squeezed(one), "retryMaxTimes = 7", "consumeBroadcastEnable = false")
    shows("getConsumerConfig", squeezed(two), "retryMaxTimes = 5")
    topic = lab.fresh("mqt")
    send(lab, topic, 2)
    consumed(lab, topic, group, 2)
    shows("deleteSubGroup", mq.run("deleteSubGroup", "-c", "DefaultCluster", "-g", group, "-r", "true"), "delete subscription group", "success")
    with remoting.Connection(lab.remoting) as raw:
        checks.true("the settings stay", group not in json.loads(raw.request(201)["body"])["subscriptionGroupTable"])
        checks.equal("the offset", raw.request(14, {"consumerGroup": group, "topic": topic, "queueId": 0, "setZeroIfNotFound": "false"})["code"], 22)
    if "gantry" in lab.has:  # RocketMQ's broker takes any name from a tool
        shows("a name that is none", mq.run("updateSubGroup", "-b", lab.remoting, "-g", "a b"), "CODE: 29")


@case("mqadmin group: progress and connections of a live and of a dead group", needs=("native",), limit=200)
def progress(lab):
    mq, topic, dead, live = admin(lab), lab.fresh("mqp"), lab.fresh("dead"), lab.fresh("live")
    send(lab, topic, 10)
    consumed(lab, topic, dead, 10)
    send(lab, topic, 4)
    call = lab.rmq498.start("consume", mode="push", topics=[topic], group=live, timeout=150_000)
    call.until(lambda line: len(call.records()) >= 14, 40)

    def settled():
        text = mq.run("consumerProgress", "-g", live, "-t", topic)
        return text if "Consume Diff Total: 0" in text else None
    shows("consumerProgress of the live group", checks.eventually("all is committed", settled, 40), topic)
    every, of_dead, connected, offline, producers, everyone, nobody, stats = mq.each([
        ["consumerProgress"], ["consumerProgress", "-g", dead], ["consumerConnection", "-g", live], ["consumerConnection", "-g", dead],
        ["producerConnection", "-g", "compat_producers", "-t", topic], ["producer", "-b", lab.remoting],
        ["producerConnection", "-g", lab.fresh("nobody"), "-t", topic], ["brokerConsumeStats", "-b", lab.remoting, "-l", 0],
    ])
    shows("consumerProgress of all", every, live, dead)
    shows("consumerProgress", of_dead, "Consume TPS")
    behind = int(re.search(r"Consume Diff Total: (\d+)", of_dead).group(1))
    checks.true(f"4 messages came later, 4 were in hand at most, not {behind}", 4 <= behind <= 8)
    shows("consumerConnection", connected, "V4_9_8", "JAVA", topic, "CONSUME_PASSIVELY", "CLUSTERING", "CONSUME_FROM_FIRST_OFFSET")
    shows("consumerConnection of nobody", offline, "CODE: 206")
    shows("producerConnection", producers, "V5_3_3", "JAVA")
    shows("producer", everyone, "compat_producers")
    shows("producerConnection of nobody", nobody, "CODE: 1")
    shows("brokerConsumeStats", stats, dead, topic, "Diff Total: ")
    with remoting.Connection(lab.remoting) as raw:
        groups = json.loads(raw.request(300, {"topic": topic})["body"])["groupList"]
        checks.true(f"who consumes: {groups}", {dead, live} <= set(groups))
        checks.true("topics of a group", topic in json.loads(raw.request(343, {"group": dead})["body"])["topicList"])
        of_live = json.loads(raw.request(345, {"group": live, "topic": topic})["body"])
        checks.equal("its subscription", of_live["subscriptionData"]["subString"], "*")
        spans = json.loads(raw.request(TIME_SPAN, {"topic": topic, "group": dead})["body"])["consumeTimeSpanSet"]
        checks.true(f"waiting for a while: {spans}", any(span["delayTime"] > 0 for span in spans))
        least = raw.request(CORRECTION, {"topic": topic, "compareGroup": live})["body"]  # Java's keys have no quotes
        checks.true(f"the smallest offset of queue 0 is the dead group's: {least}", int(re.search(rb'[{,]"?0"?:(\d+)', least).group(1)) <= 5)
        checks.equal("times of no topic", raw.request(TIME_SPAN, {"topic": lab.fresh("nobody"), "group": dead})["code"], TOPIC_NOT_EXIST)
    call.stop()


@case("mqadmin group: what a consumer does is asked of it, with its stacks", needs=("native",), limit=150)
def running(lab):
    mq, topic = admin(lab), lab.fresh("mqr")
    acks = send(lab, topic, 2).acks()
    for client, version in ((lab.rmq533, "V5_3_3"), (lab.rmq498, "V4_9_8")):
        group = lab.fresh("run")
        call = client.start("consume", mode="push", topics=[topic], group=group, timeout=120_000)
        call.until(lambda line: len(call.records()) >= 2, 40)
        with remoting.Connection(lab.remoting) as raw:
            name = json.loads(raw.request(38, {"consumerGroup": group})["body"])["consumerIdList"][0]
            status = raw.request(STATUS, {"topic": topic, "group": group})
            checks.equal("code of the status", status["code"], 0)
            checks.true(f"offsets that it holds: {status['body']}", name.encode() in status["body"] and topic.encode() in status["body"])
        plain, stacks, directly, by_name = mq.each([
            ["consumerStatus", "-g", group], ["consumerStatus", "-g", group, "-s", "true"],
            ["queryMsgById", "-i", acks[0]["offsetMsgId"], "-g", group, "-d", name, "-t", topic],
            ["consumerStatus", "-g", group, "-i", name],
        ])
        shows("consumerStatus", plain, version)
        shows("consumerStatus with stacks", stacks, version)
        shows("consumerStatus of one", by_name, topic, "#Consumer Subscription#")
        shows("queryMsgById -d", directly, "CR_SUCCESS")
        checks.eventually("it was consumed again", lambda: len(drain(call)) >= 3, 10)
        call.stop()
        shows("consumerStatus of nobody", mq.run("consumerStatus", "-g", group), "not online")


@case("mqadmin group: a client that does not answer ends the question in time, one that goes at once", needs=("native",), limit=60)
def no_answer(lab):
    group = lab.fresh("mute")
    with remoting.Connection(lab.remoting, timeout=20) as asker:
        mute = remoting.Connection(lab.remoting)
        mute.join(group)
        fields = {"consumerGroup": group, "clientId": f"raw@{group}", "jstackEnable": "false"}
        begun = time.monotonic()
        answer = asker.request(RUNNING, fields)
        checks.equal("nobody answered", answer["code"], TIMEOUT)
        checks.true("it took as long as a client may take", 8 < time.monotonic() - begun < 15)
        checks.equal("nobody of that name", asker.request(RUNNING, {**fields, "clientId": "nobody"})["code"], SYSTEM_ERROR)
        checks.equal("no such message", asker.request(CONSUME, {"consumerGroup": group, "clientId": f"raw@{group}", "msgId": "no id"})["code"], SYSTEM_ERROR)
        if "gantry" in lab.has:  # a Java broker waits until the time is over
            asker.send(RUNNING, fields)
            while mute.receive()["code"] != RUNNING:
                pass
            mute.socket.close()
            begun = time.monotonic()
            while (answer := asker.receive())["opaque"] != asker.opaque:
                pass
            checks.equal("it went", answer["code"], SYSTEM_ERROR)
            checks.true("that was known at once", time.monotonic() - begun < 5)


@case("mqadmin group: offsets of a dead group are reset, by time, by offset and to the end, and copied", needs=("native",), limit=200)
def reset_dead(lab):
    mq, topic, group, other = admin(lab), lab.fresh("mqx"), lab.fresh("dead"), lab.fresh("copy")
    send(lab, topic, 8)
    consumed(lab, topic, group, 8)
    with remoting.Connection(lab.remoting) as raw:
        def offsets(name=group):
            return [raw.committed(name, topic, queue) for queue in range(2)]
        for queue in range(2):  # what the listener had in hand when it was stopped
            checks.equal("commit", raw.commit(group, topic, queue, 4)["code"], 0)
        checks.equal("all is committed", offsets(), [4, 4])
        shows("resetOffsetByTime", mq.run("resetOffsetByTime", "-g", group, "-t", topic, "-s", int(time.time() * 1000) - 3_600_000), "broker-a")
        checks.equal("by time", offsets(), [0, 0])
        mq.run("resetOffsetByTime", "-g", group, "-t", topic, "-s", "now", "-b", lab.remoting, "-q", 1, "-o", 3)
        checks.equal("by offset", offsets(), [0, 3])
        shows("skipAccumulatedMessage", mq.run("skipAccumulatedMessage", "-g", group, "-t", topic), "broker-a")
        checks.equal("to the end", offsets(), [4, 4])
        raw.request(200, {}, json.dumps({"groupName": other}).encode())
        shows("cloneGroupOffset", mq.run("cloneGroupOffset", "-s", group, "-d", other, "-t", topic), "clone group offset success")
        checks.equal("copied by the tool", offsets(other), [4, 4])
        third = lab.fresh("copy")
        checks.equal("code", raw.request(CLONE, {"srcGroup": group, "destGroup": third, "topic": topic, "offline": "true"})["code"], 0)
        checks.equal("copied by the broker", offsets(third), [4, 4])
        for fields, code in (({"topic": lab.fresh("nobody")}, TOPIC_NOT_EXIST), ({"group": lab.fresh("nobody")}, GROUP_NOT_EXIST),
                             ({"queueId": 0, "offset": 99}, SYSTEM_ERROR)):
            answer = raw.request(RESET, {"topic": topic, "group": group, "timestamp": -1, "isForce": "true", **fields})
            checks.equal(f"code of {fields}", answer["code"], code)
        checks.equal("nothing moved", offsets(), [4, 4])
    records = consumed_from(lab, topic, other)
    checks.equal("a copied group gets", records, [])


def consumed_from(lab, topic, group):
    call = lab.rmq533.start("consume", mode="push", topics=[topic], group=group, count=1, timeout=3_000)
    call.wait(20)
    return call.records()


@case("mqadmin group: live members go where a reset sends them", needs=("native",), limit=200)
def reset_live(lab):
    mq = admin(lab)
    for client, orderly in ((lab.rmq533, False), (lab.rmq533, True), (lab.rmq498, False)):
        topic, group = lab.fresh("mqy"), lab.fresh("live")
        send(lab, topic, 6)
        call = client.start("consume", mode="push", topics=[topic], group=group, orderly=orderly, timeout=150_000)
        call.until(lambda line: len(call.records()) >= 6, 40)
        shows("resetOffsetByTime", mq.run("resetOffsetByTime", "-g", group, "-t", topic, "-s", int(time.time() * 1000) - 3_600_000), "broker-a")
        checks.eventually(f"{client.name} (orderly: {orderly}) gets all again", lambda: len(drain(call)) >= 12, 60)
        places = {(record["partition"], record["offset"]) for record in call.records()[6:]}
        checks.equal("what came again", places, {(partition, offset) for partition in range(2) for offset in range(3)})
        call.stop()


@case("mqadmin group: a Kafka group is shown like a native one, with the same lag, and reset only without members",
      needs=("bridge",), limit=150)
def kafka_group(lab):
    mq, topic, group = admin(lab), lab.create(lab.fresh("mqk"), "B", 2), lab.fresh("kg")
    lab.kafka.run("produce", topic=topic, records=[samples.kafka("k", b"k", b"%d" % n) | {"partition": n % 2} for n in range(10)])
    call = lab.kafka.start("consume", mode="group", topics=[topic], group=group, count=6, timeout=100_000)
    call.wait(60)
    holder = lab.kafka.start("consume", mode="group", topics=[lab.create(lab.fresh("idle"), "B", 1)], group=group, timeout=100_000)
    holder.event("assigned")
    progress, connected, refused = mq.each([["consumerProgress", "-g", group, "-t", topic], ["consumerConnection", "-g", group],
                                            ["resetOffsetByTime", "-g", group, "-t", topic, "-s", "0"]])
    shows("consumerConnection", connected, "OTHER", "HIGHER_VERSION")
    shows("resetOffsetByTime", refused, "CODE: 16", "Kafka")
    holder.stop()
    shows("consumerProgress", mq.run("consumerProgress", "-g", group), topic, "Consume Diff Total: 4")
    with remoting.Connection(lab.remoting) as raw:
        def moved():
            return raw.request(RESET, {"topic": topic, "group": group, "timestamp": 0, "isForce": "true"})["code"] == 0
        checks.eventually("the last member is gone", moved, 20)
    again = lab.kafka.run("consume", mode="group", topics=[topic], group=group, count=10)
    checks.equal("what Kafka gets after the reset", len(again.records()), 10)
