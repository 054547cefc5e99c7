"""Topics, broker configuration, runtime table and statistics through mqadmin 5.3.3. Runs against the Java broker, too."""
import json

from lib import checks, remoting, samples
from lib.lab import case
from lib.mqadmin import Mqadmin

UPDATE_TOPIC, UPDATE_TOPIC_LIST, ALL_TOPICS, TOPIC_STATS, DELETE_TOPIC, SYSTEM_TOPICS, TOPIC_CONFIG = 17, 18, 21, 202, 215, 305, 351
UPDATE_CONFIG, GET_CONFIG, RUNTIME, ALL_OFFSETS, STATISTICS, QUERY_UNITS = 25, 26, 28, 43, 315, 321
SYSTEM_ERROR, NO_PERMISSION, TOPIC_NOT_EXIST, INVALID_PARAMETER = 1, 16, 17, 29


def admin(lab):
    return Mqadmin(lab.namesrv, lab.home / "mqadmin")


def shows(what, text, *words):
    for word in words:
        checks.true(f"{what} does not show {word!r}: {text[-600:]}", word in text)


def topic_fields(topic, **changes):
    return {"topic": topic, "defaultTopic": "TBW102", "readQueueNums": 4, "writeQueueNums": 4, "perm": 6,
            "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": "false", **changes}


@case("mqadmin: topics are created, changed, shown and deleted", needs=("native",), limit=120)
def topics(lab):
    mq, one, two = admin(lab), lab.fresh("mqa"), lab.fresh("mqa")
    listed = lab.home / "topics.json"
    names = [lab.fresh("mql"), lab.fresh("mql")]
    listed.write_text(json.dumps([{"topicName": names[0], "readQueueNums": 3, "writeQueueNums": 3},
                                  {"topicName": names[1], "readQueueNums": 5, "writeQueueNums": 5, "attributes": {"+message.type": "DELAY"}}]))
    made = mq.each([
        ["updateTopic", "-b", lab.remoting, "-t", one, "-r", 4, "-w", 4],
        ["updateTopic", "-c", "DefaultCluster", "-t", two, "-r", 8, "-w", 8, "-a", "+message.type=FIFO,+queue.type=SimpleCQ"],
        ["updateTopicList", "-b", lab.remoting, "-f", listed],
    ])
    for text in made:
        shows("updateTopic", text, "success")
    mq.each([["updateTopic", "-b", lab.remoting, "-t", two, "-r", 8, "-w", 2], ["updateTopicPerm", "-b", lab.remoting, "-t", one, "-p", 4]])
    status, unknown, route, perm, clusters, everything, by_cluster, fifth = mq.each([
        ["topicStatus", "-t", two], ["topicStatus", "-t", lab.fresh("nobody")], ["topicRoute", "-t", two], ["topicRoute", "-t", one],
        ["topicClusterList", "-t", one], ["topicList"], ["topicList", "-c"], ["topicRoute", "-l", "-t", names[1]],
    ])
    checks.equal("queues of topicStatus", status.count("\nbroker-a"), 8)
    shows("topicStatus", status, "Topic Put TPS")
    shows("topicStatus of nothing", unknown, "CODE: 17")
    shows("topicRoute", route, '"readQueueNums":8', '"writeQueueNums":2')
    shows("topicRoute after updateTopicPerm", perm, '"perm":4')
    shows("topicClusterList", clusters, "DefaultCluster")
    shows("topicList", everything, one, two, *names, "TBW102")
    shows("topicList -c", by_cluster, one, "#Consumer Group")
    shows("topicRoute -l", fifth, "DefaultCluster", "5")
    gone = mq.each([["deleteTopic", "-c", "DefaultCluster", "-t", topic] for topic in (one, lab.fresh("nobody"))])
    for text in gone:
        shows("deleteTopic", text, "delete topic", "success")
    shows("topicRoute of a deleted topic", mq.run("topicRoute", "-t", one), "CODE: 17")


