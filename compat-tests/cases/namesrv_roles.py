"""Name server and broker apart, each with RocketMQ's own on the other side: `gantry namesrv`, `gantry broker`.

Nothing here uses the lab's broker: each case starts what it needs and compares Gantry's name server with RocketMQ's."""
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import threading
import time

from lib import checks, client, java_peer, process, remoting, samples
from lib.broker import GantryBroker, GantryNamesrv
from lib.lab import case
from lib.mqadmin import Mqadmin

CLUSTER_INFO, REGISTER_BROKER, ALL_TOPICS = 106, 103, 206
SYSTEM_ERROR, INVALID_PARAMETER = 1, 29


class World:
    """What a case started; everything ends with it, newest first."""

    def __init__(self, lab, name):
        self.lab, self.home, self.stack = lab, lab.home / lab.fresh(name), contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def own(self, part, seconds=60):
        """Starts a process; it is killed when the case ends, if it still runs then."""
        part.start(seconds)
        self.stack.callback(lambda: process.kill(part.child))
        return part

    def gantry_namesrv(self, **conf):
        return self.own(GantryNamesrv(self.lab.binary, self.home / "namesrv", conf))

    def java_namesrv(self, **conf):
        return self.own(java_peer.Namesrv(self.home / "java-namesrv", **conf))

    def gantry_broker(self, *name_servers, name="broker", **conf):
        conf = {"namesrvAddr": ";".join(name_servers), "mappedFileSizeCommitLog": 1 << 26, **conf}  # several brokers, small files
        return self.own(GantryBroker(self.lab.binary, self.home / name, conf))

    def java_broker(self, *name_servers, **conf):
        return self.own(java_peer.Broker(self.home / "java-broker", list(name_servers), **conf), 90)

    def client(self, namesrv, version="533"):
        made = client.rocketmq(version, namesrv, self.lab.home)
        self.stack.callback(made.close)
        return made

    def mqadmin(self, namesrv):
        return Mqadmin(namesrv, self.home / "mqadmin")


def route(namesrv, topic):
    """The route as JSON; None when there is none."""
    with remoting.Connection(namesrv) as ask:
        answer = ask.request(remoting.GET_ROUTE, {"topic": topic})
    # RocketMQ's own name server writes broker ids without quotes.
    return json.loads(re.sub(rb'([{,])(\d+):', rb'\1"\2":', answer["body"])) if answer["code"] == 0 else None


def brokers(namesrv, topic):
    """Broker name -> address of the master."""
    found = route(namesrv, topic)
    return {data["brokerName"]: data["brokerAddrs"]["0"] for data in found["brokerDatas"]} if found else {}


def knows(namesrv, topic, *names, seconds=40):
    """Waits until the name server answers and exactly these brokers have the topic."""
    def have():
        with contextlib.suppress(OSError):
            return set(brokers(namesrv, topic)) == set(names)
    checks.eventually(f"{names} in the route of {topic}", have, seconds)


def passes(producer, consumer, topic, count=20):
    """What one client sends, another consumes as a push consumer."""
    records = [samples.native("n", b"%d" % n) for n in range(count)]
    checks.equal(f"{producer.name} sent", len(producer.run("produce", topic=topic, records=records).acks()), count)
    got = consumer.run("consume", mode="push", topics=[topic], group=f"g_{topic}", count=count, timeout=40_000, fromFirst=True).records()
    checks.equal("consumed", sorted({record["value"] for record in got}), sorted(record["value"] for record in records))


def said(part, words):
    """How often the log of a Gantry says this."""
    return part.log.read_text(errors="replace").count(words)


# -- a Java broker and a Gantry name server ---------------------------------------------------------------------

# The second line of "no route" is a person's advice, in Gantry's own words.
MASKS = [(r"\nSee .*", ""), (r"127\.0\.0\.1:\d+", "ADDRESS"), (r"\d+\.\d+\.\d+", "N"), (r"-?\d+(\.\d+)?(\(\S+\))?", "N"), (r"[ \t]+", " ")]


