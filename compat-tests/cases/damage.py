"""Damaged logs under a running broker: bit rot below the flushed offset, found at start and found at read, and a torn tail.

Served is every message whose frame is whole, refused is every read of a damaged one, kept is every byte: nothing below
the flushed offset is cut, a cut tail stands aside. Each case has a Gantry of its own; the files are changed while none runs."""
import http.client
import json
import pathlib
import struct
import subprocess

from lib import checks, kafka_wire, remoting, samples
from lib.lab import case

LOG_FILE = 1 << 20
CONF = {"mappedFileSizeCommitLog": LOG_FILE, "mappedFileSizeConsumeQueue": 20_000, "maxHashSlotNum": 5_000, "maxIndexNum": 20_000}
COUNT = 20
# what Gantry may answer for a message it has and cannot give: KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE; SYSTEM_ERROR
KAFKA_REFUSALS, NATIVE_REFUSALS = (2, 56), (1,)


class Damaged:
    """A broker with one B and one S topic, and hands on its files."""

    def __init__(self, lab, name, **conf):
        self.lab = lab
        self.gantry = lab.gantry_on(lab.fresh(name), **(CONF | conf)).start()
        self.bodies = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.gantry.running():
            self.gantry.stop()

    def fill(self):
        """COUNT batches of two records to "rotB" and COUNT messages to "rotS", each with a body to be found by."""
        with kafka_wire.Connection(self.gantry.kafka) as raw, remoting.Connection(self.gantry.remoting) as native:
            create(self.lab, self.gantry, "rotB")
            for n in range(COUNT):
                pair = [samples.kafka("rot", b"k", body(n, half)) for half in "ab"]
                checks.equal("produce", raw.produce("rotB", 0, kafka_wire.batch(pair)), (0, 2 * n))
                answer = native.send_message("rotS", 0, body(n, "s"), f"UNIQ_KEY\x01{n:032X}\x02KEYS\x01key{n}")
                checks.equal("send", answer["code"], 0)

    def log(self):
        """The bytes of the CommitLog, file after file."""
        return b"".join(path.read_bytes() for path in self.log_files())

    def log_files(self):
        return sorted(path for path in (self.gantry.data / "commitlog").iterdir() if path.is_file())

    def flip(self, what):
        """Flips one bit in the middle of the only place that holds `what`; returns that place."""
        log = self.log()
        at = log.index(what)
        checks.true(f"{what[:30]!r} stands twice", log.find(what, at + 1) < 0)
        at += len(what) // 2
        path = self.log_files()[at // LOG_FILE]
        with open(path, "r+b") as file:
            file.seek(at % LOG_FILE)
            old = file.read(1)
            file.seek(at % LOG_FILE)
            file.write(bytes([old[0] ^ 0x10]))
        return at

    def read(self, damaged_native=(), damaged_kafka=()):
        """Reads every offset of both topics in both dialects; the damaged ones are refused, all others come whole."""
        for topic, count, wanted in (("rotS", COUNT, lambda o: body(o, "s")), ("rotB", 2 * COUNT, lambda o: body(o // 2, "ab"[o % 2]))):
            bad = damaged_native if topic == "rotS" else damaged_kafka
            for offset in range(count):
                for dialect, read in (("native", self.by_native), ("kafka", self.by_kafka)):
                    got, refusal = read(topic, offset)
                    what = f"{dialect} {topic} at {offset}"
                    if offset in bad:
                        checks.true(f"{what} gave {got!r:.80} with {refusal}", got is None and refusal in (KAFKA_REFUSALS if dialect == "kafka" else NATIVE_REFUSALS))
                    else:
                        checks.true(f"{what} was refused with {refusal}", got is not None)
                        checks.equal(what, got, wanted(offset))

    def by_native(self, topic, offset):
        """The body at an offset, or None and the code of the refusal. Nothing in the answer may be anything but a sent body."""
        with remoting.Connection(self.gantry.remoting) as raw:
            answer = raw.pull(topic, 0, offset, most=1)
        if answer["code"] != 0:
            checks.true(f"{topic} {offset}: refused without a reason", answer.get("remark"))
            return None, answer["code"]
        held = {frame["offset"]: frame["body"] for frame in remoting.frames(answer["body"])}
        return held.get(offset), answer["code"]

    def by_kafka(self, topic, offset):
        with kafka_wire.Connection(self.gantry.kafka) as raw:
            error, _high, data = raw.fetch(topic, 0, offset, max_bytes=1, wait=0)
        held = dict(pair for made in kafka_wire.batches(data) for pair in kafka_wire.values(made))
        return held.get(offset), error

    def readiness(self):
        connection = http.client.HTTPConnection(self.gantry.http, timeout=5)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def check(self):
        """`gantry store check -o json`: its exit code and what it prints."""
        argv = [str(self.gantry.binary), "store", "check", "--data", str(self.gantry.data), "-o", "json"]
        done = subprocess.run(argv, capture_output=True, timeout=60)
        return done.returncode, json.loads(done.stdout)


def create(lab, gantry, topic):
    from lib import client
    admin = client.kafka(gantry.kafka)
    admin.run("createTopic", topic=topic, partitions=1, configs={})
    admin.close()


def body(n, half):
    """Text that stands nowhere else."""
    return b"<%s body %d>" % (half.encode(), n) * 20 + b"#%d%s" % (n, half.encode())


def middle(n, half):
    """A piece of that body that does not repeat itself."""
    return b"#%d%s" % (n, half.encode())


def unchanged_but(before, after, at, upto):
    """Not a byte below `upto` differs, besides the one that was flipped."""
    return [n for n in range(upto) if before[n] != after[n] and n != at][:5]


@case("damage: a bit that rots below the flushed offset is found at start, fenced and never delivered", needs=("gantry",), limit=120)
def rot_at_start(lab):
    for topic, half in (("rotS", "s"), ("rotB", "b")):
        with Damaged(lab, f"rotstart{half}") as world:
            world.fill()
            world.gantry.kill()  # no clean stop: the next start scans
            (world.gantry.data / "gantry" / "snapshot").unlink(missing_ok=True)
            before = world.log()
            at = world.flip(middle(7, half))
            code, found = world.check()
            checks.equal("exit code of the check", code, 1)
            checks.true(f"the check found {found['findings']}", any(f["place"].startswith("commitlog") for f in found["findings"]))
            bad = {"damaged_native": (7,)} if topic == "rotS" else {"damaged_kafka": (14, 15)}
            for _ in range(2):
                world.gantry.start()
                world.read(**bad)
                status, reasons = world.readiness()
                checks.equal("readiness", status, 503)
                checks.true(f"the reason is {reasons!r}", "damaged" in reasons and "CommitLog" in reasons)
                checks.true("the log does not say what is fenced", "fenced" in world.gantry.log.read_text())
                goes_on(world)
                world.gantry.stop()
                checks.equal("bytes changed below the flushed offset", unchanged_but(before, world.log(), at, len(before.rstrip(b"\0"))), [])
                checks.equal("tails kept aside", cuts(world), [])
            checks.true("a store with an open loss counts as cleanly closed", (world.gantry.data / "abort").exists())


@case("damage: a bit that rots after a clean stop is found at the read and never delivered", needs=("gantry",), limit=120)
def rot_at_read(lab):
    for half, bad in (("s", {"damaged_native": (7,)}), ("b", {"damaged_kafka": (14, 15)})):
        with Damaged(lab, f"rotread{half}") as world:
            world.fill()
            world.gantry.stop()
            checks.equal("check before", world.check()[0], 0)
            before = world.log()
            at = world.flip(middle(7, half))
            checks.equal("check", world.check()[0], 1)
            world.gantry.start()  # ready at once: a clean stop is believed, the log is not read again
            world.read(**bad)
            world.read(**bad)
            checks.true("nothing is logged", "damaged" in world.gantry.log.read_text())
            goes_on(world)
            world.gantry.stop()
            checks.equal("bytes changed", unchanged_but(before, world.log(), at, len(before.rstrip(b"\0"))), [])
            checks.equal("tails kept aside", cuts(world), [])


def goes_on(world):
    """A store with damage takes and gives new messages, in topics of their own."""
    with remoting.Connection(world.gantry.remoting) as raw:
        answer = raw.send_message("later", 0, b"later")
        checks.equal("a send beside the damage", answer["code"], 0)
        offset = int(answer["extFields"]["queueOffset"])
    checks.equal("the new message", world.by_native("later", offset)[0], b"later")


def cuts(world):
    return sorted(path.name for path in (world.gantry.data / "gantry").glob("cut-*"))


TEARS = {
    "body": lambda frame: frame[:120].ljust(len(frame), b"\0"),
    "properties": lambda frame: frame[:-60].ljust(len(frame), b"\0"),
    "bit": lambda frame: frame.replace(b"after the end", b"aftes the end"),
    "size": lambda frame: struct.pack(">i", 9_999) + frame[4:],
}


@case("damage: a torn tail is cut, kept aside and not delivered; what was flushed stays", needs=("gantry",), limit=120)
def torn_tail(lab):
    for name, tear in TEARS.items():
        with Damaged(lab, f"torn{name}") as world:
            world.fill()
            world.gantry.kill()
            before = world.log()
            end = len(before.rstrip(b"\0"))
            # An unflushed frame, as a power cut leaves it: a whole one would be taken, so it is torn.
            frame = tear(torn_frame(before, end))
            write(world, end, frame)
            code, found = world.check()
            checks.equal("exit code of the check of an unclean store with a torn tail", (code, found["clean"]), (0, False))
            checks.true(f"the check does not see the tail: {found}", found["tornBytes"] > 0)
            world.gantry.start()
            world.read()
            checks.equal("readiness", world.readiness()[0], 200)
            kept = [path.read_bytes() for path in (world.gantry.data / "gantry").glob("cut-*")]
            checks.equal("kept aside", [one.rstrip(b"\0") for one in kept], [frame.rstrip(b"\0")])
            with remoting.Connection(world.gantry.remoting) as raw:
                checks.equal("end of the queue", raw.max_offset("rotS", 0), COUNT)
                answer = raw.send_message("rotS", 0, b"after the cut")
                checks.equal("the next offset", int(answer["extFields"]["queueOffset"]), COUNT)
            checks.equal("the next message", world.by_native("rotS", COUNT)[0], b"after the cut")
            world.gantry.stop()
            checks.equal("bytes changed below the tail", unchanged_but(before, world.log(), -1, end), [])
            checks.equal("check", world.check()[0], 0)


def torn_frame(log, end):
    """The frame that would come next in rotS: the last one of that queue with another body, offset and place."""
    import zlib
    start = end
    while True:  # the last frame of rotS, which ends somewhere below
        start = log.rindex(b"\xda\xa3\x20\xa7", 0, start) - 4
        size, = struct.unpack_from(">i", log, start)
        made = bytearray(log[start:start + size])
        if b"\x04rotS" in made:
            break
    at = 40 + 8 + 8 + 8 + 8 + 4 + 8
    length, = struct.unpack_from(">i", made, at)
    new = b"after the end".ljust(length, b".")
    made[at + 4:at + 4 + length] = new
    struct.pack_into(">i", made, 8, zlib.crc32(new) & 0x7FFFFFFF)
    struct.pack_into(">qq", made, 20, COUNT, end)
    return bytes(made)


def write(world, at, data):
    path = world.log_files()[at // LOG_FILE]
    with open(path, "r+b") as file:
        file.seek(at % LOG_FILE)
        file.write(data)