@case("mqadmin: a topic request that is wrong is refused by its code and changes nothing", needs=("native",))
def wrong_topics(lab):
    topic = lab.fresh("wrong")
    with remoting.Connection(lab.remoting) as raw:
        def put(name=topic, **changes):
            return raw.request(UPDATE_TOPIC, topic_fields(name, **changes))
        for name in ("", "a.b", "a/b", "a" * 128, "TBW102", "DefaultCluster", "SCHEDULE_TOPIC_XXXX"):
            checks.equal(f"topic {name[:20]!r}", put(name)["code"], INVALID_PARAMETER)
        for text in ("+nonsense=1", "+message.type=SOMETHING", "message.type=FIFO", "-message.type", "+queue.type=batchcq"):
            checks.equal(f"attributes {text}", put(attributes=text)["code"], SYSTEM_ERROR)
        checks.equal("mixed", put(attributes="+message.type=MIXED")["code"], INVALID_PARAMETER)
        checks.equal("no number", put(readQueueNums="many")["code"], SYSTEM_ERROR)
        for code in (TOPIC_STATS, TOPIC_CONFIG):
            checks.equal(f"{code} of an unknown topic", raw.request(code, {"topic": topic})["code"], TOPIC_NOT_EXIST)
        checks.equal("delete of a system topic", raw.request(DELETE_TOPIC, {"topic": "TBW102"})["code"], INVALID_PARAMETER)
        checks.equal("delete of nothing", raw.request(DELETE_TOPIC, {"topic": topic})["code"], 0)
        checks.equal("the list", raw.request(UPDATE_TOPIC_LIST, {}, b"not json")["code"], SYSTEM_ERROR)
        checks.equal("creation", put(attributes="+message.type=FIFO")["code"], 0)
        checks.equal("the queue type of a topic", put(attributes="+queue.type=SimpleCQ")["code"], SYSTEM_ERROR)
        config = json.loads(raw.request(TOPIC_CONFIG, {"topic": topic})["body"])
        checks.equal("its settings", (config["readQueueNums"], config["perm"], config["attributes"]), (4, 6, {"message.type": "FIFO"}))
        system = json.loads(raw.request(SYSTEM_TOPICS)["body"])["topicList"]
        shows("the system's topics", " ".join(system), "TBW102", "SELF_TEST_TOPIC", "DefaultCluster", "RMQ_SYS_TRANS_HALF_TOPIC")
        everything = json.loads(raw.request(ALL_TOPICS)["body"])
        checks.equal("among all topics", everything["topicConfigTable"][topic]["writeQueueNums"], 4)


@case("mqadmin: queues out of range are refused, all topics come in pages", needs=("gantry",))
def own_topic_rules(lab):
    topic = lab.fresh("bounds")
    with remoting.Connection(lab.remoting) as raw:
        for read, write in ((0, 0), (-1, 4), (4, -1), (65_537, 4), (4, 2_147_483_647)):
            answer = raw.request(UPDATE_TOPIC, topic_fields(topic, readQueueNums=read, writeQueueNums=write))
            checks.equal(f"{read} and {write} queues", answer["code"], INVALID_PARAMETER)
        for perm in (-1, 8, 255):
            checks.equal(f"perm {perm}", raw.request(UPDATE_TOPIC, topic_fields(topic, perm=perm))["code"], INVALID_PARAMETER)
        names = set()
        everything = json.loads(raw.request(ALL_TOPICS)["body"])
        version, total = json.dumps(everything["dataVersion"]), len(everything["topicConfigTable"])
        for first in range(0, total, 5):
            page = raw.request(ALL_TOPICS, {"topicSeq": first, "maxTopicNum": 5, "dataVersion": version})
            checks.equal("topics in all", int(page["extFields"]["totalTopicNum"]), total)
            names |= set(json.loads(page["body"])["topicConfigTable"])
        checks.equal("topics of all pages", len(names), total)


