"""`gantry topic|msg|group|cluster` beside the real clients: what one sends the other reads, what one commits the other sees."""
import json
import subprocess

from lib import checks, samples
from lib.lab import case


def gantry(lab, *words, code=0, stdin=b""):
    """Runs a command against the lab's broker; its output, or with another `code` what it complains of."""
    argv = [lab.binary, *words, "--namesrv", lab.namesrv, "--kafka", lab.kafka_address, "--timeout", "20s"]
    done = subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, timeout=40)
    said = done.stderr.decode()
    checks.true(f"gantry {' '.join(words)} ended with {done.returncode}, not {code}: {said}", done.returncode == code)
    return said if code else done.stdout.decode()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@case("cli: what it sends in either dialect, clients of both read", needs=("gantry",))
def sends(lab):
    for via in ("native", "kafka"):
        for mode in ("S", "B"):
            topic = lab.fresh("clisend")
            gantry(lab, "topic", "create", topic, "--queues", "2", "--mode", mode)
            gantry(lab, "msg", "send", topic, "größe", "--via", via, "--key", "k1", "--tag", "T", "-H", "own=7", "--queue", "1")
            [native] = lab.rmq533.run("consume", mode="pull", topics=[topic], count=1, timeout=15_000).records()
            checks.equal(f"{via} {mode}: native value", native["value"], "größe".encode())
            checks.equal(f"{via} {mode}: native place", (native["partition"], native["offset"]), (1, 0))
            checks.equal(f"{via} {mode}: native tag and keys", (native["tags"], native["keys"]), ("T", "k1"))
            [kafka] = lab.kafka.run("consume", mode="assign", topics=[topic], count=1, timeout=15_000).records()
            checks.equal(f"{via} {mode}: Kafka value and key", (kafka["value"], kafka["key"]), ("größe".encode(), b"k1"))
            headers = dict(kafka["headers"])
            checks.equal(f"{via} {mode}: Kafka headers", (headers["rmq.tags"], headers["own"]), (b"T", b"7"))


@case("cli: it reads what clients of both dialects sent, in either view", needs=("gantry",))
def reads(lab):
    native, kafka = lab.fresh("clinative"), lab.fresh("clikafka")
    acks = lab.rmq533.run("produce", topic=native, records=[samples.native("n", b"from java", keys="k1 k2", tags="A", partition=0)]).acks()
    lab.create(kafka, "B", 1)
    lab.kafka.run("produce", topic=kafka, records=[samples.kafka("k", b"key", b"\xff\x00", [("h", b"1"), ("h", None)])])
    [read] = lines(gantry(lab, "msg", "tail", native, "-e", "-o", "json"))
    checks.equal("value, key, tag", (read["value"], read["key"], read["tag"]), ("from java", "k1 k2", "A"))
    ids = (read["native"]["msgId"], read["native"]["offsetMsgId"])
    checks.equal("ids", ids, (acks[0]["msgId"], acks[0]["offsetMsgId"]))
    [read] = lines(gantry(lab, "msg", "tail", kafka, "-e", "-o", "json"))
    checks.equal("bytes", (read["value"], read["valueEncoding"]), ("/wA=", "base64"))
    checks.equal("headers", read["kafka"]["headers"], [{"name": "h", "value": "1"}, {"name": "h", "value": None}])
    checks.equal("view of Kafka", lines(gantry(lab, "msg", "tail", kafka, "-e", "-o", "json", "--view", "kafka"))[0]["kafka"], read["kafka"])
    for ident in ids:
        found = json.loads(gantry(lab, "msg", "get", ident, "--topic", native, "-o", "json"))
        checks.equal(f"get {ident}", found["value"], "from java")
    found = checks.eventually("query", lambda: gantry_or_nothing(lab, "msg", "query", "--topic", native, "--key", "k2", "-f", "%v"))
    checks.equal("by key", found, "from java")


def gantry_or_nothing(lab, *words):
    """For what stands in the index a moment after the answer."""
    try:
        return gantry(lab, *words)
    except AssertionError:
        return None


@case("cli: topics are the same to it and to clients, whoever made them", needs=("gantry",))
def topics(lab):
    mine, theirs = lab.fresh("climine"), lab.fresh("clitheirs")
    gantry(lab, "topic", "create", mine, "--queues", "3")
    checks.equal("offsets of the new topic", len(lab.kafka.run("offsets", topic=mine).lines), 3)
    lab.create(theirs, "B", 5)
    rows = {row["topic"]: row for row in json.loads(gantry(lab, "topic", "list", "-o", "json"))}
    checks.equal("queues", (rows[mine]["queues"], rows[theirs]["queues"]), (3, 5))
    checks.equal("modes", (rows[mine]["mode"], rows[theirs]["mode"]), ("S", "B"))
    checks.equal("topic id", rows[theirs]["topicId"], lab.kafka.run("describeTopic", topic=theirs).lines[0]["topicId"])
    gantry(lab, "topic", "delete", mine, theirs, "--yes")
    checks.true("gone", "no topic" in gantry(lab, "topic", "describe", mine, code=4))
    checks.refused(lambda: lab.kafka.run("describeTopic", topic=theirs), "UnknownTopicOrPartition")
