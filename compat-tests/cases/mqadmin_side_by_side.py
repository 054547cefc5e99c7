"""mqadmin 5.3.3, unmodified, against Gantry and a Java broker in the same state: what it prints is the same but for what depends on
the run. Differences with a reason stand in `golden/mqadmin-explained.txt`.

With --java-oracle both sides are Java brokers: nothing may differ then. MQADMIN=WORD runs the commands with that word."""
import os
import time

from lib import checks, remoting, samples
from lib.client import rocketmq
from lib.deps import ROOT
from lib.explained import Explained
from lib.java_peer import RocketMQ
from lib.lab import case
from lib.side_by_side import Side, Tools, both, differences, lines

MAIN = "org.apache.rocketmq.tools.command.MQAdminStartup"
TOPIC, GROUP, PRODUCERS = "AdmTopic", "CG_admin", "compat_producers"
SAME = {"brokerName": "broker-a", "brokerClusterName": "DefaultCluster", "defaultTopicQueueNums": 4, "mappedFileSizeCommitLog": 1 << 26}
KEYS = {"order": False, "keys": r"(\S+) *[:=]"}
COUNT = (r"\b\d+(\.\d+)?\b", "<n>")
RATE = (r"\b\d+\.\d\d\b", "<rate>")
# the row of the retry queue is there once the consumer has stored its offset, which it does by its own clock
RETRY_ROW = (r"^%RETRY%CG_admin .*\bbroker-a\b.*$", "")


class Step:
    """One command line; how its output is compared."""

    def __init__(self, line, masks=(), keys=None, order=True):
        self.line, self.how = line, {"masks": masks, "keys": keys, "order": order}
        self.name = line.split()[0]

    def args(self):
        return [word.replace("~", " ") for word in self.line.split()]


