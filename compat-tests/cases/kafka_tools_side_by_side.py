"""Kafka's command line tools 4.1, unmodified, against Gantry and a Kafka broker in the same state: what they print is the same but for
what depends on the run. Differences with a reason stand in `golden/kafka-tools-explained.txt`.

With --java-oracle both sides are Kafka brokers: nothing may differ then. KAFKA_TOOLS=WORD runs the commands with that word."""
import os
import re

from lib import checks
from lib.client import kafka
from lib.deps import ROOT
from lib.explained import Explained
from lib.java_peer import Kafka
from lib.lab import case
from lib.side_by_side import Side, Tools, both, differences, lines

PACKAGE = "org.apache.kafka.tools."
MAINS = {
    "topics": "TopicCommand", "consumer-groups": "consumer.group.ConsumerGroupCommand", "get-offsets": "GetOffsetShell",
    "delete-records": "DeleteRecordsCommand", "log-dirs": "LogDirsCommand", "console-producer": "ConsoleProducer",
    "console-consumer": "consumer.ConsoleConsumer", "producer-perf-test": "ProducerPerformance",
    "consumer-perf-test": "ConsumerPerformance", "verifiable-producer": "VerifiableProducer", "groups": "GroupsCommand",
    "verifiable-consumer": "VerifiableConsumer", "cluster": "ClusterTool", "broker-api-versions": "BrokerApiVersionsCommand",
    "leader-election": "LeaderElectionCommand", "reassign-partitions": "reassign.ReassignPartitionsCommand",
}
NUMBERS = (r"\b\d+(\.\d+)?\b", "<n>")
UUID = (r"[0-9a-f]{8}-[0-9a-f-]{27}", "<uuid>")
TOPIC_ID = (r"(TopicId: )\S+", r"\1<id>")
JSON_TIME = (r'"timestamp":\d+', '"timestamp":<ms>')
RATE = (r'("(avg_throughput|target_throughput)":)[-\d.E]+', r"\1<n>")


class Step:
    """One command line: {kafka} is the address, {home} a directory of the side, ~ a blank inside a word."""

    def __init__(self, line, stdin="", masks=(), keys=None, order=True):
        self.line, self.stdin = line, stdin
        self.how = {"masks": [UUID, TOPIC_ID, *masks], "keys": keys, "order": order}

    def main(self):
        name = self.line.split()[0]
        return "kafka.admin.ConfigCommand" if name == "configs" else PACKAGE + MAINS[name]

    def args(self):
        return [word.replace("~", " ") for word in self.line.split()[1:]]


