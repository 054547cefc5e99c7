"""Bytes no client sends: each is refused in its dialect's words or by closing the connection, and the broker lives on."""
import http.client
import json
import socket
import struct

from lib import checks, kafka_wire, remoting, samples
from lib.lab import case


def answer_of(address, data, timeout=5):
    """What comes back before the connection ends or falls silent."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout) as s:
        s.sendall(data)
        s.settimeout(1)
        got = b""
        try:
            while piece := s.recv(1 << 16):
                got += piece
        except (TimeoutError, ConnectionError):
            pass
        return got


def alive(lab):
    """Both fronts still serve, and the process is the one that was started."""
    with kafka_wire.Connection(lab.gantry.kafka) as raw:
        raw.producer_id()
    with remoting.Connection(lab.gantry.remoting) as raw:
        checks.equal("code", raw.request(remoting.GET_MAX_OFFSET, {"topic": "TBW102", "queueId": 0})["code"], 0)
    checks.true("gantry ended", lab.gantry.running())
    checks.true(f"resident memory is {resident(lab)} MB", resident(lab) < 1024)


def resident(lab):
    for line in open(f"/proc/{lab.gantry.child.pid}/status", encoding="ascii"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) >> 10
    return 0


@case("bad input: Kafka frames that lie about their sizes", needs=("gantry",))
def kafka_frames(lab):
    header = struct.pack(">hhi", 3, 9, 1) + b"\0\1x\0"
    for name, data in {
        "four bytes of Metadata": struct.pack(">i", len(header) + 4) + header + b"\x80\x94\xeb\xdc",
        "array of two billion": struct.pack(">ihhi", 14, 3, 1, 1) + b"\0\0" + struct.pack(">i", 0x7FFFFFFF),
        "negative frame": struct.pack(">i", -1) + b"x" * 20,
        "frame of 2 GiB": struct.pack(">i", 0x7FFFFFFF) + b"x" * 20,
        "unknown key": struct.pack(">ihhi", 10, 9_999, 0, 1) + b"\0\0",
        "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "remoting": struct.pack(">ii", 30, 20) + b'{"code":10}' + b" " * 15,
        "tls": bytes.fromhex("1603010200010001fc0303") + b"\0" * 500,
    }.items():
        answer_of(lab.gantry.kafka, data)
        checks.true(f"{name} ended the broker", lab.gantry.running())
    alive(lab)


@case("bad input: remoting frames that lie about their sizes", needs=("gantry",))
def remoting_frames(lab):
    deep = b'{"code":10,"extFields":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001
    for name, data in {
        "negative frame": struct.pack(">i", -5) + b"x" * 20,
        "frame of 2 GiB": struct.pack(">i", 0x7FFFFFFF) + b"x" * 20,
        "header longer than the frame": struct.pack(">ii", 10, 1_000_000) + b"x" * 20,
        "deep json": struct.pack(">ii", 4 + len(deep), len(deep)) + deep,
        "no json": struct.pack(">ii", 14, 10) + b"not json!!",
        "binary header cut off": struct.pack(">ii", 7, 0x01000003) + b"\0\x0a\0",
        "http": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "tls": bytes.fromhex("1603010200010001fc0303") + b"\0" * 500,
    }.items():
        for address in (lab.gantry.remoting, lab.gantry.namesrv):
            answer_of(address, data)
        checks.true(f"{name} ended the broker", lab.gantry.running())
    alive(lab)


@case("bad input: a native name that cannot be a topic is refused, nothing is created", needs=("gantry",))
def native_names(lab):
    before = sorted(path.name for path in (lab.gantry.data).rglob("*"))
    with remoting.Connection(lab.gantry.remoting) as raw:
        for name in ("../x", "a/b", "a\0b", "x" * 300, "", "a b", "名"):
            answer = raw.send_message(name, 0, b"x")
            checks.true(f"{name[:20]!r} was taken", answer["code"] != 0 and answer.get("remark"))
    after = sorted(path.name for path in (lab.gantry.data).rglob("*"))
    checks.true(f"created {set(after) - set(before)}", not any(n.startswith(("x", "a b")) for n in set(after) - set(before)))


@case("bad input: what is not there yet is refused, not stored as ordinary", needs=("gantry",))
def refused_features(lab):
    topic = lab.fresh("refuse")
    with remoting.Connection(lab.gantry.remoting) as raw:
        checks.equal("plain", raw.send_message(topic, 0, b"x")["code"], 0)
        for word in ("DELAY\x013", "TIMER_DELAY_MS\x015000", "TIMER_DELIVER_MS\x019999999999999"):
            answer = raw.send_message(topic, 0, b"x", word)
            checks.true(f"{word!r} was taken", answer["code"] != 0 and answer.get("remark"))
        prepared = raw.send_message(topic, 0, b"x", "TRAN_MSG\x01true\x02PGROUP\x01g", sys_flag=4)
        checks.true("a half message was taken", prepared["code"] != 0)
        for forged in ("INNER_NUM\x015\x02INNER_BASE\x010", "__KP\x011.0.0.1.0.0"):
            answer = raw.send_message(topic, 0, b"x", forged)
            checks.true(f"{forged!r} was taken", answer["code"] != 0)
        checks.equal("messages", raw.max_offset(topic, 0), 1)


@case("bad input: a decompression bomb is refused with bounded memory", needs=("gantry",))
def bomb(lab):
    import zlib
    topic = lab.create(lab.fresh("bomb"), "S", 1)
    with kafka_wire.Connection(lab.gantry.kafka) as raw:
        packed = zlib.compressobj(9, wbits=31)
        block = bytes(1 << 20)
        data = b"".join(packed.compress(block) for _ in range(900)) + packed.flush()
        made = kafka_wire.batch([samples.kafka("x")], 1, lambda _: data)
        error, _ = raw.produce(topic, 0, made)
        checks.true("the bomb was taken", error != 0)
    alive(lab)


@case("server: health, readiness and metrics are served", needs=("gantry",))
def http_pages(lab):
    for path in ("/healthz", "/readyz", "/metrics"):
        connection = http.client.HTTPConnection(lab.gantry.http, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        checks.equal(path, answer.status, 200)
        if path == "/metrics":
            checks.true("no metric is typed", b"# TYPE" in body)


@case("server: the ready file names the process and every address", needs=("gantry",))
def ready_file(lab):
    ready = json.loads(lab.gantry.ready_file.read_text())
    checks.equal("pid", ready["pid"], lab.gantry.child.pid)
    for name in ("namesrv", "remoting", "kafka", "http"):
        host, port = ready[name].rsplit(":", 1)
        checks.true(f"{name} is {ready[name]}", host == "127.0.0.1" and is_open(int(port)))


def is_open(port):
    with socket.create_connection(("127.0.0.1", port), 2):
        return True