# Before there is a message, a consumer and a producer.
BEFORE = [
    Step("updateTopic -n {namesrv} -b {broker} -t AdmTopic -r 4 -w 4"),
    Step("updateTopic -n {namesrv} -c DefaultCluster -t AdmFifo -r 2 -w 2 -o true -a +message.type=FIFO"),
    Step("updateTopic -n {namesrv} -b {broker} -t bad~name"),
    Step("updateTopic -n {namesrv} -b {broker} -t AdmTopic2 -a +queue.type=NoSuchType"),
    Step("topicStatus -n {namesrv} -t NoSuchTopic"),
    Step("updateSubGroup -n {namesrv} -b {broker} -g CG_adm -s true -r 3 -q 1"),
]
AFTER = [
    Step("topicList -n {namesrv}", order=False),
    Step("topicList -n {namesrv} -c", order=False),
    Step("topicRoute -n {namesrv} -t AdmTopic"),
    Step("topicRoute -n {namesrv} -t AdmTopic -l"),
    Step("topicRoute -n {namesrv} -t NoSuchTopic"),
    Step("topicStatus -n {namesrv} -t AdmTopic"),
    Step("topicClusterList -n {namesrv} -t AdmTopic"),
    Step("updateTopicPerm -n {namesrv} -b {broker} -t AdmFifo -p 4"),
    Step("consumerProgress -n {namesrv}", masks=[RATE, (r"(V\d\S+)( +\S+)*", r"\1")], order=False),
    Step("consumerProgress -n {namesrv} -g CG_admin", masks=[RATE, RETRY_ROW]),
    Step("consumerProgress -n {namesrv} -g CG_admin -t AdmTopic -s true", masks=[RATE]),
    Step("consumerProgress -n {namesrv} -g CG_nobody"),
    Step("consumerConnection -n {namesrv} -g CG_admin"),
    Step("consumerConnection -n {namesrv} -g CG_nobody"),
    Step("producerConnection -n {namesrv} -g compat_producers -t AdmTopic"),
    Step("producerConnection -n {namesrv} -g PG_nobody -t AdmTopic"),
    Step("producer -n {namesrv} -b {broker}", order=False),
    Step("consumerStatus -n {namesrv} -g CG_admin", masks=[RATE]),
    Step("getConsumerConfig -n {namesrv} -g CG_adm"),
    Step("clusterList -n {namesrv}", masks=[(r"\S+\(.*", "<load>")]),
    Step("clusterList -n {namesrv} -m", masks=[(r"\d+", "<n>")]),
    Step("brokerStatus -n {namesrv} -b {broker}", **KEYS),
    Step("getBrokerConfig -n {namesrv} -b {broker}", **KEYS),
    Step("updateBrokerConfig -n {namesrv} -b {broker} -k fileReservedTime -v 48"),
    Step("updateBrokerConfig -n {namesrv} -b {broker} -k noSuchKey -v 1"),
    Step("getNamesrvConfig -n {namesrv}", **KEYS),
    Step("queryMsgById -n {namesrv} -t AdmTopic -i {offset_id}", order=False),
    Step("queryMsgById -n {namesrv} -t AdmTopic -i 7F0000010000000000000000FFFFFF00"),
    Step("queryMsgByKey -n {namesrv} -t AdmTopic -k adm-1"),
    Step("queryMsgByKey -n {namesrv} -t AdmTopic -k no-such-key"),
    Step("queryMsgByUniqueKey -n {namesrv} -t AdmTopic -i {unique_id}", order=False),
    Step("queryMsgByOffset -n {namesrv} -t AdmTopic -b broker-a -i 0 -o 0", order=False),
    Step("queryMsgByOffset -n {namesrv} -t AdmTopic -b broker-a -i 0 -o 99"),
    Step("printMsg -n {namesrv} -t AdmTopic -d true", order=False),
    Step("printMsgByQueue -n {namesrv} -t AdmTopic -a broker-a -i 0 -p true -d true"),
    Step("consumeMessage -n {namesrv} -t AdmTopic -b broker-a -i 0 -o 0 -c 2"),
    # before the sends: the queues for which the consumer has committed by then are a matter of time
    Step("brokerConsumeStats -n {namesrv} -b {broker}", masks=[RETRY_ROW, (r"( +\d+){3}( +<time>)|(Diff Total: )\d+", r"\2\3")], order=False),
    Step("sendMessage -n {namesrv} -t AdmTopic -b broker-a -i 3 -p hello -k sent -c TagA"),
    Step("sendMessage -n {namesrv} -t bad~name -p hello"),
    Step("sendMsgStatus -n {namesrv} -b broker-a -s 16 -c 2", masks=[(r"rt=\S+", "rt"), (r"queue(Id|Offset)=\d+", r"queue\1")], order=False),
    Step("checkMsgSendRT -n {namesrv} -t AdmTopic -a 3 -s 16", masks=[(r"\d+(\.\d+)?", "<n>")]),
    Step("queryCq -n {namesrv} -t AdmTopic -q 0 -i 0 -c 3 -b {broker}", masks=[(r"(physicOffset\W+)\d+", r"\1<n>")]),
    Step("statsAll -n {namesrv}", masks=[COUNT], order=False),
    Step("statsAll -n {namesrv} -t AdmTopic", masks=[COUNT]),
    Step("allocateMQ -n {namesrv} -t AdmTopic -i 127.0.0.1,127.0.0.2"),
    Step("cloneGroupOffset -n {namesrv} -s CG_admin -d CG_adm -t AdmTopic -o false"),
    Step("cloneGroupOffset -n {namesrv} -s CG_nobody -d CG_adm -t AdmTopic -o false"),
    Step("consumerProgress -n {namesrv} -g CG_adm"),
    Step("resetOffsetByTime -n {namesrv} -g CG_offline -t AdmTopic -s 0", order=False),
    Step("resetOffsetByTime -n {namesrv} -g CG_adm -t AdmTopic -s 0", order=False),
    Step("resetOffsetByTime -n {namesrv} -g CG_adm -t AdmTopic -s now", order=False),
    Step("resetOffsetByTime -n {namesrv} -g CG_adm -t AdmTopic -s 0 -b {broker} -q 0 -o 1"),
    Step("resetOffsetByTime -n {namesrv} -g CG_admin -t AdmTopic -s 0", order=False),
    Step("skipAccumulatedMessage -n {namesrv} -g CG_adm -t AdmTopic", order=False),
    Step("updateKvConfig -n {namesrv} -s COMPAT_NS -k key -v value"),
    Step("deleteKvConfig -n {namesrv} -s COMPAT_NS -k key"),
    Step("updateOrderConf -n {namesrv} -t AdmFifo -m put -v broker-a:2"),
    Step("updateOrderConf -n {namesrv} -t AdmFifo -m get"),
    Step("updateOrderConf -n {namesrv} -t AdmFifo -m delete"),
    Step("updateNamesrvConfig -n {namesrv} -k orderMessageEnable -v true"),
    Step("wipeWritePerm -n {namesrv} -b broker-a"),
    Step("topicRoute -n {namesrv} -t AdmTopic"),
    Step("addWritePerm -n {namesrv} -b broker-a"),
    Step("topicRoute -n {namesrv} -t AdmTopic"),
    Step("wipeWritePerm -n {namesrv} -b no-such-broker"),
    Step("haStatus -n {namesrv} -b {broker}", masks=[(r"\d+", "<n>")]),
    Step("cleanExpiredCQ -n {namesrv} -b {broker}"),
    Step("cleanUnusedTopic -n {namesrv} -b {broker}"),
    Step("deleteExpiredCommitLog -n {namesrv} -b {broker}"),
    Step("deleteSubGroup -n {namesrv} -b {broker} -g CG_adm -r true"),
    Step("getConsumerConfig -n {namesrv} -g CG_adm"),
    Step("deleteTopic -n {namesrv} -c DefaultCluster -t AdmFifo"),
    Step("topicRoute -n {namesrv} -t AdmFifo"),
    Step("topicList -n {namesrv}", order=False),
]