@case("mqadmin: a topic made by one dialect's tools is the other's, too; its partitions never become fewer", needs=("bridge",))
def both_views(lab):
    topic = lab.fresh("views")
    with remoting.Connection(lab.remoting) as raw:
        checks.equal("creation", raw.request(UPDATE_TOPIC, topic_fields(topic))["code"], 0)
        acks = lab.kafka.run("produce", topic=topic, records=[dict(samples.kafka("v"), partition=3)]).acks()
        checks.equal("offset", acks[0]["offset"], 0)
        checks.equal("shrinking", raw.request(UPDATE_TOPIC, topic_fields(topic, readQueueNums=2, writeQueueNums=2))["code"], 0)
        acks = lab.kafka.run("produce", topic=topic, records=[dict(samples.kafka("v"), partition=3)]).acks()
        checks.equal("offset in a queue that native clients gave up", acks[0]["offset"], 1)
        checks.equal("deletion", raw.request(DELETE_TOPIC, {"topic": topic})["code"], 0)
    checks.refused(lambda: lab.kafka.run("offsets", topic=topic), "UnknownTopic", "UNKNOWN_TOPIC")


EXPORTER_NUMBERS = [  # what rocketmq-exporter reads as numbers: one that is missing stops it
    "msgPutTotalTodayNow", "msgPutTotalTodayMorning", "msgPutTotalYesterdayMorning", "msgGetTotalTodayNow", "msgGetTotalTodayMorning",
    "msgGetTotalYesterdayMorning", "sendThreadPoolQueueHeadWaitTimeMills", "queryThreadPoolQueueHeadWaitTimeMills",
    "pullThreadPoolQueueHeadWaitTimeMills", "queryThreadPoolQueueSize", "pullThreadPoolQueueSize", "sendThreadPoolQueueSize",
    "bootTimestamp", "commitLogMinOffset", "commitLogMaxOffset", "dispatchMaxBuffer", "brokerVersion", "consumeQueueDiskRatio",
    "commitLogDiskRatio", "pageCacheLockTimeMills", "getMessageEntireTimeMax", "putMessageEntireTimeMax", "putMessageTimesTotal",
    "startAcceptSendRequestTimeStamp", "earliestMessageTimeStamp", "remainTransientStoreBufferNumbs", "queryThreadPoolQueueCapacity",
    "putMessageAverageSize", "dispatchBehindBytes", "putMessageSizeTotal", "sendThreadPoolQueueCapacity", "pullThreadPoolQueueCapacity",
    "putLatency99", "putLatency999", "timerReadBehind", "timerOffsetBehind", "timerCongestNum", "timerEnqueueTps", "timerDequeueTps"]


@case("mqadmin: the runtime table has every number that tools read", needs=("native",))
def runtime(lab):
    with remoting.Connection(lab.remoting) as raw:
        checks.equal("send", raw.send_message(lab.fresh("runtime"), 0, b"body")["code"], 0)
        table = json.loads(raw.request(RUNTIME)["body"])["table"]
    for name in EXPORTER_NUMBERS:
        checks.true(f"{name} is {table.get(name)}", float(table.get(name, "none")) >= 0)
    for name in ("putTps", "getFoundTps", "getMissTps", "getTotalTps", "getTransferredTps"):
        checks.equal(f"parts of {name} {table[name]!r}", len(table[name].split(" ")), 3)
    checks.equal("brokerActive", table["brokerActive"], "true")
    checks.true(f"remainHowManyDataToFlush is {table['remainHowManyDataToFlush']}", float(table["remainHowManyDataToFlush"].split(" ")[0]) >= 0)
    capacity = table["commitLogDirCapacity"].split(" ")
    checks.true(f"commitLogDirCapacity is {capacity}", float(capacity[2]) > 0 and float(capacity[6]) > 0)


@case("mqadmin: statistics count what is sent and given out", needs=("native",), limit=90)
def statistics(lab):
    topic, group = lab.fresh("counted"), lab.fresh("g")
    with remoting.Connection(lab.remoting) as raw:
        def minute(name, key):
            answer = raw.request(STATISTICS, {"statsName": name, "statsKey": key})
            return json.loads(answer["body"])["statsMinute"] if answer["code"] == 0 else None
        for name, key in (("TOPIC_PUT_NUMS", topic), ("GROUP_GET_NUMS", f"{topic}@{group}"), ("NOBODY_KNOWS", topic)):
            answer = raw.request(STATISTICS, {"statsName": name, "statsKey": key})
            checks.equal(f"{name} of nothing", (answer["code"], "not exist" in answer["remark"]), (SYSTEM_ERROR, True))
        for _ in range(3):
            checks.equal("send", raw.send_message(topic, 0, b"body")["code"], 0)
        raw.join(group)
        checks.equal("pull", raw.pull(topic, 0, 0, group)["code"], 0)
        for name, key, total in (("TOPIC_PUT_NUMS", topic, 3), ("GROUP_GET_NUMS", f"{topic}@{group}", 3)):
            checks.eventually(f"{name} {key}", lambda n=name, k=key, t=total: (minute(n, k) or {}).get("sum") == t, 30)
        checks.true("TOPIC_PUT_SIZE", minute("TOPIC_PUT_SIZE", topic)["sum"] >= 12)
        checks.true("BROKER_PUT_NUMS", minute("BROKER_PUT_NUMS", "DefaultCluster")["sum"] >= 3)
        checks.true("messages a second of the topic", json.loads(remoting_json(raw.request(TOPIC_STATS, {"topic": topic})["body"]))["topicPutTps"] > 0)


