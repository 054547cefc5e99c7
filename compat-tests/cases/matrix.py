"""The cross matrix: each producer, each consumer, on B topics and on S topics, every kind of record.

Every producer fills a topic of its own; each reader then reads all of them in one go, all readers at the same time, and
every record is compared with what the mapping rules say this reader must see. COMPAT_CLIENTS, words separated by commas,
takes only the clients whose names contain one."""
import collections
import functools
import os

from lib import checks, mapping, sent as filled
from lib.lab import case
from lib.mqadmin import Mqadmin
from lib.rows import ROWS

NO_BRIDGE = "the original speaks one dialect"
OWN_MODE = {"kafka": "B", "native": "S"}
RULES = {
    ("kafka", "kafka"): mapping.kafka_to_kafka, ("kafka", "native"): mapping.kafka_to_native,
    ("native", "kafka"): mapping.native_to_kafka, ("native", "native"): mapping.native_to_native,
}


class Matrix:
    """One mode: the filled topics, the readers, and the cells."""

    def __init__(self, lab, mode):
        self.lab, self.mode = lab, mode
        self.sent = {}  # (producer, kinds left out) -> the filled topic
        words = [word for word in os.environ.get("COMPAT_CLIENTS", "").split(",") if word]
        self.rows = [row for row in ROWS if not words or any(word in row.name for word in words)]

    def run(self):
        for row in self.rows:
            if not row.modes or row.dialect not in self.lab.has:
                continue
            if "bridge" not in self.lab.has and self.mode != OWN_MODE[row.dialect]:
                self.cell(row.name, None, "all", skipped=NO_BRIDGE)
                continue
            try:
                self.fill(row, frozenset(), lambda _: None)
            except Exception as error:  # the other producers still report
                self.cell(row.name, None, "produce", [f"{type(error).__name__}: {error}"])
        readers = [Reader(self, row, label) for row in self.rows for label in row.reads]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.report()

    def fill(self, row, left_out, why):
        """A topic of this producer without the kinds that are left out."""
        if (row.name, left_out) not in self.sent:
            topic = filled.Sent(self.topic_for(row), row, why)
            filled.fill(self.lab, topic)
            self.sent[row.name, left_out] = topic
            for kind, reason in topic.skipped if not left_out else ():
                self.cell(row.name, None, kind, skipped=reason)
        return self.sent[row.name, left_out]

    def topic_for(self, row):
        """B topics are made through Kafka; S topics by the first native send (by mqadmin for a client whose sends cannot),
        or through Kafka with queue.type=SimpleCQ."""
        topic = self.lab.fresh(f"m{self.mode}_" + "".join(c for c in row.name if c.isalnum()))
        if row.dialect == "kafka" or self.mode == "B":
            self.lab.create(topic, self.mode, filled.PARTITIONS)
        elif not row.creates_topics:
            said = Mqadmin(self.lab.namesrv, self.lab.home / "admin").run("updateTopic", "-b", self.lab.remoting, "-t", topic, "-r", 2, "-w", 2)
            checks.true(f"mqadmin said {said}", "success" in said)
        return topic

    def cell(self, producer, reader, what, wrong=None, skipped=None):
        """Reports one cell and counts it for both of its clients."""
        self.lab.cell(f"{producer} -> {reader}: {what}" if reader else f"{producer}: {what}", wrong, skipped)
        outcome = "n/a" if skipped else "failed" if wrong else "passed"
        for name in {producer, reader and reader.split(",")[0]} - {None}:
            tally(self.lab)[name][outcome] += 1


