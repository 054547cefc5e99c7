"""Remoting frames in both header codecs, whole: what `remoting.Connection` does for requests by hand, for replays.

A header is a dict: code, flag, opaque, language, version, remark, extFields. Source: RocketMQ 5.3.3 `RocketMQSerializable`."""
import json
import socket
import struct

from lib import remoting

JSON, BINARY = 0, 1
RESPONSE, ONEWAY = 1, 2


def decode(frame):
    """(header, body, codec) of a frame with its length field."""
    _size, marked = struct.unpack_from(">ii", frame)
    codec, header_size = marked >> 24 & 0xFF, marked & 0xFFFFFF
    head, body = frame[8:8 + header_size], frame[8 + header_size:]
    header = _read_binary(head) if codec == BINARY else json.loads(head)
    header.setdefault("extFields", {})
    return header, body, codec


def encode(header, body, codec):
    head = _write_binary(header) if codec == BINARY else json.dumps(header).encode()
    return struct.pack(">ii", 4 + len(head) + len(body), len(head) | codec << 24) + head + body


def _read_binary(head):
    code, language, version, opaque, flag = struct.unpack_from(">hBhii", head)
    remark, at = _sized(head, 13, ">i")
    table, _ = _sized(head, at, ">i")
    fields, at = {}, 0
    while at < len(table):
        name, at = _sized(table, at, ">h")
        value, at = _sized(table, at, ">i")
        fields[name.decode()] = value.decode()
    header = {"code": code, "language": language, "version": version, "opaque": opaque, "flag": flag, "extFields": fields}
    if remark:
        header["remark"] = remark.decode()
    return header


def _write_binary(header):
    table = b"".join(struct.pack(">h", len(n.encode())) + n.encode() + struct.pack(">i", len(v.encode())) + v.encode()
                     for n, v in header["extFields"].items())
    remark = (header.get("remark") or "").encode()
    language = header["language"] if isinstance(header["language"], int) else 0
    fixed = struct.pack(">hBhii", header["code"], language, header["version"], header["opaque"], header["flag"])
    return fixed + struct.pack(">i", len(remark)) + remark + struct.pack(">i", len(table)) + table


def _sized(data, at, form):
    size, = struct.unpack_from(form, data, at)
    at += struct.calcsize(form)
    return data[at:at + size], at + size


class Peer:
    """One connection whose frames may come in any order: answers by opaque, requests of the server by code."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.answers, self.requests = b"", {}, []

    def send(self, header, body, codec):
        self.socket.sendall(encode(header, body, codec))

    def answer(self, opaque, seconds):
        """(header, body) of the answer, None when none came in time. ConnectionError when the server closed."""
        return self._until(lambda: self.answers.pop(opaque, None), seconds)

    def request_of_server(self, code, seconds):
        """The oldest request of the server with this code, None when none came in time."""
        def found():
            for at, (header, _body, _codec) in enumerate(self.requests):
                if header["code"] == code:
                    return self.requests.pop(at)
            return None
        return self._until(found, seconds)

    def close(self):
        self.socket.close()

    def _until(self, found, seconds):
        self.socket.settimeout(seconds)
        try:
            while True:
                self._split()
                if (one := found()) is not None:
                    return one
                piece = self.socket.recv(1 << 16)
                if not piece:
                    raise ConnectionError("the server closed the connection")
                self.buffer += piece
        except TimeoutError:
            return None

    def _split(self):
        while len(self.buffer) >= 4:
            size = 4 + struct.unpack_from(">i", self.buffer)[0]
            if len(self.buffer) < size:
                return
            header, body, codec = decode(self.buffer[:size])
            self.buffer = self.buffer[size:]
            if header["flag"] & RESPONSE:
                self.answers[header["opaque"]] = header, body
            else:
                self.requests.append((header, body, codec))


def is_messages(body):
    """Whether a body is a sequence of stored messages."""
    return len(body) > 8 and struct.unpack_from(">i", body, 4)[0] in (-626843481, -626843477)


def messages(body):
    """The stored messages of a body, with topic and queue: dicts."""
    found, at = [], 0
    while at < len(body):
        size, = struct.unpack_from(">i", body, at)
        frame = body[at:at + size]
        fields = remoting.frame_fields(frame)
        fields["queue"], fields["flag"] = struct.unpack_from(">ii", frame, 12)
        fields["sysFlag"], = struct.unpack_from(">i", frame, 36)
        fields["topic"] = _topic(frame, fields["sysFlag"])
        found.append(fields)
        at += size
    return found


def _topic(frame, sys_flag):
    at = 40 + 8 + (20 if sys_flag & 0x10 else 8) + 8 + (20 if sys_flag & 0x20 else 8) + 4 + 8
    at += 4 + struct.unpack_from(">i", frame, at)[0]
    if struct.unpack_from(">i", frame, 4)[0] == -626843481:
        return frame[at + 1:at + 1 + frame[at]].decode()
    size, = struct.unpack_from(">h", frame, at)
    return frame[at + 2:at + 2 + size].decode()
