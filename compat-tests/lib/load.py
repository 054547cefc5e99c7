"""Writers that go on while the broker dies and comes back; every acknowledgement goes into the journal."""
import random
import threading
import time

from lib import kafka_wire, remoting
from lib.client import ClientError

PAUSE = 0.005  # while the broker is away


def value(topic, partition, number, size):
    """What message `number` holds: the franz program makes the same."""
    made = bytearray(f"{topic}-{partition}-{number}-".encode())
    while len(made) < size:
        made.append(ord("a") + len(made) % 26)
    return bytes(made)


class Load:
    """One thread, one connection at a time; errors of a dying broker end a connection and nothing else."""

    def __init__(self):
        self.stopping, self.unknown, self.reasons = threading.Event(), 0, {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            try:
                with self.connect() as raw:
                    while not self.stopping.is_set():
                        self.step(raw)
            except (OSError, ValueError, KeyError) as error:  # refused, reset, cut in the middle of an answer
                self.unknown += 1
                name = type(error).__name__
                self.reasons[name] = self.reasons.get(name, 0) + 1
                time.sleep(PAUSE)

    def stop(self):
        self.stopping.set()
        self.thread.join(30)


class NativeLoad(Load):
    """Sends one message after the other to the queues of one topic; a message without answer is never sent again."""

    def __init__(self, address, topic, partitions, journal, seed):
        self.address, self.topic, self.partitions, self.journal = address, topic, partitions, journal
        self.rng, self.number, self.refused = random.Random(seed), 0, {}
        super().__init__()

    def connect(self):
        return remoting.Connection(self.address())

    def step(self, raw):
        self.number += 1
        partition, size = self.number % self.partitions, self.rng.choice((40, 100, 100, 300, 1_000, 5_000))
        body = value(f"{self.topic}.native", partition, self.number, size)
        properties = f"UNIQ_KEY\x01{self.number:032X}\x02KEYS\x01k{self.number}\x02TAGS\x01T{self.number % 3}"
        answer = raw.send_message(self.topic, partition, body, properties, born=int(time.time() * 1000))
        if answer["code"] == 0:
            fields = answer["extFields"]
            self.journal.ack(self.topic, int(fields["queueId"]), int(fields["queueOffset"]), body)
        else:
            self.refused[answer["code"]] = answer.get("remark")
            time.sleep(PAUSE)


class FranzLoad:
    """The franz program's endless idempotent producer: it repeats what was not answered until it is."""

    def __init__(self, program, topic, partitions, journal, size, codec, rate):
        self.topic, self.journal, self.size, self.failed = topic, journal, size, []
        self.call = program.start("load", topic=topic, partitions=partitions, size=size, codec=codec, rate=rate, inFlight=64)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while (line := self._next()) is not None:
            self.call.lines.clear()
            if "ack" in line:
                body = value(self.topic, line["partition"], line["ack"], self.size)
                self.journal.ack(self.topic, line["partition"], line["offset"], body)
            elif "failed" in line:
                self.failed.append(line["reason"])

    def _next(self):
        """None at the end of the command, and when the program itself ended: then that is a failure to report."""
        try:
            return self.call.next(3600)
        except (ClientError, TimeoutError) as error:
            self.failed.append(str(error))
            return None

    def stop(self):
        self.call.client.start("stop", target=self.call.ident)
        self.thread.join(60)


class CommitLoad(Load):
    """Commits ever greater offsets of one group in one dialect, never beyond what the topic has acknowledged."""

    def __init__(self, dialect, address, group, topic, journal):
        self.dialect, self.address, self.group, self.topic, self.journal = dialect, address, group, topic, journal
        self.tried = self.acked = 0
        super().__init__()

    def connect(self):
        raw = (remoting if self.dialect == "native" else kafka_wire).Connection(self.address())
        raw.join(self.group)
        return raw

    def step(self, raw):
        limit = self.journal.end(self.topic, 0)
        if self.tried >= limit:
            time.sleep(PAUSE)
            return
        self.tried += 1
        answer = raw.commit(self.group, self.topic, 0, self.tried)
        if (answer["code"] if self.dialect == "native" else answer) == 0:
            self.acked = self.tried
        time.sleep(PAUSE)

    def wrong(self):
        """After a kill the group's offset is the last acknowledged one, or one that was on its way."""
        acked = self.acked
        with self.connect() as raw:
            found = raw.committed(self.group, self.topic, 0) or 0  # -1 of Kafka, None of RocketMQ: no commit yet
        highest = self.tried
        return [] if acked <= max(found, 0) <= highest else [f"commit of {self.group}: {found}, acknowledged {acked}, last tried {highest}"]
