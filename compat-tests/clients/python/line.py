"""The front of every Python client program; they speak the same JSON lines as the Java programs.

`PROGRAM serve` reads commands until its input ends and runs each on a thread of its own, `PROGRAM OP --name value ...`
runs one; every answer line carries the command's id, the last one has "done" or "error"."""
import base64
import json
import sys
import threading
import time

_out = threading.Lock()


class Command:
    """One request line, and the only way to answer it: `say` as often as wanted; the loop writes the end line."""

    def __init__(self, fields):
        self.fields, self.stop = fields, threading.Event()

    def __getattr__(self, name):
        """A field of the command, None when it is not there."""
        return self.fields.get(name)

    def text(self, name, otherwise):
        return str(self.fields.get(name) or otherwise)

    def number(self, name, otherwise):
        return int(self.fields.get(name) or otherwise)

    def names(self, name):
        value = self.fields.get(name) or []
        return value.split(",") if isinstance(value, str) else value

    def wants_idempotence(self):
        """Idempotent unless the command says otherwise or asks for less than acks=all."""
        return self.fields.get("idempotent", self.text("acks", "all") == "all")

    def say(self, **line):
        with _out:
            sys.stdout.write(json.dumps({"id": self.fields.get("id"), **line}) + "\n")
            sys.stdout.flush()

    def ack(self, number, partition, offset):
        self.say(ack=number, partition=partition, offset=offset)


class Taker:
    """Says at most "count" records until the command's time is over."""

    def __init__(self, command):
        self.command, self.left = command, command.number("count", 1 << 62)
        self.deadline = time.monotonic() + command.number("timeout", 10_000) / 1000

    def wants_more(self):
        return self.left > 0 and time.monotonic() < self.deadline and not self.command.stop.is_set()

    def take(self, topic, partition, offset, key, value, headers, timestamp):
        self.left -= 1
        headers = [[name, b64(held)] for name, held in headers or []]
        self.command.say(record={
            "topic": topic, "partition": partition, "offset": offset, "key": b64(key), "value": b64(value), "headers": headers,
            "timestamp": timestamp, "receivedAt": int(time.time() * 1000)})


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def unb64(text):
    return None if text is None else base64.b64decode(text)


def headers_of(record):
    """The record's headers as pairs of text and bytes."""
    return [(name, unb64(value)) for name, value in record.get("headers") or []]


def names(partitions):
    """Assigned partitions as the Java programs say them: pairs of topic and number."""
    return sorted(f"{topic}-{partition}" for topic, partition in partitions)


def perform(operations, command):
    try:
        operations[command.op](command)
        command.say(done=True)
    except Exception as error:  # whatever the library raises is the answer
        command.say(error=str(error), kind=type(error).__name__, cause=str(error.__cause__) if error.__cause__ else None)


def main(operations):
    if len(sys.argv) > 1 and sys.argv[1] != "serve":
        pairs = zip(sys.argv[2::2], sys.argv[3::2])
        fields = {"id": 0, "op": sys.argv[1], **{name.removeprefix("--"): value for name, value in pairs}}
        if sys.argv[1] == "produce":
            fields["records"] = [json.loads(line) for line in sys.stdin]
        return perform(operations, Command(fields))
    running = {}
    for line in sys.stdin:
        command = Command(json.loads(line))
        if command.op == "stop":
            if command.target in running:
                running[command.target].stop.set()
            command.say(done=True)
            continue
        running[command.fields["id"]] = command
        threading.Thread(target=perform, args=(operations, command), daemon=True).start()
    for command in running.values():
        command.stop.set()
