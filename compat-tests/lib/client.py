"""One client program that stays alive: commands go in as JSON lines, answer lines come back by id."""
import base64
import itertools
import json
import os
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

    def __init__(self, name, argv, env=None, /, **fixed):
        self.name, self.argv, self.env, self.fixed = name, argv, env or {}, fixed
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
        self.child = process.spawn(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                   env={**os.environ, **self.env})
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


def rocketmq_go(namesrv):
    """rocketmq-client-go/v2."""
    return Client("rocketmq-client-go", [deps.DEPS / "bin" / "rocketmq", "serve"], namesrv=namesrv)


def ali_ons(namesrv):
    """ali-ons of Node."""
    return _node("ali-ons", "ali-ons.js", namesrv=namesrv)


def kafka(bootstrap):
    """kafka-clients 4.1."""
    return _kafka_clients("4.1", "kafka-4.1.0", "kafka", bootstrap)


def kafka39(bootstrap):
    """kafka-clients 3.9."""
    return _kafka_clients("3.9", "kafka-clients-3.9.2", "kafka39", bootstrap)


def franz(bootstrap):
    """franz-go."""
    return Client("franz-go", [deps.DEPS / "bin" / "franz", "serve"], bootstrap=bootstrap)


def sarama(bootstrap):
    """sarama of Go."""
    return Client("sarama", [deps.DEPS / "bin" / "sarama", "serve"], bootstrap=bootstrap)


def confluent(bootstrap):
    """confluent-kafka of Python, which is librdkafka."""
    return _python("confluent-kafka", "confluent_client.py", bootstrap)


def kafka_python(bootstrap):
    """kafka-python."""
    return _python("kafka-python", "kafka_python_client.py", bootstrap)


def aiokafka(bootstrap):
    """aiokafka of Python."""
    return _python("aiokafka", "aiokafka_client.py", bootstrap)


def kafkajs(bootstrap):
    """kafkajs of Node."""
    return _node("kafkajs", "kafkajs.js", bootstrap=bootstrap)


def _kafka_clients(version, jars, classes, bootstrap):
    argv = deps.JAVA + ["-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", deps.classpath(jars, classes), "KafkaClient", "serve"]
    return Client(f"kafka-clients {version}", argv, bootstrap=bootstrap)


def _python(name, program, bootstrap):
    return Client(name, [deps.DEPS / "python" / "bin" / "python", "-B", deps.CLIENTS / "python" / program, "serve"], bootstrap=bootstrap)


def _node(name, program, **fixed):
    modules = {"NODE_PATH": str(deps.DEPS / "node" / "node_modules")}
    return Client(name, ["node", deps.CLIENTS / "node" / program, "serve"], modules, **fixed)
