"""A group passes from native to Kafka members and back while producers of both dialects go on: nothing is lost, and what
comes twice was not committed when its member left (G6 of the mapping rules)."""
from lib import checks, client, remoting
from lib.journal import Journal
from lib.lab import case
from lib.load import FranzLoad, NativeLoad

PARTITIONS = 4
EACH = 1_500  # records before the next member takes over


@case("group: handover native, Kafka, native under load, the first member killed", needs=("bridge",), limit=180)
def under_load(lab):
    for mode in ("B", "S"):
        topic, group, journal = lab.create(lab.fresh("load"), mode, PARTITIONS), lab.fresh("g"), Journal()
        writers = [NativeLoad(lambda: lab.remoting, topic, PARTITIONS, journal, 7), FranzLoad(lab.franz, topic, PARTITIONS, journal, 200, "lz4", 2_000)]
        try:
            members = Members(lab, topic, group)
            members.take("native 5.3.3, killed", client.rocketmq("533", lab.namesrv, lab.home), kill=True, mode="push")
            members.take("Kafka", lab.kafka, mode="group")
            members.take("native 4.9.8", lab.rmq498, mode="push")
            members.take("Kafka again", lab.kafka, mode="group")
        finally:
            for writer in writers:
                writer.stop()
        last = lab.rmq533.start("consume", mode="push", topics=[topic], group=group, timeout=60_000)
        acked = {(partition, offset) for partition in range(PARTITIONS) for offset in range(journal.end(topic, partition))}
        checks.eventually(f"{mode}: all {len(acked)} acknowledged messages", lambda: members.seen | gather(last) >= acked, 40)
        last.stop()
        members.left("native 5.3.3", places(last))
        lab.cell(f"{mode}: {len(acked)} acknowledged, 0 lost, {members.repeated} came twice, none of them committed before", members.wrong)


class Members:
    """The members of one group, one after the other, and what each of them saw."""

    def __init__(self, lab, topic, group):
        self.lab, self.topic, self.group = lab, topic, group
        self.seen, self.repeated, self.wrong, self.committed = set(), 0, [], [0] * PARTITIONS

    def take(self, name, program, kill=False, **how):
        """A member takes EACH records, then leaves, or is killed with records in hand."""
        count = {} if kill else {"count": EACH}
        call = program.start("consume", topics=[self.topic], group=self.group, timeout=60_000, **count, **how)
        call.until(lambda _line: len(call.lines) > EACH, 30)
        if kill:
            program.child.kill()
            program.child.wait()
            while not call.inbox.empty():
                line = call.inbox.get()
                call.lines += [line] if "record" in line else []
        else:
            call.wait()
        self.left(name, places(call))

    def left(self, name, places):
        """What it saw begins where the group stood when it came; the group stands at what it committed."""
        early = [(partition, offset) for partition, offset in places if offset < self.committed[partition]]
        if early:
            self.wrong.append(f"{name} was given {len(early)} records below the committed offsets, the first {early[0]}")
        self.repeated += len(places) - len(set(places) - self.seen)
        self.seen |= set(places)
        with remoting.Connection(self.lab.remoting) as raw:
            self.committed = [raw.committed(self.group, self.topic, partition) or 0 for partition in range(PARTITIONS)]
        beyond = [p for p in range(PARTITIONS) for offset in range(self.committed[p]) if (p, offset) not in self.seen]
        if beyond:
            self.wrong.append(f"after {name} {len(beyond)} records were committed that no member saw")


def places(call):
    return [(line["record"]["partition"], line["record"]["offset"]) for line in call.lines if "record" in line]


def gather(call):
    while not call.inbox.empty():
        call.next(1)
    return set(places(call))