def masked(text):
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text


@case("name server: a Java broker and Java clients with gantry namesrv, which mqadmin sees as RocketMQ's", needs=("gantry",), limit=300)
def java_broker(lab):
    with World(lab, "javabroker") as world:
        gantry, java = world.gantry_namesrv(), world.java_namesrv()
        world.java_broker(gantry.namesrv, java.namesrv)
        topic = lab.fresh("tja")
        passes(world.client(gantry.namesrv), world.client(gantry.namesrv, "498"), topic)
        knows(java.namesrv, topic, "broker-a")
        checks.equal("routes", route(gantry.namesrv, topic), quoted(route(java.namesrv, topic)))
        for name in ("DefaultCluster", "broker-a"):
            checks.equal(f"the route of {name}", brokers(gantry.namesrv, name), brokers(java.namesrv, name))
        both = [world.mqadmin(one.namesrv) for one in (gantry, java)]
        same_commands(lab, both, topic)
        permissions(lab, (gantry, java), both, topic)
        configuration(lab, both)


def quoted(found):
    """A field of static topics, which Gantry does not have."""
    found.pop("topicQueueMappingByBroker", None)
    return found


def same_commands(lab, both, topic):
    """Commands that print the same; numbers and addresses are masked. Each changes what the next one shows."""
    order = ["updateOrderConf", "-t", topic, "-m"]
    for what, command in {
        "clusterList": ["clusterList"],
        "topicRoute": ["topicRoute", "-t", topic],
        "topicRoute of nothing": ["topicRoute", "-t", lab.fresh("nobody")],
        "topicClusterList": ["topicClusterList", "-t", topic],
        "updateKvConfig": ["updateKvConfig", "-s", "NS", "-k", "key", "-v", "value"],
        "deleteKvConfig": ["deleteKvConfig", "-s", "NS", "-k", "key"],
        "updateOrderConf put": [*order, "put", "-v", "broker-a:4"],
        "updateOrderConf get": [*order, "get"],
        "updateOrderConf delete": [*order, "delete"],
        "updateOrderConf get of nothing": [*order, "get"],
    }.items():
        ours, theirs = [masked(text) for text in run_both(both, command)]
        wrong = [] if ours == theirs and ours else [f"gantry printed {ours[:700]!r}, RocketMQ {theirs[:700]!r}"]
        lab.cell(f"mqadmin {what}", wrong)


def run_both(both, command):
    with concurrent.futures.ThreadPoolExecutor(len(both)) as pool:
        return list(pool.map(lambda one: one.run(*command), both))


def permissions(lab, servers, both, topic):
    """Wiped and given back; both name servers count the same topics."""
    for command, perm in (("wipeWritePerm", 4), ("addWritePerm", 6)):
        for _ in range(3):  # the broker registers anew by its own clock, which gives the permission back
            ours, theirs = [re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text) for text in run_both(both, [command, "-b", "broker-a"])]
            perms = [route(one.namesrv, topic)["queueDatas"][0]["perm"] for one in servers]
            if perms == [perm, perm]:
                break
        wrong = [] if ours == theirs and perms == [perm, perm] else [f"gantry printed {ours!r}, RocketMQ {theirs!r}; perms {perms}"]
        lab.cell(f"mqadmin {command}", wrong)