BS = "--bootstrap-server {kafka}"
BEFORE = [
    Step(f"topics {BS} --create --topic one --partitions 2 --replication-factor 1"),
    Step(f"topics {BS} --create --topic two --partitions 1 --config retention.ms=3600000 --config max.message.bytes=100000"),
    Step(f"topics {BS} --create --topic one --partitions 2"),
    Step(f"topics {BS} --create --topic one --if-not-exists"),
    Step(f"topics {BS} --create --topic bad~name"),
    Step(f"topics {BS} --create --topic three --replication-factor 3"),
    Step(f"topics {BS} --create --topic three --partitions 0"),
    Step(f"topics {BS} --create --topic three --config no.such.config=1"),
    Step(f"topics {BS} --create --topic three --config retention.ms=abc"),
    Step(f"console-producer {BS} --topic two", stdin="a\nb\nc\nd\n"),
    Step(f"console-producer {BS} --topic one --property parse.key=true --property key.separator=:", stdin="k1:v1\nk2:v2\nk3:v3\nk4:v4\n"),
]
AFTER = [
    Step(f"topics {BS} --list"),
    Step(f"topics {BS} --list --exclude-internal"),
    Step(f"topics {BS} --describe --topic one"),
    Step(f"topics {BS} --describe --topic two"),
    Step(f"topics {BS} --describe --topic no-such-topic"),
    Step(f"topics {BS} --describe --under-replicated-partitions"),
    Step(f"topics {BS} --describe --unavailable-partitions"),
    Step(f"topics {BS} --describe --topics-with-overrides", order=False),
    Step(f"topics {BS} --alter --topic one --partitions 3"),
    Step(f"topics {BS} --alter --topic one --partitions 1"),
    Step(f"topics {BS} --alter --topic no-such-topic --partitions 4"),
    Step(f"topics {BS} --describe --topic one"),
    Step(f"configs {BS} --describe --topic two"),
    Step(f"configs {BS} --describe --topic two --all", masks=[(r"(\S+=\S*) sensitive.*", r"\1")], order=False),
    Step(f"configs {BS} --describe --topic no-such-topic"),
    Step(f"configs {BS} --alter --topic two --add-config retention.ms=7200000,cleanup.policy=delete"),
    Step(f"configs {BS} --describe --topic two", order=False),
    Step(f"configs {BS} --alter --topic two --delete-config retention.ms"),
    Step(f"configs {BS} --describe --topic two", order=False),
    Step(f"configs {BS} --alter --topic two --add-config retention.ms=abc"),
    Step(f"configs {BS} --alter --topic two --add-config no.such.config=1"),
    Step(f"configs {BS} --describe --broker 0"),
    Step(f"configs {BS} --describe --broker 0 --all", keys=r"([\w.]+)=", order=False),
    Step(f"configs {BS} --describe --entity-type brokers --entity-default"),
    Step(f"consumer-groups {BS} --list", order=False),
    Step(f"consumer-groups {BS} --list --state", order=False),
    Step(f"consumer-groups {BS} --describe --group live"),
    Step(f"consumer-groups {BS} --describe --group live --members --verbose"),
    Step(f"consumer-groups {BS} --describe --group live --state"),
    Step(f"consumer-groups {BS} --describe --group nobody"),
    Step(f"consumer-groups {BS} --delete --group live"),
    Step(f"consumer-groups {BS} --reset-offsets --to-earliest --group live --topic two --execute"),
    Step(f"consumer-groups {BS} --reset-offsets --to-earliest --group fresh --topic two --execute"),
    Step(f"consumer-groups {BS} --reset-offsets --shift-by 2 --group fresh --topic two --dry-run"),
    Step(f"consumer-groups {BS} --describe --group fresh"),
    Step(f"consumer-groups {BS} --delete-offsets --group fresh --topic two"),
    Step(f"consumer-groups {BS} --delete --group fresh"),
    Step(f"consumer-groups {BS} --delete --group fresh"),
    Step(f"groups {BS} --list", order=False),
    Step(f"get-offsets {BS} --topic two"),
    Step(f"get-offsets {BS} --topic two --time -2"),
    Step(f"get-offsets {BS} --topic two --time -3", masks=[(r":\d$", ":<of the newest>")]),
    Step(f"get-offsets {BS} --topic two --time 0"),
    Step(f"get-offsets {BS} --topic no-such-topic"),
    Step(f"delete-records {BS} --offset-json-file {{home}}/delete.json"),
    Step(f"get-offsets {BS} --topic two --time earliest"),
    Step(f"delete-records {BS} --offset-json-file {{home}}/delete-wrong.json"),
    Step(f"log-dirs {BS} --describe --topic-list two", masks=[(r'"(size|logDir|totalBytes|usableBytes)":("[^"]*"|-?\d+)', r'"\1":<>')]),
    Step(f"log-dirs {BS} --describe --broker-list 7"),
    Step(f"console-consumer {BS} --topic two --from-beginning --max-messages 2 --timeout-ms 10000"),
    Step(f"console-consumer {BS} --topic one --partition 0 --offset earliest --max-messages 1 --timeout-ms 10000 --property print.key=true "
         "--property print.offset=true --property print.partition=true"),
    Step(f"console-consumer {BS} --topic two --group tool --from-beginning --timeout-ms 4000", masks=[(r"\[\S+ \S+\] ERROR", "ERROR")]),
    Step(f"producer-perf-test --topic perf --num-records 2000 --record-size 100 --throughput -1 --producer-props bootstrap.servers={{kafka}}", masks=[NUMBERS]),
    Step(f"consumer-perf-test {BS} --topic perf --messages 2000 --timeout 20000", masks=[NUMBERS]),
    Step(f"get-offsets {BS} --topic perf"),
    Step(f"verifiable-producer {BS} --topic verify --max-messages 5 --throughput -1", masks=[JSON_TIME, RATE]),
    Step(f"verifiable-consumer {BS} --topic verify --group-id verifier --max-messages 5 --reset-policy earliest", masks=[JSON_TIME], order=False),
    Step(f"cluster cluster-id {BS}", masks=[(r"Cluster ID: \S+", "Cluster ID: <id>")]),
    Step(f"cluster list-endpoints {BS}", masks=[(r" \d{4,5} ", " <port> ")]),
    Step(f"broker-api-versions {BS}", masks=[(r"[ \t]*\[usable: \d+\]", "")]),
    Step(f"leader-election {BS} --election-type preferred --topic one --partition 0"),
    Step(f"leader-election {BS} --election-type unclean --topic one --partition 0"),
    Step(f"leader-election {BS} --election-type preferred --topic no-such-topic --partition 0"),
    Step(f"reassign-partitions {BS} --list"),
    Step(f"topics {BS} --delete --topic one"),
    Step(f"topics {BS} --delete --topic one"),
    Step(f"topics {BS} --list"),
]


