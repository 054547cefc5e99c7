"""What survives a stop and a kill: messages, offsets, topic ids, sequence numbers. Each case has a Gantry of its own."""
from lib import checks, client, kafka_wire, remoting, samples
from lib.lab import case

FLUSH = {"sync": {"flushDiskType": "SYNC_FLUSH"}, "async": {"flushDiskType": "ASYNC_FLUSH"}}


class World:
    """A broker of its own with the two Java clients on it; the ports stay when it restarts."""

    def __init__(self, lab, name, **conf):
        self.gantry = lab.gantry_on(lab.fresh(name), **conf).start()
        self.native = client.rocketmq("533", self.gantry.namesrv, lab.home)
        self.kafka = client.kafka(self.gantry.kafka)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.native.close()
        self.kafka.close()
        if self.gantry.running():
            self.gantry.stop()

    def restart(self, how):
        self.gantry.kill() if how == "kill" else self.gantry.stop()
        self.gantry.start()


def fill(world):
    """One topic of each mode, with messages of both dialects; returns everything that was acknowledged."""
    acked = {}
    for topic, configs in (("modeB", {}), ("modeS", {"queue.type": "SimpleCQ"})):
        world.kafka.run("createTopic", topic=topic, partitions=2, configs=configs)
        kafka = [samples.kafka("k", b"k%d" % n, b"kafka %d" % n, [("h", b"1"), ("h", None)]) | {"partition": n % 2} for n in range(20)]
        native = [samples.native("n", b"native %d" % n, keys=f"key{n}", tags="T", partition=n % 2) for n in range(20)]
        for sender, records in ((world.kafka, kafka), (world.native, native)):
            acks = sender.run("produce", topic=topic, records=records).acks()
            for n, record in enumerate(records):
                acked[topic, acks[n]["partition"], acks[n]["offset"]] = record["value"]
    return acked


def held(world):
    """What each dialect reads now."""
    native = world.native.run("consume", mode="pull", topics=["modeB", "modeS"], timeout=15_000).records()
    kafka = world.kafka.run("consume", mode="assign", topics=["modeB", "modeS"], count=80, timeout=15_000).records()
    return [{(r["topic"], r["partition"], r["offset"]): r["value"] for r in records} for records in (native, kafka)]


def survives(lab, how, mode):
    with World(lab, f"restart{how}{mode}", **FLUSH[mode]) as world:
        acked = fill(world)
        ids = [world.kafka.run("describeTopic", topic=topic).lines[0]["topicId"] for topic in ("modeB", "modeS")]
        with remoting.Connection(world.gantry.remoting) as raw:
            raw.join("keeper")
            checks.equal("commit", raw.commit("keeper", "modeS", 0, 11)["code"], 0)
        world.kafka.run("consume", mode="group", topics=["modeB"], group="members", count=15, timeout=15_000)
        before = committed(world, "members", "modeB")
        for _ in range(2):
            world.restart(how)
            for dialect, now in zip(("native", "kafka"), held(world)):
                checks.equal(f"{dialect} after {how}", now, acked)
            checks.equal("commits of the Kafka group", committed(world, "members", "modeB"), before)
            checks.equal("commit of the native group", committed(world, "keeper", "modeS")[0], 11)
            checks.equal("topic ids", [world.kafka.run("describeTopic", topic=topic).lines[0]["topicId"] for topic in ("modeB", "modeS")], ids)


def committed(world, group, topic):
    return [line["queue"]["offset"] for line in world.kafka.run("committed", group=group, topic=topic).lines]


for _how in ("stop", "kill"):
    for _mode in FLUSH:
        case(f"restart: all is there after a {_how}, {_mode} flush", needs=("gantry",), limit=90)(
            lambda lab, how=_how, mode=_mode: survives(lab, how, mode))


@case("restart: a batch repeated after a restart is not stored twice", needs=("gantry",), limit=90)
def idempotence(lab):
    for how in ("stop", "kill"):
        with World(lab, f"idem{how}") as world:
            for mode, configs in (("modeB", {}), ("modeS", {"queue.type": "SimpleCQ"})):
                world.kafka.run("createTopic", topic=mode, partitions=1, configs=configs)
            with kafka_wire.Connection(world.gantry.kafka) as raw:
                ident, epoch = raw.producer_id()
                made = [kafka_wire.batch([samples.kafka("i", b"k", b"%d" % n)] * 3, producer=(ident, epoch, 3 * n)) for n in range(5)]
                for topic in ("modeB", "modeS"):
                    for n, data in enumerate(made):
                        checks.equal("first time", raw.produce(topic, 0, data), (0, 3 * n))
            world.restart(how)
            with kafka_wire.Connection(world.gantry.kafka) as raw:
                for topic in ("modeB", "modeS"):
                    for n, data in enumerate(made):
                        checks.equal(f"{topic} batch {n} again after {how}", raw.produce(topic, 0, data), (0, 3 * n))
                    following = kafka_wire.batch([samples.kafka("i")], producer=(ident, epoch, 15))
                    checks.equal("the next in sequence", raw.produce(topic, 0, following), (0, 15))
                fresh_id, _ = raw.producer_id()
                checks.true("a producer id was given out twice", fresh_id != ident)


@case("restart: a running idempotent producer goes on after a kill, without a gap and without a double", needs=("gantry",), limit=90)
def running_producer(lab):
    with World(lab, "running") as world:
        world.kafka.run("createTopic", topic="load", partitions=2, configs={})
        franz = client.franz(world.gantry.kafka)
        load = franz.start("load", topic="load", partitions=2, size=200, rate=500)
        for _ in range(3):
            before = len(load.acks())
            load.until(lambda line, b=before: len(load.acks()) > b + 50, 20)
            world.gantry.kill()
            world.gantry.start()
        load.stop()
        acks = load.acks()
        records = world.kafka.run("consume", mode="assign", topics=["load"], count=len(acks), timeout=15_000).records()
        checks.equal("values read twice", len(records) - len({r["value"] for r in records}), 0)
        places = {(r["partition"], r["offset"]): r["value"] for r in records}
        for n, ack in acks.items():
            value = places.get((ack["partition"], ack["offset"]), b"nothing")
            checks.true(f"number {n} is {value[:40]}", value.startswith(b"load-%d-%d-" % (ack["partition"], n)))
        franz.close()


@case("restart: a second process on the same directory is refused", needs=("gantry",))
def second_process(lab):
    import subprocess
    with World(lab, "second") as world:
        argv = [world.gantry.binary, "start", "--data", world.gantry.data, *(f"--{p}-port=0" for p in ("namesrv", "remoting", "kafka", "http"))]
        done = subprocess.run([str(word) for word in argv], capture_output=True, timeout=20)
        checks.true("the second process ended with success", done.returncode != 0)
        words = (done.stderr + done.stdout).decode(errors="replace")
        checks.true(f"it does not say why: {words[-300:]}", "lock" in words.lower() or "in use" in words.lower())
