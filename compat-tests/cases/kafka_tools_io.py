"""Kafka's own programs that write and read: console, verifiable and performance producer and consumer of 4.1."""
import json
import re
import subprocess

from lib import checks, deps
from lib.lab import case

COUNT = 200


def tool(main, *words, data=None):
    argv = [*deps.JAVA, "-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", deps.classpath("kafka-4.1.0"),
            f"org.apache.kafka.tools.{main}", *map(str, words)]
    done = subprocess.run(argv, input=data, capture_output=True, text=True, timeout=60)
    checks.true(f"{main} ended with {done.returncode}: {done.stderr[-500:]}", done.returncode == 0)
    return done.stdout


@case("tools: console producer and consumer carry keys, headers and values", needs=("kafka",), limit=90)
def console(lab):
    topic = lab.create(lab.fresh("console"), "B", 1)
    lines = [f"h:{n}\tk{n}\tv{n}" for n in range(5)]
    tool("ConsoleProducer", "--bootstrap-server", lab.kafka_address, "--topic", topic, "--property", "parse.key=true",
         "--property", "parse.headers=true", data="\n".join(lines) + "\n")
    said = tool("consumer.ConsoleConsumer", "--bootstrap-server", lab.kafka_address, "--topic", topic, "--from-beginning",
                "--max-messages", 5, "--timeout-ms", 20000, "--property", "print.key=true",
                "--property", "print.headers=true", "--property", "print.offset=true")
    checks.equal("lines", said.splitlines(), [f"Offset:{n}\t{line}" for n, line in enumerate(lines)])


@case("tools: verifiable producer and consumer account for every record", needs=("kafka",), limit=90)
def verifiable(lab):
    topic = lab.create(lab.fresh("verifiable"), "B", 2)
    sent = events(tool("VerifiableProducer", "--bootstrap-server", lab.kafka_address, "--topic", topic, "--max-messages", COUNT, "--acks", -1))
    checks.equal("acknowledged", sum(event["name"] == "producer_send_success" for event in sent), COUNT)
    read = events(tool("VerifiableConsumer", "--bootstrap-server", lab.kafka_address, "--topic", topic, "--group-id", lab.fresh("g"),
                       "--max-messages", COUNT, "--verbose", "--reset-policy", "earliest"))
    got = {(event["partition"], event["offset"]) for event in read if event["name"] == "record_data"}
    wanted = {(event["partition"], event["offset"]) for event in sent if event["name"] == "producer_send_success"}
    checks.equal("consumed", got, wanted)
    checks.true("a commit failed", all(event["success"] for event in read if event["name"] == "offsets_committed"))


def events(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@case("tools: the performance producer and consumer count what they carried", needs=("kafka",), limit=90)
def performance(lab):
    topic = lab.create(lab.fresh("perf"), "B", 2)
    said = tool("ProducerPerformance", "--topic", topic, "--num-records", 10 * COUNT, "--record-size", 100, "--throughput", -1,
                "--producer-props", f"bootstrap.servers={lab.kafka_address}")
    checks.true(f"producer said {said}", re.search(rf"^{10 * COUNT} records sent", said, re.M))
    said = tool("ConsumerPerformance", "--bootstrap-server", lab.kafka_address, "--topic", topic, "--messages", 10 * COUNT, "--timeout", 20000)
    names, row = [[word.strip() for word in line.split(",")] for line in said.splitlines() if "," in line][-2:]
    checks.equal("consumed", dict(zip(names, row))["data.consumed.in.nMsg"], str(10 * COUNT))