def configuration(lab, both):
    """Both change a switch, both refuse a path; what else is listed differs, since RocketMQ lists its thread pools."""
    ours, theirs = [masked(text) for text in run_both(both, ["updateNamesrvConfig", "-k", "orderMessageEnable", "-v", "true"])]
    lab.cell("mqadmin updateNamesrvConfig", [] if ours == theirs and "success" in ours else [f"gantry printed {ours!r}, RocketMQ {theirs!r}"])
    refused = run_both(both, ["updateNamesrvConfig", "-k", "kvConfigPath", "-v", "/tmp/elsewhere"])
    lab.cell("mqadmin updateNamesrvConfig of a path", [f"not refused: {text!r}" for text in refused if "CODE: 16" not in text])
    ours, theirs = [settings(text) for text in run_both(both, ["getNamesrvConfig"])]
    switches = ("orderMessageEnable", "returnOrderTopicConfigToBroker", "supportActingMaster", "enableTopicList", "enableAllTopicList")
    wrong = [f"{key}: gantry {ours.get(key)!r}, RocketMQ {theirs.get(key)!r}" for key in switches if ours.get(key) != theirs.get(key)]
    if ours.get("orderMessageEnable") != "true":
        wrong.append("the changed switch does not show")
    lab.cell("mqadmin getNamesrvConfig", wrong)


def settings(text):
    return dict(re.findall(r"^(\w+) +=[ ]*(.*)$", text, re.M))


# -- a Gantry broker with both kinds of name server -------------------------------------------------------------

@case("name server: gantry broker registers with RocketMQ's and Gantry's at once, and clients work through each", needs=("gantry",), limit=180)
def both_servers(lab):
    with World(lab, "both") as world:
        java, gantry = world.java_namesrv(), world.gantry_namesrv()
        absent = f"127.0.0.1:{java_peer.free_ports(1)[0]}"
        broker = world.gantry_broker(absent, java.namesrv, gantry.namesrv)
        for one in (java, gantry):
            for topic in ("TBW102", "DefaultCluster", "broker-a"):
                knows(one.namesrv, topic, "broker-a")
            checks.equal("the registered address", brokers(one.namesrv, "TBW102"), {"broker-a": broker.remoting})
        through_java, through_gantry = world.client(java.namesrv), world.client(gantry.namesrv)
        for producer, consumer in ((through_java, through_gantry), (through_gantry, through_java)):
            topic = lab.fresh("tgb")
            passes(producer, consumer, topic)
            for one in (java, gantry):
                knows(one.namesrv, topic, "broker-a", seconds=5)
        kafka = client.kafka(broker.kafka)
        world.stack.callback(kafka.close)
        dotted = f"dotted.{lab.fresh('tgb')}"
        kafka.run("createTopic", topic=dotted, partitions=2, configs={})
        for one in (java, gantry):
            knows(one.namesrv, dotted.replace(".", "%2E"), "broker-a", seconds=5)
        passes(through_java, through_gantry, dotted.replace(".", "%2E"))
        kafka.run("deleteTopic", topic=dotted)
        for one in (java, gantry):
            knows(one.namesrv, dotted.replace(".", "%2E"), seconds=5)
        checks.equal("lines about the one that is not there", said(broker, f"name_server={absent}"), 1)
        listed = world.mqadmin(java.namesrv).run("clusterList")
        checks.true(f"clusterList through RocketMQ's: {listed}", broker.remoting in listed)
        broker.stop()
        for one in (java, gantry):
            # A clean stop takes it out at once; RocketMQ's name server does that within its scan of 5 s.
            knows(one.namesrv, "TBW102", seconds=15)


# -- loss and return --------------------------------------------------------------------------------------------

class Sender:
    """A Java producer that sends on and on; what was acknowledged is kept."""

    def __init__(self, program, topic):
        self.program, self.topic, self.acked, self.failed = program, topic, set(), []
        self.stopping, self.number = threading.Event(), 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            records = [samples.native("n", b"%d" % (self.number + n)) for n in range(20)]
            self.number += len(records)
            try:
                acks = self.program.run("produce", topic=self.topic, records=records).acks()
            except (client.ClientError, TimeoutError) as error:
                self.failed.append(str(error))
                continue
            except ValueError:  # the case failed and closed the program
                return
            self.acked |= {records[n]["value"] for n in acks}

    def more(self, count, seconds=60):
        """Waits until so many more are acknowledged."""
        wanted = len(self.acked) + count
        checks.eventually(f"{count} more acknowledged", lambda: len(self.acked) >= wanted, seconds)

    def stop(self):
        self.stopping.set()
        self.thread.join(60)