def remoting_json(body):
    """The bounds by queue have objects as keys; what follows them is JSON."""
    return b"{" + body[body.rindex(b'"topicPutTps"'):]


@case("mqadmin: cluster, broker and message commands show what they show of a Java broker", needs=("native",), limit=120)
def shown_by_mqadmin(lab):
    mq, topic, key = admin(lab), lab.fresh("shown"), lab.fresh("key")
    shows("updateTopic", mq.run("updateTopic", "-b", lab.remoting, "-t", topic, "-r", 2, "-w", 2), "success")
    sent = mq.run("sendMessage", "-t", topic, "-p", "hello", "-k", key, "-c", "tagA", "-b", "broker-a", "-i", 0)
    shows("sendMessage", sent, "SEND_OK")
    unique = sent.split()[-1]
    texts = mq.each([
        ["queryMsgByKey", "-t", topic, "-k", key], ["queryMsgByUniqueKey", "-t", topic, "-i", unique],
        ["queryMsgByOffset", "-t", topic, "-b", "broker-a", "-i", 0, "-o", 0], ["printMsg", "-t", topic],
        ["printMsgByQueue", "-t", topic, "-a", "broker-a", "-i", 0, "-p", "true", "-d", "true"], ["consumeMessage", "-t", topic],
        ["clusterList"], ["clusterList", "-m"], ["brokerStatus", "-b", lab.remoting], ["statsAll", "-t", topic],
        ["cleanExpiredCQ", "-b", lab.remoting], ["cleanUnusedTopic", "-b", lab.remoting], ["deleteExpiredCommitLog", "-b", lab.remoting],
    ])
    wanted = [[unique, "0"], [unique, key, "tagA"], ["Queue Offset:        0", key], ["BODY: hello", key], ["BODY: hello"],
              ["BODY: hello", "queueOffset=0"], ["broker-a", "V5_3_3", "true"], ["#InTotalToday", "broker-a"],
              ["putTps", "commitLogMaxOffset", "msgPutTotalTodayNow"], ["#Topic"], ["success"], ["success"], ["success"]]
    for text, words in zip(texts, wanted):
        shows("mqadmin", text, *words)
    probes = mq.each([["checkMsgSendRT", "-t", topic, "-a", 2, "-s", 10], ["sendMsgStatus", "-b", "broker-a", "-c", 2, "-s", 10],
                      ["queryMsgById", "-t", topic, "-i", offset_id(texts[2])]])
    for text, words in zip(probes, [["Avg RT"], ["SEND_OK"], [key, "tagA"]]):
        shows("mqadmin", text, *words)


def offset_id(text):
    return next(line.split()[-1] for line in text.splitlines() if line.startswith("OffsetID"))


