"""What a case gets: the broker under test, every client, fresh names, and where to report."""
import functools
import itertools
import os
import pathlib
import re
import time

from lib import client, java_peer, kcat, remoting
from lib.broker import Gantry

CASES = []
# the programs in serve mode, made for the broker of a lab
PROGRAMS = {
    "rmq533": lambda lab: client.rocketmq("533", lab.namesrv, lab.home),
    "rmq498": lambda lab: client.rocketmq("498", lab.namesrv, lab.home),
    "rocketmq_go": lambda lab: client.rocketmq_go(lab.namesrv),
    "ali_ons": lambda lab: client.ali_ons(lab.namesrv),
    "kafka": lambda lab: client.kafka(lab.kafka_address),
    "kafka39": lambda lab: client.kafka39(lab.kafka_address),
    "franz": lambda lab: client.franz(lab.kafka_address),
    "sarama": lambda lab: client.sarama(lab.kafka_address),
    "confluent": lambda lab: client.confluent(lab.kafka_address),
    "kafka_python": lambda lab: client.kafka_python(lab.kafka_address),
    "aiokafka": lambda lab: client.aiokafka(lab.kafka_address),
    "kafkajs": lambda lab: client.kafkajs(lab.kafka_address),
}


class NotApplicable(Exception):
    """This client or this broker cannot express the case; the text says why."""


def case(name, needs=(), limit=60):
    """Registers a case. `needs`: "gantry" (the process itself), "bridge" (both dialects on one log), "native", "kafka"."""
    def register(function):
        CASES.append((name, tuple(needs), limit, function))
        return function
    return register


class Lab:
    """One broker, or in oracle mode the Java brokers whose addresses the environment gives, and the clients on it."""

    def __init__(self, home, binary, oracle):
        self.home, self.binary, self.oracle = pathlib.Path(home), binary, oracle
        self.stamp, self.numbers = f"{int(time.time()) % 1_000_000:06d}", itertools.count(1)
        self.cells, self.summaries = [], []
        if oracle:
            self.has = {kind for kind, name in (("native", "COMPAT_NAMESRV"), ("kafka", "COMPAT_KAFKA")) if os.environ.get(name)}
            self.namesrv, self.kafka_address = os.environ.get("COMPAT_NAMESRV"), os.environ.get("COMPAT_KAFKA")
        else:
            self.has = {"native", "kafka", "bridge", "gantry"}
            self.gantry = Gantry(binary, self.home / "broker").start()
            self.namesrv, self.kafka_address = self.gantry.namesrv, self.gantry.kafka

    def __getattr__(self, name):
        """A client program by its name in PROGRAMS, made at its first use and kept."""
        if name not in PROGRAMS:
            raise AttributeError(name)
        made = self.__dict__[name] = PROGRAMS[name](self)
        return made

    @functools.cached_property
    def kcat(self):
        return kcat.Kcat(self.kafka_address)

    @functools.cached_property
    def remoting(self):
        """The broker's remoting address, from the route as a client learns it."""
        if not self.oracle:
            return self.gantry.remoting
        with remoting.Connection(self.namesrv) as ask:
            route = ask.request(remoting.GET_ROUTE, {"topic": "TBW102"})
        # the key of the master is the number 0, which fastjson writes without quotes
        return re.search(rb'"brokerAddrs":\{"?0"?:"([^"]+)"', route["body"]).group(1).decode()

    def fresh(self, word):
        """A name nobody used before."""
        return f"{word}_{self.stamp}_{next(self.numbers)}"

    def create(self, topic, mode="B", partitions=2, **configs):
        """Creates a topic through Kafka; mode S needs the config of the bridge."""
        if mode == "S" and "bridge" in self.has:
            configs["queue.type"] = "SimpleCQ"
        self.kafka.run("createTopic", topic=topic, partitions=partitions, configs=configs)
        return topic

    def gantry_on(self, name, **conf):
        """Another Gantry with a directory of its own."""
        return Gantry(self.binary, self.home / name, conf)

    def java_on(self, name, store, **conf):
        """A Java broker and name server on the store directory."""
        return java_peer.RocketMQ(self.home / name, store, **conf)

    def clients(self):
        return [self.__dict__[name] for name in PROGRAMS if name in self.__dict__]

    def drop_clients(self):
        """After a failed case: the next one starts with fresh programs."""
        from lib import process
        for one in self.clients():
            if one.child is not None:
                process.kill(one.child)
        for name in PROGRAMS:
            self.__dict__.pop(name, None)

    def cell(self, name, wrong=None, skipped=None):
        """Reports one cell of a case that has many: differences, or the reason why it does not apply."""
        self.cells.append((name, list(wrong or []), skipped))

    def close(self):
        for one in self.clients():
            one.close()
        if not self.oracle and self.gantry.running():
            self.gantry.stop()