def start(lab, name, broker):
    home = lab.home / f"kafka-tools-{name}"
    home.mkdir()
    broker.start()
    for file, offset in (("delete", 2), ("delete-wrong", 99)):
        (home / f"{file}.json").write_text('{"version":1,"partitions":[{"topic":"two","partition":0,"offset":%d}]}' % offset)
    side = Side(name, Tools("kafka-4.1.0", home), kafka=broker.kafka, home=home)
    side.client = kafka(broker.kafka)
    return side


def populate(side):
    """Topics for the load tools, and a group with a member that has read everything."""
    side.client.run("createTopic", topic="perf", partitions=1)
    side.client.run("createTopic", topic="verify", partitions=1)
    side.consumer = side.client.start("consume", mode="group", topics=["two"], group="live", timeout=600_000, configs={"client.id": "member"})
    side.consumer.until(lambda line: len(side.consumer.records()) == 4, 30)
    checks.eventually("the group has committed", lambda: committed(side) == [4], 30)


def committed(side):
    return [line["queue"]["offset"] for line in side.client.run("committed", topic="two", group="live").lines if "queue" in line]



def compare(lab, explained, sides, steps):
    for step in [step for step in steps if os.environ.get("KAFKA_TOOLS", "") in step.line or steps is BEFORE]:
        printed = both(sides, lambda side, step=step: side.run(step.main(), step.args(), step.stdin, 40))
        shown = [lines(side, out, **step.how) + ([f"exit {code}"] if code else []) for side, (out, code) in zip(sides, printed)]
        if os.environ.get("KAFKA_TOOLS_SHOW"):
            print("\n".join(["", step.line, *shown[0]]))
        lab.cell(re.sub(r" --bootstrap-server \{kafka\}", "", step.line), explained.unexplained(step.line, differences(*shown)))


@case("side by side: Kafka tools", needs=("kafka",), limit=500)
def side_by_side(lab):
    explained = Explained(ROOT / "golden" / "kafka-tools-explained.txt")
    subject = Kafka(lab.home / "kafka-tools-java-b", node=0) if lab.oracle else lab.gantry_on("kafka-tools-gantry", **{"num.partitions": 1})
    brokers = {"java": Kafka(lab.home / "kafka-tools-java-a", node=0), "subject": subject}
    sides = []
    try:
        sides = both(brokers.items(), lambda item: start(lab, *item))
        compare(lab, explained, sides, BEFORE)
        both(sides, populate)
        compare(lab, explained, sides, AFTER)
        if not lab.oracle and "KAFKA_TOOLS" not in os.environ:
            lab.cell("every listed exception occurs", explained.stale())
    finally:
        for side in sides:
            side.tools.close()
            side.client.close()
        for broker in brokers.values():
            if broker.child is not None:
                broker.kill()
