"""Each consuming library in a group of its own kind: a second member joins and leaves, a third goes on where they were."""
import functools

from lib import checks, samples
from lib.lab import case

KAFKA = ("kafka", "kafka39", "confluent", "kafka_python", "aiokafka", "franz", "sarama", "kafkajs")
NATIVE = ("rmq498", "rmq533", "rocketmq_go", "ali_ons")
QUEUES = 4


def fill(lab, topic, count, native):
    make = (lambda n: samples.native("n", b"%d" % n)) if native else (lambda n: samples.kafka("k", b"k", b"%d" % n))
    records = [make(n) | {"partition": n % QUEUES} for n in range(count)]
    (lab.rmq533 if native else lab.kafka).run("produce", topic=topic, records=records)


def places(call):
    while not call.inbox.empty():
        call.next(1)
    return [(record["partition"], record["offset"]) for record in call.records()]


def join_leave_resume(lab, program, native):
    client, group = getattr(lab, program), lab.fresh("g")
    topic = lab.fresh("members") if native else lab.create(lab.fresh("members"), "B", QUEUES)
    fill(lab, topic, QUEUES, native)
    sent = [QUEUES]

    def member():
        return client.start("consume", mode="push" if native else "group", topics=[topic], group=group, timeout=100_000)

    def wanted():
        return {(queue, offset) for queue in range(QUEUES) for offset in range(sent[0] // QUEUES)}

    def more():
        fill(lab, topic, QUEUES, native)
        sent[0] += QUEUES
    first = member()
    checks.eventually("the first member gets everything", lambda: set(places(first)) == wanted(), 30)
    second = member()
    checks.eventually("the second member gets its share", lambda: more() or places(second), 40)
    checks.eventually("together they get everything", lambda: set(places(first) + places(second)) == wanted(), 30)
    second.stop()
    more()
    checks.eventually("the first member takes all queues back", lambda: set(places(first) + places(second)) == wanted(), 40)
    first.stop()
    before = places(first) + places(second)
    more()
    third = member()
    checks.eventually("the third member gets the rest", lambda: set(before + places(third)) == wanted(), 30)
    third.stop()
    if not native:  # native members commit now and then: messages in hand at a handover come again
        repeated = len(places(third)) - QUEUES
        checks.true(f"{repeated} committed records came again", repeated <= 0)


for _program in KAFKA + NATIVE:
    _native = _program in NATIVE
    case(f"members: {_program}: join, leave and resume lose nothing", needs=("native" if _native else "kafka",), limit=150)(
        functools.partial(join_leave_resume, program=_program, native=_native))
