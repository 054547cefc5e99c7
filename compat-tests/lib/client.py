"""One client program that stays alive: commands go in as JSON lines, answer lines come back by id."""
import base64
import itertools
import json
import queue
import subprocess
import tempfile
import threading

from lib import deps, process


class ClientError(Exception):
    """The client program answered a command with an error; `kind` is its exception class."""

    def __init__(self, line):
        super().__init__(f'{line.get("kind")}: {line.get("error")}' + (f' ({line["cause"]})' if line.get("cause") else ""))
        self.kind = line.get("kind")


def encode(record):
    """A pivot record with bytes, as the JSON lines carry it."""
    out = dict(record)
    for name in ("key", "value"):
        out[name] = b64(record.get(name))
    if "headers" in record:
        out["headers"] = [[name, b64(value)] for name, value in record["headers"]]
    return {name: value for name, value in out.items() if not name.startswith("_")}


def decode(line):
    """The reverse of `encode`."""
    out = dict(line)
    for name in ("key", "value"):
        out[name] = unb64(line.get(name))
    out["headers"] = [(name, unb64(value)) for name, value in line.get("headers") or []]
    return out


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def unb64(text):
    return None if text is None else base64.b64decode(text)


class Call:
    """A running command: lines are collected as they come."""

    def __init__(self, client, ident, op):
        self.client, self.ident, self.op = client, ident, op
        self.lines, self.ended = [], None
        self.inbox = queue.Queue()

    def next(self, timeout):
        """The next answer line, None after the last one. Raises ClientError for an error line."""
        if self.ended:
            return None
        try:
            line = self.inbox.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"{self.client.name} {self.op}: no answer within {timeout:.0f} s") from None
        if "error" in line:
            self.ended = True
            raise ClientError(line)
        if line.get("done"):
            self.ended = True
            return None
        self.lines.append(line)
        return line

    def wait(self, timeout=30):
        """All lines up to the end of the command."""
        while self.next(timeout) is not None:
            pass
        return self.lines

    def until(self, wanted, timeout=15):
        """The first line, past or coming, for which `wanted(line)` is true."""
        for line in self.lines:
            if wanted(line):
                return line
        while (line := self.next(timeout)) is not None:
            if wanted(line):
                return line
        raise AssertionError(f"{self.client.name} {self.op} ended without the awaited line; it said {self.lines[-3:]}")

    def event(self, name, timeout=15):
        return self.until(lambda line: line.get("event") == name, timeout)

    def records(self):
        """The records said so far, with bytes."""
        return [decode(line["record"]) for line in self.lines if "record" in line]

    def acks(self):
        """Acknowledgements said so far, by record number."""
        return {line["ack"]: line for line in self.lines if "ack" in line}

    def stop(self, timeout=30):
        self.client.start("stop", target=self.ident)
        return self.wait(timeout)


class Client:
    """A client program in serve mode. `fixed` fields (its broker's address) are put into every command."""

    def __init__(self, name, argv, **fixed):
        self.name, self.argv, self.fixed = name, argv, fixed
        self.numbers, self.calls, self.child = itertools.count(1), {}, None
        self.log = tempfile.TemporaryFile()

    def start(self, op, **fields):
        """Starts a command and returns at once."""
        if self.child is None or self.child.poll() is not None:
            self._launch()
        call = Call(self, next(self.numbers), op)
        self.calls[call.ident] = call
        command = {"id": call.ident, "op": op, **self.fixed, **fields}
        if "records" in command:
            command["records"] = [encode(record) for record in command["records"]]
        self.child.stdin.write(json.dumps(command).encode() + b"\n")
        self.child.stdin.flush()
        return call

    def run(self, op, timeout=30, **fields):
        """Runs a command to its end."""
        call = self.start(op, **fields)
        call.wait(timeout)
        return call

    def close(self):
        if self.child is not None and self.child.poll() is None:
            self.child.stdin.close()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                process.kill(self.child)

    def words(self):
        """The last of what the program wrote to its error stream, for a failed case."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]

    def _launch(self):
        self.child = process.spawn(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        threading.Thread(target=self._read, args=(self.child,), daemon=True).start()

    def _read(self, child):
        for line in child.stdout:
            if line.startswith(b"{"):
                answer = json.loads(line)
                if answer.get("id") in self.calls:
                    self.calls[answer["id"]].inbox.put(answer)
        for call in self.calls.values():
            call.inbox.put({"error": f"the program ended with code {child.wait()}", "kind": "Ended"})


def rocketmq(version, namesrv, home):
    """rocketmq-client 4.9.8 or 5.3.3 (`version` "498" or "533")."""
    jars = {"498": "rocketmq-client-4.9.8", "533": "rocketmq-5.3.3"}[version]
    argv = deps.JAVA + ["-Xmx256m", f"-Duser.home={home}", f"-Drocketmq.client.logRoot={home}/logs",
                        "-Drocketmq.client.logLevel=WARN", "-cp", deps.classpath(jars, "rmq" + version), "RocketClient", "serve"]
    return Client("rocketmq-client " + ".".join(version), argv, namesrv=namesrv)


def kafka(bootstrap):
    """kafka-clients 4.1."""
    argv = deps.JAVA + ["-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                        deps.classpath("kafka-4.1.0", "kafka"), "KafkaClient", "serve"]
    return Client("kafka-clients 4.1", argv, bootstrap=bootstrap)


def franz(bootstrap):
    """franz-go."""
    return Client("franz-go", [deps.DEPS / "bin" / "franz", "serve"], bootstrap=bootstrap)
