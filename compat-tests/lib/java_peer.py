"""The Java brokers on loopback: oracles of the client programs, and readers of Gantry's directories."""
import os
import pathlib
import socket
import struct
import subprocess

from lib import deps, process, remoting

HEAP = ["-Xms256m", "-Xmx512m", "-Djava.awt.headless=true"]
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"


def free_ports(count, neighbours=0):
    """Ports that are free now, each with `neighbours` free ports below and above (a broker takes port - 2 and + 1)."""
    found = []
    while len(found) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        around = range(port - neighbours, port + neighbours + 1)
        if all(is_free(p) for p in around) and not any(p in around for p in found):
            found.append(port)
    return found


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class JavaRocketMQ:
    """A process of RocketMQ 5.3.3 with a home of its own."""

    def __init__(self, home):
        self.home, self.child = pathlib.Path(home), None
        self.home.mkdir(parents=True, exist_ok=True)

    def launch(self, package, main, role, settings):
        conf = self.home / f"{role}.conf"
        conf.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        argv = ["java", *HEAP, "-XX:MaxDirectMemorySize=256m", f"-Duser.home={self.home}", "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
                "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
                "-cp", deps.classpath("rocketmq-5.3.3"), f"org.apache.rocketmq.{package}.{main}", "-c", conf]
        env = dict(os.environ, ROCKETMQ_HOME=str(self.home))
        with open(self.home / f"{role}.out", "ab") as log:
            self.child = process.spawn(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env)

    def stop(self):
        process.end(self.child, 60)

    def kill(self):
        process.kill(self.child)


class Namesrv(JavaRocketMQ):
    """A name server; the port stays when it starts again."""

    def __init__(self, home, **conf):
        super().__init__(home)
        self.conf, self.namesrv = conf, f"127.0.0.1:{free_ports(1)[0]}"

    def start(self, seconds=60):
        port = int(self.namesrv.rsplit(":", 1)[1])
        self.launch("namesrv", "NamesrvStartup", "namesrv", {"listenPort": port, "kvConfigPath": self.home / "kv.json", **self.conf})
        process.wait_for("the Java name server", lambda: listens(self.namesrv), seconds, self.child)
        return self


class Broker(JavaRocketMQ):
    """A broker over the store directory `store`, registered with `name_servers`, a list of addresses."""

    def __init__(self, home, name_servers, store=None, **conf):
        super().__init__(home)
        self.name_servers, self.conf = name_servers, conf
        self.store = pathlib.Path(store or self.home / "store")
        self.port = conf.get("listenPort") or free_ports(1, neighbours=2)[0]
        self.remoting = f"127.0.0.1:{self.port}"

    def start(self, seconds=60):
        self.launch("broker", "BrokerStartup", "broker", {
            "brokerClusterName": "DefaultCluster", "brokerName": "broker-a", "brokerId": 0, "brokerIP1": "127.0.0.1",
            "listenPort": self.port, "namesrvAddr": ";".join(self.name_servers), "storePathRootDir": self.store, "flushDiskType": "ASYNC_FLUSH",
            "mappedFileSizeCommitLog": 1 << 26, "diskMaxUsedSpaceRatio": 95, **self.conf,
        })
        process.wait_for("the Java broker", self._answers, seconds, self.child)
        return self

    def _answers(self):
        """The broker serves requests and every name server knows a route."""
        return all(knows(namesrv, "TBW102") for namesrv in self.name_servers)


def listens(address):
    """Whether connections are taken there."""
    try:
        socket.create_connection(address.rsplit(":", 1), 5).close()
        return True
    except OSError:
        return False


def knows(namesrv, topic):
    """Whether the name server answers, and has a route of the topic."""
    try:
        with remoting.Connection(namesrv) as ask:
            return ask.request(remoting.GET_ROUTE, {"topic": topic})["code"] == 0
    except OSError:
        return False


class RocketMQ:
    """Name server and broker 5.3.3 over the store directory `store`."""

    def __init__(self, home, store=None, **conf):
        self.home = pathlib.Path(home)
        self.store = pathlib.Path(store or self.home / "store")
        self.conf, self.parts, self.namesrv = conf, [], None

    def start(self, seconds=60):
        if self.namesrv is None:  # the ports stay when it starts again
            namesrv = Namesrv(self.home)
            self.parts = [namesrv, Broker(self.home, [namesrv.namesrv], self.store, **self.conf)]
            self.namesrv, self.remoting = namesrv.namesrv, self.parts[1].remoting
        for part in self.parts:
            part.start(seconds)
        return self

    def stop(self):
        for part in reversed(self.parts):
            part.stop()

    def kill(self):
        for part in reversed(self.parts):
            part.kill()


class Kafka:
    """Kafka 4.1 in KRaft mode, one process for both roles."""

    def __init__(self, home, node=1):
        self.home, self.child, self.kafka, self.node = pathlib.Path(home), None, None, node
        self.home.mkdir(parents=True, exist_ok=True)

    def start(self, seconds=60):
        if self.kafka is None:  # the ports stay when it starts again
            port, self.controller = free_ports(2)
            self.kafka = f"127.0.0.1:{port}"
        port, controller = self.kafka.rsplit(":", 1)[1], self.controller
        conf = self.home / "server.properties"
        conf.write_text(f"""process.roles=broker,controller
node.id={self.node}
controller.quorum.voters={self.node}@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={self.home}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")
        run = ["java", *HEAP, "-XX:+UseSerialGC", "-cp", deps.classpath("kafka-4.1.0")]
        with open(self.home / "out.log", "ab") as log:
            if not (self.home / "data" / "meta.properties").exists():
                subprocess.run([*run, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(conf)],
                               stdout=log, stderr=subprocess.STDOUT, check=True, timeout=60)
            self.child = process.spawn([*run, "kafka.Kafka", conf], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        process.wait_for("the Kafka broker", self._answers, seconds, self.child)
        return self

    def _answers(self):
        """Metadata lists a broker."""
        try:
            with socket.create_connection(self.kafka.rsplit(":", 1), 5) as s:
                request = struct.pack(">hhih", 3, 1, 1, 1) + b"r" + struct.pack(">i", 0)
                s.sendall(struct.pack(">i", len(request)) + request)
                answer = s.recv(4096)
                return len(answer) >= 12 and struct.unpack_from(">i", answer, 8)[0] > 0
        except (OSError, struct.error):
            return False

    def stop(self):
        process.end(self.child, 60)

    def kill(self):
        process.kill(self.child)
