"""Members of a Kafka group that misbehave, come back or are of another kind. Runs against the Java broker, too."""
import contextlib

from lib import checks, consumer_groups, group_wire, kafka_wire, samples
from lib.lab import case

ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID = 22, 23, 25
INVALID_SESSION_TIMEOUT, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID = 26, 27, 82


@contextlib.contextmanager
def members(lab, *kinds):
    """Members of one fresh group, each with the settings given; the group exists for the coordinator."""
    group = lab.fresh("g")
    with kafka_wire.Connection(lab.kafka_address) as raw:
        raw.join(group)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(group_wire.Member(lab.kafka_address, group, **kind)) for kind in kinds]


@case("members: a group of any protocol type chooses a protocol that all share", needs=("kafka",))
def any_type(lab):
    worker = {"kind": "connect", "protocols": ("compatible", "eager")}
    with members(lab, worker, worker | {"protocols": ("sessioned", "compatible")}, {"kind": "consumer"}, worker | {"protocols": ("other",)}) as (one, two, consumer, other):
        group_wire.gather(one, two)
        checks.equal("the protocol", (one.protocol, two.protocol), ("compatible", "compatible"))
        leader, follower = (one, two) if one.leader == one.ident else (two, one)
        checks.equal("the leader sees all, others nobody", (len(leader.members), len(follower.members)), (2, 0))
        checks.equal("metadata of the protocol", {data for *_, data in leader.members}, {b"about compatible"})
        checks.equal("assignments", [m.assignment for m in (one, two)], [m.ident.encode() for m in (one, two)])
        checks.equal("another type", consumer.join(), INCONSISTENT_GROUP_PROTOCOL)
        checks.equal("no protocol in common", other.join(), INCONSISTENT_GROUP_PROTOCOL)
        checks.equal("heartbeats", [one.heartbeat(), two.heartbeat()], [0, 0])
        said = " ".join(consumer_groups.run(lab.kafka_address, "--list"))
        checks.true("it is no consumer group", one.group not in said)


@case("members: a static member comes back to its assignment, and its former self is fenced", needs=("kafka",))
def static(lab):
    topic = lab.create(lab.fresh("static"), "B", 1)
    lab.kafka.run("produce", topic=topic, records=[samples.kafka("k", b"k", b"v")])
    with members(lab, {}, {"instance": "i-1"}, {"instance": "i-1"}) as (other, former, back):
        group_wire.gather(other, former)
        checks.equal("back", back.join(), 0)
        checks.equal("in the same generation, under a new id", (back.generation, back.ident != former.ident), (former.generation, True))
        checks.equal("its assignment", (back.send_sync().synced(), back.assignment), (0, former.assignment))
        checks.equal("the other noticed nothing", other.heartbeat(), 0)
        checks.equal("the former self", (former.heartbeat(), former.commit_as_member(topic, 0)), (FENCED_INSTANCE_ID, FENCED_INSTANCE_ID))
        checks.equal("the one that is back", (back.heartbeat(), back.commit_as_member(topic, 1)), (0, 0))


@case("members: several are removed by one request, each with its own result", needs=("kafka",))
def leave_several(lab):
    with members(lab, {"instance": "i-1"}, {"instance": "i-2"}, {}) as (one, two, admin):
        group_wire.gather(one, two)
        checks.equal("results", admin.leave(("", "i-1"), ("", "i-9"), ("nobody", None), (one.ident, "i-2")),
                     (0, [0, UNKNOWN_MEMBER_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID]))
        checks.equal("who stays joins again", two.heartbeat(), REBALANCE_IN_PROGRESS)
        checks.equal("alone", (two.join(), len(two.members)), (0, 1))


@case("members: wrong generations and unknown members are told apart", needs=("kafka",))
def wrong(lab):
    topic = lab.create(lab.fresh("wrong"), "B", 1)
    lab.kafka.run("produce", topic=topic, records=[samples.kafka("k", b"k", b"v")])
    with members(lab, {}, {"session": 5_999}) as (one, hasty):
        checks.equal("a session too short", hasty.join(), INVALID_SESSION_TIMEOUT)
        checks.equal("join", one.join(), 0)
        checks.equal("a commit before the assignment", one.commit_as_member(topic, 1), REBALANCE_IN_PROGRESS)
        checks.equal("sync", one.send_sync(**{one.ident: b"a"}).synced(), 0)
        checks.equal("then", (one.commit_as_member(topic, 1), one.heartbeat()), (0, 0))
        one.generation += 1
        checks.equal("a generation to come", (one.heartbeat(), one.commit_as_member(topic, 1), one.send_sync().synced()), (ILLEGAL_GENERATION,) * 3)
        one.generation, ident, one.ident = one.generation - 1, one.ident, "nobody"
        checks.equal("nobody", (one.heartbeat(), one.commit_as_member(topic, 1), one.send_sync().synced()), (UNKNOWN_MEMBER_ID,) * 3)
        one.ident = ident
        with kafka_wire.Connection(lab.kafka_address) as raw:
            checks.equal("a commit of nobody while members are there", raw.commit(one.group, topic, 0, 1), UNKNOWN_MEMBER_ID)


@case("members: one that stalls in a rebalance is left out when its time is over", needs=("kafka",))
def stalls(lab):
    with members(lab, {"rebalance": 1_500}, {"rebalance": 1_500}, {}) as (one, stalled, third):
        group_wire.gather(one, stalled)
        third.rebalance = 1_500
        group_wire.introduce(third)
        third.send_join()
        checks.eventually("told to join again", lambda: one.heartbeat() == REBALANCE_IN_PROGRESS, 5)
        checks.equal("told too", stalled.heartbeat(), REBALANCE_IN_PROGRESS)
        one.send_join()
        checks.equal("joined without it", (one.joined(), third.joined()), (0, 0))
        leader = one if one.leader == one.ident else third
        checks.equal("members", len(leader.members), 2)
        checks.equal("the stalled one", stalled.heartbeat(), UNKNOWN_MEMBER_ID)


@case("members: one that vanishes is missed after its session", needs=("kafka",), limit=60)
def vanishes(lab):
    with members(lab, {}, {"session": 6_000}) as (one, gone):
        group_wire.gather(one, gone)
        gone.socket.close()
        checks.eventually("missed", lambda: one.heartbeat() == REBALANCE_IN_PROGRESS, 12)
        checks.equal("alone", (one.join(), len(one.members)), (0, 1))
