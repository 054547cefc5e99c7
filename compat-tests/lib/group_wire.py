"""Members of a Kafka group by hand: what a client does only when something goes wrong. Versions that are not flexible."""
import struct

from lib import checks
from lib.kafka_wire import COORDINATOR_LOAD_IN_PROGRESS, OFFSET_COMMIT, Connection, string

JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 11, 12, 13, 14
NOT_COORDINATOR, REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED = 16, 27, 79


class Reader:
    """Takes the fields of an answer one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value, = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def sized(self, form):
        size = self.number(form)
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at]

    def text(self):
        found = self.sized("h")
        return None if found is None else found.decode()


def blob(data):
    return struct.pack(">i", len(data)) + data


class Member(Connection):
    """One member on a connection of its own; `join` and `sync` wait on the broker, so they come in two halves."""

    def __init__(self, address, group, instance=None, kind="consumer", protocols=("range",), session=10_000, rebalance=20_000):
        super().__init__(address, timeout=30)
        self.group, self.instance, self.kind, self.protocols = group, instance, kind, protocols
        self.session, self.rebalance = session, rebalance
        self.ident, self.generation, self.leader, self.protocol, self.members, self.assignment = "", -1, None, None, [], None

    def send_join(self):
        body = string(self.group) + struct.pack(">ii", self.session, self.rebalance) + string(self.ident) + string(self.instance)
        body += string(self.kind) + struct.pack(">i", len(self.protocols))
        self.send(JOIN_GROUP, 5, body + b"".join(string(name) + blob(self.metadata(name)) for name in self.protocols))
        return self

    def metadata(self, name):
        """A subscription of no topic from a consumer: Kafka's coordinator never answers one whose bytes it cannot read."""
        return struct.pack(">hii", 0, 0, -1) if self.kind == "consumer" else b"about " + name.encode()

    def joined(self):
        """The error; takes the id that a first join gets, and joins again with it."""
        answer = Reader(self.receive())
        answer.number("i")
        error, generation = answer.number("h"), answer.number("i")
        protocol, leader, ident = answer.text(), answer.text(), answer.text()
        if error == MEMBER_ID_REQUIRED:
            self.ident = ident
            return self.send_join().joined()
        if error == 0:
            self.generation, self.protocol, self.leader, self.ident = generation, protocol, leader, ident
            self.members = [(answer.text(), answer.text(), answer.sized("i")) for _ in range(answer.number("i"))]
        return error

    def join(self):
        return self.send_join().joined()

    def send_sync(self, **assignments):
        """Assignments by member id; the leader's only."""
        body = string(self.group) + struct.pack(">i", self.generation) + string(self.ident) + string(self.instance)
        body += struct.pack(">i", len(assignments))
        self.send(SYNC_GROUP, 3, body + b"".join(string(ident) + blob(data) for ident, data in assignments.items()))
        return self

    def synced(self):
        answer = Reader(self.receive())
        answer.number("i")
        error = answer.number("h")
        self.assignment = answer.sized("i")
        return error

    def heartbeat(self):
        body = string(self.group) + struct.pack(">i", self.generation) + string(self.ident) + string(self.instance)
        return struct.unpack(">ih", self.request(HEARTBEAT, 3, body))[1]

    def commit_as_member(self, topic, offset):
        """OffsetCommit v7 for partition 0: the error."""
        body = string(self.group) + struct.pack(">i", self.generation) + string(self.ident) + string(self.instance)
        body += struct.pack(">i", 1) + string(topic) + struct.pack(">iiqi", 1, 0, offset, -1) + string(None)
        return struct.unpack(">h", self.request(OFFSET_COMMIT, 7, body)[-2:])[0]

    def leave(self, *members):
        """(member id, instance id) of each that goes: (error, [error of each])."""
        body = string(self.group) + struct.pack(">i", len(members))
        answer = Reader(self.request(LEAVE_GROUP, 3, body + b"".join(string(ident) + string(instance) for ident, instance in members)))
        answer.number("i")
        error, results = answer.number("h"), []
        for _ in range(answer.number("i")):
            answer.text(), answer.text()
            results.append(answer.number("h"))
        return error, results


def gather(*members):
    """Lets all join one generation and gives each its own id as assignment; the first leads."""
    checks.eventually("the coordinator", lambda: members[0].join() not in (COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR))
    checks.equal("the first sync", members[0].send_sync(**{members[0].ident: b"alone"}).synced(), 0)
    if len(members) > 1:
        for member in members[1:]:
            member.ident or introduce(member)
        for member in members[1:]:
            member.send_join()
        # the requests of different connections have no order: the broker shows that it has theirs
        checks.eventually("a rebalance", lambda: members[0].heartbeat() == REBALANCE_IN_PROGRESS)
        members[0].send_join()
        errors = [member.joined() for member in members]
        if any(errors):
            raise AssertionError(f"joins ended with {errors}")
    leader = next(member for member in members if member.ident == member.leader)
    for member in members:
        member.send_sync(**({one.ident: one.ident.encode() for one in members} if member is leader else {}))
    errors = [member.synced() for member in members]
    if any(errors):
        raise AssertionError(f"syncs ended with {errors}")


def introduce(member):
    """A dynamic member gets its id before it joins for good."""
    if member.instance:
        return
    answer = Reader(member.send_join().receive())
    answer.number("i")
    if answer.number("h") == MEMBER_ID_REQUIRED:
        answer.number("i"), answer.text(), answer.text()
        member.ident = answer.text()
