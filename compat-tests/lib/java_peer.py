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


class RocketMQ:
    """Name server and broker 5.3.3 over the store directory `store`."""

    def __init__(self, home, store=None, **conf):
        self.home = pathlib.Path(home)
        self.store = pathlib.Path(store or self.home / "store")
        self.conf, self.children, self.namesrv = conf, [], None
        self.home.mkdir(parents=True, exist_ok=True)

    def start(self, seconds=60):
        if self.namesrv is None:  # the ports stay when it starts again
            broker = self.conf.get("listenPort") or free_ports(1, neighbours=2)[0]
            self.namesrv, self.remoting = f"127.0.0.1:{free_ports(1)[0]}", f"127.0.0.1:{broker}"
        namesrv, broker = (int(address.rsplit(":", 1)[1]) for address in (self.namesrv, self.remoting))
        self._launch("NamesrvStartup", "namesrv", {"listenPort": namesrv, "kvConfigPath": self.home / "kv.json"})
        process.wait_for("the Java name server", lambda: not is_free(namesrv), seconds, self.children[-1])
        settings = {
            "brokerClusterName": "DefaultCluster", "brokerName": "broker-a", "brokerId": 0, "brokerIP1": "127.0.0.1",
            "listenPort": broker, "namesrvAddr": self.namesrv, "storePathRootDir": self.store, "flushDiskType": "ASYNC_FLUSH",
            "mappedFileSizeCommitLog": 1 << 26, "diskMaxUsedSpaceRatio": 95, **self.conf,
        }
        self._launch("BrokerStartup", "broker", settings)
        process.wait_for("the Java broker", self._answers, seconds, self.children[-1])
        return self

    def _launch(self, main, role, settings):
        package = {"NamesrvStartup": "namesrv", "BrokerStartup": "broker"}[main]
        conf = self.home / f"{role}.conf"
        conf.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        argv = ["java", *HEAP, "-XX:MaxDirectMemorySize=256m", f"-Duser.home={self.home}", "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
                "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED",
                "-cp", deps.classpath("rocketmq-5.3.3"), f"org.apache.rocketmq.{package}.{main}", "-c", conf]
        env = dict(os.environ, ROCKETMQ_HOME=str(self.home))
        with open(self.home / f"{role}.out", "ab") as log:
            self.children.append(process.spawn(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env))

    def _answers(self):
        """The broker serves requests and the name server knows a route."""
        try:
            with remoting.Connection(self.namesrv) as ask:
                return ask.request(105, {"topic": "TBW102"})["code"] == 0
        except OSError:
            return False

    def stop(self):
        for child in reversed(self.children):
            process.end(child, 60)
        self.children = []

    def kill(self):
        for child in reversed(self.children):
            process.kill(child)
        self.children = []


class Kafka:
    """Kafka 4.1 in KRaft mode, one process for both roles."""

    def __init__(self, home):
        self.home, self.child, self.kafka = pathlib.Path(home), None, None
        self.home.mkdir(parents=True, exist_ok=True)

    def start(self, seconds=60):
        if self.kafka is None:  # the ports stay when it starts again
            port, self.controller = free_ports(2)
            self.kafka = f"127.0.0.1:{port}"
        port, controller = self.kafka.rsplit(":", 1)[1], self.controller
        conf = self.home / "server.properties"
        conf.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
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