class Reader:
    """One way of reading of one client: a single command over the topics of every producer."""

    def __init__(self, matrix, row, label):
        self.matrix, self.row, self.label, self.name = matrix, row, label, f"{row.name}, {label}"
        self.sources, self.finish = [], None

    def start(self):
        lab = self.matrix.lab
        for (producer, left_out), sent in list(self.matrix.sent.items()):
            if left_out:
                continue
            if sent.row.dialect != self.row.dialect and "bridge" not in lab.has:
                self.matrix.cell(producer, self.name, "all", skipped=NO_BRIDGE)
                continue
            self.sources.append(self.readable(producer, sent))
        if self.sources:
            self.finish = self.begin([sent.topic for sent in self.sources], sum(len(sent.at) for sent in self.sources))

    def readable(self, producer, sent):
        """The producer's topic, or one without the records that this client cannot read."""
        cannot = {record["_kind"]: reason for record in sent.at.values() if (reason := self.row.cannot_read(record))}
        for kind, reason in cannot.items():
            self.matrix.cell(producer, self.name, kind, skipped=reason)
        return self.matrix.fill(sent.row, frozenset(cannot), self.row.cannot_read) if cannot else sent

    def begin(self, topics, count):
        """Starts reading and gives the function that hands over the records."""
        lab, how = self.matrix.lab, self.row.reads[self.label]
        member = how["mode"] in ("group", "push")
        if self.row.program == "kcat":
            if member:
                children = [lab.kcat.start(topics, count, lab.fresh("g"), 60)]
            else:
                children = [lab.kcat.start([topic], 0, None, 60) for topic in topics]
            return lambda: [record for child in children for record in lab.kcat.finish(child)]
        group = {"group": lab.fresh("g")} if member else {}
        call = getattr(lab, self.row.program).start("consume", topics=topics, count=count, timeout=60_000, **how, **group)

        def finish():
            call.wait(90)
            return call.records()
        return finish

    def report(self):
        """One cell for each kind of record, one for the set of offsets."""
        if not self.finish:
            return
        by_topic = collections.defaultdict(list)
        try:
            for record in self.finish():
                by_topic[record["topic"]].append(record)
        except Exception as error:  # the other readers still report
            for sent in self.sources:
                self.matrix.cell(sent.row.name, self.name, "all", [f"{type(error).__name__}: {error}"])
            return
        for sent in self.sources:
            self.compare(sent, by_topic.pop(sent.topic, []))
        if by_topic:
            self.matrix.cell(self.row.name, None, f"{self.label} of other topics", [f"got {sorted(by_topic)}"])

    def compare(self, sent, got):
        rule, seen = RULES[sent.row.dialect, self.row.dialect], {}
        for record in got:
            seen.setdefault((record["partition"], record["offset"]), []).append(record)
        self.matrix.cell(sent.row.name, self.name, "offsets", self.offsets_wrong(sent, got, seen))
        for place, record in sorted(sent.at.items()):
            if place in seen:
                self.matrix.cell(sent.row.name, self.name, record["_kind"], rule(record, seen[place][0]))

    def offsets_wrong(self, sent, got, seen):
        wrong = mapping.Differences()
        wrong.expect("missing", [], sorted(set(sent.at) - set(seen)))
        wrong.expect("not sent", [], sorted(set(seen) - set(sent.at)))
        wrong.expect("twice", [], sorted(place for place, records in seen.items() if len(records) > 1))
        if self.label in self.row.in_order:
            for partition in sorted({record["partition"] for record in got}):
                offsets = [record["offset"] for record in got if record["partition"] == partition]
                wrong.expect(f"order in {partition}", sorted(offsets), offsets)
        return wrong


def tally(lab):
    """The counts of the cells by client; the runner prints them at its end."""
    if not hasattr(tally, "counts"):
        tally.counts = collections.defaultdict(collections.Counter)
        lab.summaries.append(summary)
    return tally.counts


def summary():
    lines = [f"  {name:28} {counts['passed']:5} passed, {counts['failed']} failed, {counts['n/a']} not applicable"
             for name, counts in tally.counts.items()]
    return "matrix cells by client (each counts for its producer and for its consumer):\n" + "\n".join(lines)


def run_matrix(lab, mode):
    Matrix(lab, mode).run()


for _mode in ("B", "S"):
    case(f"matrix {_mode}", limit=400)(functools.partial(run_matrix, mode=_mode))
