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
        self.cells = []
        if oracle:
            self.has = {kind for kind, name in (("native", "COMPAT_NAMESRV"), ("kafka", "COMPAT_KAFKA")) if os.environ.get(name)}
            self.namesrv, self.kafka_address = os.environ.get("COMPAT_NAMESRV"), os.environ.get("COMPAT_KAFKA")
        else:
            self.has = {"native", "kafka", "bridge", "gantry"}
            self.gantry = Gantry(binary, self.home / "broker").start()
            self.namesrv, self.kafka_address = self.gantry.namesrv, self.gantry.kafka

    @functools.cached_property
    def rmq533(self):
        return client.rocketmq("533", self.namesrv, self.home)

    @functools.cached_property
    def rmq498(self):
        return client.rocketmq("498", self.namesrv, self.home)

    @functools.cached_property
    def kafka(self):
        return client.kafka(self.kafka_address)

    @functools.cached_property
    def franz(self):
        return client.franz(self.kafka_address)

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
        made = [self.__dict__.get(name) for name in ("rmq533", "rmq498", "kafka", "franz")]
        return [one for one in made if one is not None]

    def drop_clients(self):
        """After a failed case: the next one starts with fresh programs."""
        from lib import process
        for one in self.clients():
            if one.child is not None:
                process.kill(one.child)
        for name in ("rmq533", "rmq498", "kafka", "franz"):
            self.__dict__.pop(name, None)

    def cell(self, name, wrong=None, skipped=None):
        """Reports one cell of a case that has many: differences, or the reason why it does not apply."""
        self.cells.append((name, list(wrong or []), skipped))

    def close(self):
        for one in self.clients():
            one.close()
        if not self.oracle and self.gantry.running():
            self.gantry.stop()
