"""kcat (librdkafka) behind the same words as the other clients: one process a call, its own format string to read.

What kcat cannot say: header values come from the command line (no zero byte, no timestamp option), and are printed without
their length up to the first zero byte, so headers are compared as printed; a null value prints as NULL."""
import subprocess
import time

from lib import process

END = b"\x1e\x1d\x1e\n"
KEY_END, MESSAGE_END = b"\x02", b"\x1e\x1d"
FORMAT = "%t\x1f%p\x1f%o\x1f%T\x1f%K\x1f%S\x1f%k%s\x1f%h" + END.decode()


class Kcat:
    """Producing and consuming through the kcat program."""

    name = "kcat"

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def _argv(self, *words):
        return ["kcat", "-q", "-b", self.bootstrap, "-X", "broker.address.family=v4", "-X", "socket.timeout.ms=10000", *words]

    def produce(self, topic, record, codec="none", acks="all", timeout=20):
        """Sends one record. Key and value go in by the input, so that they may hold any byte; -Z makes empty parts null."""
        key, value = record["key"], record["value"]
        argv = self._argv("-P", "-t", topic, "-p", str(record.get("partition", -1)), "-z", codec, "-X", f"acks={acks}",
                          "-D", MESSAGE_END.decode())
        if value is None:
            argv.append("-Z")
        if key is not None or value is None:
            argv += ["-K", KEY_END.decode()]
        for name, held in record.get("headers", []):
            argv += ["-H", name.encode() if held is None else name.encode() + b"=" + held]
        before = b"" if key is None and value is not None else (key or b"") + KEY_END
        run(argv, timeout, before + (value or b"") + MESSAGE_END)

    def produce_lines(self, topic, partition, pairs, codec="none", timeout=20):
        """Sends several (key, value) pairs as one batch."""
        lines = b"".join(key + KEY_END + value + MESSAGE_END for key, value in pairs)
        argv = self._argv("-P", "-t", topic, "-p", str(partition), "-z", codec, "-K", KEY_END.decode(),
                          "-D", MESSAGE_END.decode(), "-X", "linger.ms=50", "-X", "enable.idempotence=true")
        run(argv, timeout, lines)

    def start(self, topics, count, group=None, timeout=15):
        """Starts reading: with a group as a member, else every partition from its start. See `finish`."""
        if group:
            argv = self._argv("-X", "auto.offset.reset=earliest", "-f", FORMAT, "-c", str(count),
                              "-G", group, *topics)
        else:
            argv = self._argv("-C", "-t", topics[0], "-o", "beginning", "-e", "-f", FORMAT)
        child = process.spawn(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.deadline = time.monotonic() + timeout
        return child

    def finish(self, child):
        """The records that the reader printed until it ended."""
        try:
            out, err = child.communicate(timeout=max(0.1, child.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill(child)
            out, err = child.communicate()
            err += b" (not finished in time)"
        if child.returncode != 0:
            raise AssertionError(f"kcat ended with {child.returncode}: {err.decode(errors='replace')[-500:]}, after {out.count(END)} records")
        return [parse(piece) for piece in out.split(END)[:-1]]

    def consume(self, topics, count, group=None, timeout=15):
        return self.finish(self.start(topics, count, group, timeout))


def run(argv, timeout, data=None):
    done = subprocess.run(argv, input=data, capture_output=True, timeout=timeout)
    if done.returncode != 0:
        raise AssertionError(f"kcat ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


def parse(piece):
    """One record in `FORMAT`; the lengths say where the key ends and the value begins."""
    topic, partition, offset, timestamp, key_size, value_size, rest = piece.split(b"\x1f", 6)
    key_size, value_size = int(key_size), int(value_size)
    shown_key = rest[:max(key_size, 0)]
    after = rest[max(key_size, 0):]
    return {
        "topic": topic.decode(), "partition": int(partition), "offset": int(offset), "timestamp": int(timestamp),
        "key": shown_key if key_size >= 0 else None,
        "value": after[:max(value_size, 0)] if value_size >= 0 else None,
        "headersText": after[max(value_size, 0) + 1:], "headers": None,
    }


def headers_text(headers):
    """How kcat prints these headers."""
    return b",".join(name.encode() + b"=" + (b"NULL" if value is None else value.split(b"\0")[0]) for name, value in headers)