@case("name server: killed and started again under load: nothing is lost, the broker says loss and return once each", needs=("gantry",), limit=240)
def killed_under_load(lab):
    with World(lab, "killed") as world:
        for kind in ("gantry", "java"):
            namesrv = world.gantry_namesrv() if kind == "gantry" else world.java_namesrv()
            broker = world.gantry_broker(namesrv.namesrv, name=f"broker-{kind}")
            topic = lab.fresh("tkl")
            knows(namesrv.namesrv, "TBW102", "broker-a")
            consumer = world.client(namesrv.namesrv)
            reading = consumer.start("consume", mode="push", topics=[topic], group=f"g_{topic}", timeout=200_000, fromFirst=True)
            sender = Sender(world.client(namesrv.namesrv), topic)
            sender.more(200)
            checks.eventually("the consumer began", lambda: consumed(reading), 60)
            for round_ in (1, 2):
                namesrv.kill()
                checks.eventually("the loss in the log", lambda n=round_: said(broker, "name server lost") == n, 20)
                sender.more(200)
                namesrv.start()
                knows(namesrv.namesrv, topic, "broker-a", seconds=15)
                checks.eventually("the return in the log", lambda n=round_: said(broker, "name server is there again") == n, 20)
                sender.more(200)
            sender.stop()
            checks.eventually(f"all {len(sender.acked)} acknowledged messages consumed",
                              lambda: sender.acked <= consumed(reading), 60)
            reading.stop()
            checks.equal("sends that failed", sender.failed[:2], [])
            checks.equal("lines about losses", said(broker, "name server lost"), 2)
            checks.equal("lines about returns", said(broker, "name server is there again"), 2)
            broker.stop()
            lab.cell(f"{kind} name server, {len(sender.acked)} messages")


def consumed(call):
    while not call.inbox.empty():
        call.next(1)
    return {record["value"] for record in call.records()}


@case("name server: one that refuses, hangs or talks nonsense delays nothing, and is registered with once it works", needs=("gantry",), limit=90)
def broken_servers(lab):
    import socket
    with World(lab, "broken") as world, contextlib.ExitStack() as stack:
        silent, http = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        nonsense = threading.Event()
        threading.Thread(target=talk, args=(http, nonsense), daemon=True).start()
        address = lambda one: f"127.0.0.1:{one.getsockname()[1]}"
        good, late = world.gantry_namesrv(), GantryNamesrv(lab.binary, world.home / "late")
        late.addresses = {"namesrv": f"127.0.0.1:{java_peer.free_ports(1)[0]}", "http": "127.0.0.1:0"}
        broker = world.gantry_broker(address(silent), address(http), "no.such.host.invalid:9876", late.namesrv, good.namesrv)
        knows(good.namesrv, "TBW102", "broker-a", seconds=5)
        checks.true("the nonsense was never read", nonsense.wait(20))
        passes(world.client(good.namesrv), world.client(good.namesrv), lab.fresh("tbr"))
        world.own(late)
        knows(late.namesrv, "TBW102", "broker-a", seconds=15)
        for one in (address(silent), address(http), "no.such.host.invalid:9876"):
            checks.eventually(f"the warning about {one}", lambda a=one: said(broker, f"name_server={a}") == 1, 20)
        begun = time.monotonic()
        broker.stop()
        checks.true("a stop waited for a name server that hangs", time.monotonic() - begun < 15)
        knows(good.namesrv, "TBW102", seconds=5)


def talk(listener, told):
    """Answers everything in the wrong protocol."""
    while True:
        try:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                told.set()
        except OSError:
            return


# -- departure --------------------------------------------------------------------------------------------------