def wanted(steps):
    word = os.environ.get("MQADMIN", "")
    return [step for step in steps if word in step.line]


def start(lab, name, broker):
    home = lab.home / f"mqadmin-{name}"
    home.mkdir()
    broker.start()
    side = Side(name, Tools("rocketmq-5.3.3", home, f"-Drocketmq.client.logRoot={home}/logs", "-Drocketmq.client.logLevel=ERROR"),
                namesrv=broker.namesrv, broker=broker.remoting)
    side.hide(getattr(broker, "store", broker.home), "store")
    side.process, side.client = broker, rocketmq("533", broker.namesrv, home)
    return side


def populate(side):
    """Six messages in two queues, a producer that stays, and a consumer that has committed them."""
    records = [samples.native("a", b"admin message %d" % n, partition=n % 2, tags="TagA" if n % 2 == 0 else "TagB", keys=f"adm-{n}") for n in range(6)]
    sent = side.client.run("produce", topic=TOPIC, records=records, broker="broker-a").acks()
    side.words["offset_id"], side.words["unique_id"] = sent[5]["offsetMsgId"], sent[5]["msgId"]
    side.consumer = side.client.start("consume", mode="push", topics=[TOPIC], group=GROUP, timeout=600_000)
    side.consumer.until(lambda line: len(side.consumer.records()) == 6, 30)
    with remoting.Connection(side.process.remoting) as ask:
        for queue in (0, 1):
            checks.eventually(f"{GROUP} has committed queue {queue}", lambda queue=queue: ask.committed(GROUP, TOPIC, queue) == 3, 30)


def compare(lab, explained, sides, steps):
    for step in wanted(steps):
        begun = time.monotonic()
        printed = both(sides, lambda side, step=step: side.run(MAIN, step.args()))
        if os.environ.get("MQTIME"):
            print(f"{time.monotonic() - begun:6.1f} {step.line}", flush=True)
        shown = [lines(side, out, **step.how) + ([f"exit {code}"] if code else []) for side, (out, code) in zip(sides, printed)]
        lab.cell(step.line.replace(" -n {namesrv}", ""), explained.unexplained(step.line, differences(*shown)))


@case("side by side: mqadmin", needs=("native",), limit=400)
def side_by_side(lab):
    explained = Explained(ROOT / "golden" / "mqadmin-explained.txt")
    subject = RocketMQ(lab.home / "mqadmin-java-b", **SAME) if lab.oracle else lab.gantry_on("mqadmin-gantry", **SAME)
    brokers = {"java": RocketMQ(lab.home / "mqadmin-java-a", **SAME), "subject": subject}
    sides = []
    try:
        sides = both(brokers.items(), lambda item: start(lab, *item))
        compare(lab, explained, sides, BEFORE)
        both(sides, populate)
        compare(lab, explained, sides, AFTER)
        if not lab.oracle and "MQADMIN" not in os.environ:
            lab.cell("every listed exception occurs", explained.stale())
    finally:
        for side in sides:
            side.tools.close()
            side.client.close()
        for broker in brokers.values():
            broker.kill()