@case("mqadmin: broker settings are shown, changed at once, and still changed after a restart", needs=("gantry",), limit=90)
def broker_config(lab):
    home = lab.fresh("configured")
    gantry = lab.gantry_on(home).start()
    try:
        mq, topic = Mqadmin(gantry.namesrv, lab.home / "mqadmin"), lab.fresh("t")
        shown, changed, fixed, wrong = mq.each([
            ["getBrokerConfig", "-b", gantry.remoting],
            ["updateBrokerConfig", "-b", gantry.remoting, "-k", "fileReservedTime", "-v", 48],
            ["updateBrokerConfig", "-b", gantry.remoting, "-k", "storePathRootDir", "-v", "/elsewhere"],
            ["updateBrokerConfig", "-b", gantry.remoting, "-k", "deleteWhen", "-v", "soon"]])
        shows("getBrokerConfig", shown, "brokerName", "broker-a", "flushDiskType", "SYNC_FLUSH", "brokerRole", "ASYNC_MASTER")
        shows("updateBrokerConfig", changed, "success")
        shows("updateBrokerConfig of a path", fixed, "CODE: 16")
        shows("updateBrokerConfig of no value", wrong, "CODE: 29", "deleteWhen")
        with remoting.Connection(gantry.remoting) as raw:
            checks.equal("send", raw.send_message(topic, 0, b"body")["code"], 0)
            for text, code in ((b"brokerPermission=4\n", 0), (b"nonsense=1\n", INVALID_PARAMETER), (b"brokerPermission=7\n", INVALID_PARAMETER),
                               (b"listenPort=1\n", NO_PERMISSION), (b"brokerConfigPath=x\n", NO_PERMISSION),
                               (b"maxMsgsNumBatch=9\nflushDiskType=ASYNC_FLUSH\n", NO_PERMISSION)):
                checks.equal(f"answer to {text}", raw.request(UPDATE_CONFIG, {}, text)["code"], code)
            checks.equal("send to a broker that is read only", raw.send_message(topic, 0, b"body")["code"], NO_PERMISSION)
            checks.equal("permission in the route", permission(gantry, topic), 4)
        gantry.stop()
        gantry.start()
        with remoting.Connection(gantry.remoting) as raw:
            checks.equal("send after a restart", raw.send_message(topic, 0, b"body")["code"], NO_PERMISSION)
            config = raw.request(GET_CONFIG)["body"].decode()
            offsets = json.loads(raw.request(ALL_OFFSETS)["body"])
            checks.true(f"offsets of all groups are {offsets}", isinstance(offsets["offsetTable"], dict))
            shows("the configuration after a restart", config, "fileReservedTime=48\n", "brokerPermission=4\n", "maxMsgsNumBatch=64\n")
            checks.equal("answer", raw.request(UPDATE_CONFIG, {}, b"brokerPermission=6\nautoCreateTopicEnable=false\n")["code"], 0)
            checks.equal("send", raw.send_message(topic, 0, b"body")["code"], 0)
            checks.equal("send to an unknown topic", raw.send_message(lab.fresh("t"), 0, b"body")["code"], TOPIC_NOT_EXIST)
    finally:
        gantry.kill()


def permission(gantry, topic):
    with remoting.Connection(gantry.namesrv) as ask:
        return json.loads(ask.request(remoting.GET_ROUTE, {"topic": topic})["body"])["queueDatas"][0]["perm"]


@case("mqadmin: the units of a queue are shown by queryCq", needs=("native",), limit=60)
def query_queue(lab):
    topic = lab.fresh("units")
    with remoting.Connection(lab.remoting) as raw:
        for _ in range(3):
            checks.equal("send", raw.send_message(topic, 0, b"body", "TAGS\x01Aa\x02")["code"], 0)
        answer = checks.eventually("three units", lambda: three_units(raw, topic))
        sizes = {unit["physicSize"] for unit in answer["queueData"]}
        checks.equal("tags and sizes", ([unit["tagsCode"] for unit in answer["queueData"]], len(sizes)), ([2112] * 3, 1))
        checks.equal("an unknown queue", raw.request(QUERY_UNITS, {"topic": lab.fresh("t"), "queueId": 0, "index": 0, "count": 1})["code"], SYSTEM_ERROR)
        offsets = json.loads(raw.request(ALL_OFFSETS)["body"]) if "gantry" in lab.has else {"offsetTable": {}}
        checks.true("no table of offsets", isinstance(offsets["offsetTable"], dict))
    shows("queryCq", admin(lab).run("queryCq", "-t", topic, "-q", 0, "-i", 1, "-c", 5), "max: 3, min: 0", "tagsCode=2112")


def three_units(raw, topic):
    answer = json.loads(raw.request(QUERY_UNITS, {"topic": topic, "queueId": 0, "index": 0, "count": 10})["body"])
    return answer if len(answer["queueData"]) == 3 else None