@case("name server: a broker that hangs leaves the route at its expiry, one that stops or is killed at once, and all come back", needs=("gantry",), limit=90)
def departures(lab):
    with World(lab, "leave") as world:
        namesrv = world.gantry_namesrv()
        quick = {"enableSlaveActingMaster": "true", "brokerNotActiveTimeoutMillis": 2000, "brokerHeartbeatInterval": 200, "registerNameServerPeriod": 1000}
        hanging = world.gantry_broker(namesrv.namesrv, name="hanging", brokerName="hanging", **quick)
        stopping = world.gantry_broker(namesrv.namesrv, name="stopping", brokerName="stopping")
        killed = world.gantry_broker(namesrv.namesrv, name="killed", brokerName="killed")
        knows(namesrv.namesrv, "TBW102", "hanging", "stopping", "killed")
        stopping.stop()
        knows(namesrv.namesrv, "TBW102", "hanging", "killed", seconds=2)
        checks.equal("departures so far", said(namesrv, "broker unregistered"), 1)
        killed.kill()
        knows(namesrv.namesrv, "TBW102", "hanging", seconds=2)
        os.kill(hanging.child.pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            knows(namesrv.namesrv, "TBW102", seconds=10)
            checks.true("it left before its time was up", time.monotonic() - begun > 1.0)
        finally:
            os.kill(hanging.child.pid, signal.SIGCONT)
        checks.equal("expiries in the log", said(namesrv, "a broker fell silent"), 1)
        killed.start()
        stopping.start()
        knows(namesrv.namesrv, "TBW102", "hanging", "stopping", "killed", seconds=10)


@case("name server: registrations that are damaged, huge or name nothing are refused or cut, and the rest is served", needs=("gantry",), limit=60)
def bad_registrations(lab):
    with World(lab, "bad") as world:
        namesrv = world.gantry_namesrv()

        def register(topics, **changes):
            fields = {"brokerName": "b", "brokerAddr": "10.0.0.2:10911", "clusterName": "C", "haServerAddr": "10.0.0.2:10912", "brokerId": 0, **changes}
            table = {name: {"topicName": name, "readQueueNums": 1, "writeQueueNums": 1, "perm": 6} for name in topics}
            body = json.dumps({"topicConfigSerializeWrapper": {"topicConfigTable": table, "dataVersion": {"counter": len(table)}}}).encode()
            return raw.request(REGISTER_BROKER, fields, body)

        with remoting.Connection(namesrv.namesrv) as raw:
            answer = register(["a", "b"], bodyCrc32=1)
            checks.equal("a wrong checksum", (answer["code"], answer["remark"]), (SYSTEM_ERROR, "crc32 not match"))
            checks.equal("no broker name", register(["a", "b"], brokerName="")["code"], INVALID_PARAMETER)
            checks.equal("an address with a line break", register(["a", "b"], brokerAddr="10.0.0.2\n:1")["code"], INVALID_PARAMETER)
            checks.equal("a broker id that is none", register(["a", "b"], brokerId="x")["code"], SYSTEM_ERROR)
            checks.equal("a body that is no JSON", raw.request(REGISTER_BROKER, {
                "brokerName": "b", "brokerAddr": "10.0.0.2:1", "clusterName": "C", "haServerAddr": "", "brokerId": 0}, b"{{{")["code"], SYSTEM_ERROR)
            checks.equal("nothing of these is known", json.loads(raw.request(CLUSTER_INFO)["body"])["brokerAddrTable"], {})
            checks.equal("100,000 topics and some bad names", register([f"t{n}" for n in range(100_000)] + ["", "x\0y", "n" * 300])["code"], 0)
            checks.equal("topics", len(json.loads(raw.request(ALL_TOPICS)["body"])["topicList"]), 100_000)
        checks.eventually("they leave with their connection", lambda: route(namesrv.namesrv, "t0") is None, 10)
