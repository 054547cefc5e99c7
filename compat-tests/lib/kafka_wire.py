"""Kafka requests by hand, for what no client shows: batch bytes as stored, a repeated sequence number."""
import socket
import struct
import time
import zlib

PRODUCE, FETCH, OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, INIT_PRODUCER_ID = 0, 1, 8, 9, 10, 22
COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, OUT_OF_ORDER_SEQUENCE = 14, 15, 45
# bytes of a batch that a broker may write: base offset 0..8, leader epoch 12..16
BROKER_FIELDS = (slice(0, 8), slice(12, 16))

_CRC = []
for _n in range(256):
    for _ in range(8):
        _n = (_n >> 1) ^ (0x82F63B78 if _n & 1 else 0)
    _CRC.append(_n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sized(data):
    return varint(-1) if data is None else varint(len(data)) + data


def batch(records, codec=0, compress=bytes, producer=(-1, -1, -1), base_offset=0, leader_epoch=-1):
    """A record batch v2. `records` are pivot records; `producer` is id, epoch, first sequence."""
    first = records[0].get("timestamp") or int(time.time() * 1000)
    last = max([record.get("timestamp") or first for record in records])
    body = b""
    for n, record in enumerate(records):
        headers = record.get("headers", [])
        made = b"\0" + varint((record.get("timestamp") or first) - first) + varint(n) + sized(record["key"]) + sized(record["value"])
        made += varint(len(headers)) + b"".join(sized(name.encode()) + sized(value) for name, value in headers)
        body += sized(made)
    checked = struct.pack(">hiqqqhii", codec, len(records) - 1, first, last, *producer, len(records)) + compress(body)
    rest = struct.pack(">ibI", leader_epoch, 2, crc32c(checked)) + checked
    return struct.pack(">qi", base_offset, len(rest)) + rest


def batches(data):
    """Splits the records field of a fetch into whole batches."""
    at = 0
    while at + 61 <= len(data):
        size = 12 + struct.unpack_from(">i", data, at + 8)[0]
        if at + size > len(data):
            return
        yield data[at:at + size]
        at += size


def values(data):
    """(offset, value) of every record of a batch that is not compressed or gzip."""
    base, last_delta = struct.unpack_from(">q", data)[0], struct.unpack_from(">i", data, 23)[0]
    codec, count = data[22] & 7, struct.unpack_from(">i", data, 57)[0]
    if count != last_delta + 1 or codec > 1:
        raise ValueError(f"a batch of {count} records, codec {codec}, last offset delta {last_delta}")
    body, at = zlib.decompress(data[61:], 31) if codec else data[61:], 0
    for n in range(count):
        size, at = read_varint(body, at)
        end, at = at + size, at + 1  # attributes
        _time, at = read_varint(body, at)
        delta, at = read_varint(body, at)
        size, at = read_varint(body, at)
        at += max(size, 0)
        size, at = read_varint(body, at)
        yield base + delta, None if size < 0 else body[at:at + size]
        at = end


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def without_broker_fields(data):
    """The batch with the 12 bytes a broker may write set to zero (R1)."""
    out = bytearray(data)
    for field in BROKER_FIELDS:
        out[field] = bytes(field.stop - field.start)
    return bytes(out)


def string(text):
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text.encode())) + text.encode()


class Connection:
    """One connection, one request at a time; header version 1, so only versions that are not flexible."""

    def __init__(self, address, timeout=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, key, version, body):
        self.send(key, version, body)
        return self.receive()

    def send(self, key, version, body):
        """The first half of a request whose answer may take its time."""
        self.number += 1
        frame = struct.pack(">hhi", key, version, self.number) + string("compat") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def receive(self):
        """The other half."""
        size, = struct.unpack(">i", self._take(4))
        answer = self._take(size)
        if struct.unpack_from(">i", answer)[0] != self.number:
            raise AssertionError("the answer carries another correlation id")
        return answer[4:]

    def _take(self, size):
        taken = b""
        while len(taken) < size:
            piece = self.socket.recv(size - len(taken))
            if not piece:
                raise ConnectionError("the broker closed the connection")
            taken += piece
        return taken

    def produce(self, topic, partition, data, acks=-1):
        """Produce v7: (error code, base offset)."""
        body = string(None) + struct.pack(">hii", acks, 5_000, 1) + string(topic) + struct.pack(">iii", 1, partition, len(data)) + data
        answer = self.request(PRODUCE, 7, body)
        at = 4 + 2 + len(topic.encode()) + 4 + 4
        return struct.unpack_from(">hq", answer, at)

    def fetch(self, topic, partition, offset, max_bytes=1 << 22, wait=500):
        """Fetch v4: (error code, high watermark, records bytes)."""
        body = struct.pack(">iiiibi", -1, wait, 1, max_bytes, 0, 1) + string(topic)
        body += struct.pack(">iiqi", 1, partition, offset, max_bytes)
        answer = self.request(FETCH, 4, body)
        at = 4 + 4 + 2 + len(topic.encode()) + 4 + 4
        error, high, _stable, aborted = struct.unpack_from(">hqqi", answer, at)
        at += 22 + 16 * max(aborted, 0)
        size, = struct.unpack_from(">i", answer, at)
        return error, high, answer[at + 4:at + 4 + max(size, 0)]

    def join(self, group):
        """FindCoordinator v1: a broker may have to make its coordinator first; the answer's address is our own broker."""
        deadline = time.monotonic() + 20
        while error := struct.unpack_from(">h", self.request(FIND_COORDINATOR, 1, string(group) + b"\0"), 4)[0]:
            if error != COORDINATOR_NOT_AVAILABLE or time.monotonic() > deadline:
                raise ValueError(f"FindCoordinator of {group}: {error}")
            time.sleep(0.05)

    def commit(self, group, topic, partition, offset):
        """OffsetCommit v2 by nobody's member, as assign() clients do: the error code."""
        body = string(group) + struct.pack(">i", -1) + string("") + struct.pack(">qi", -1, 1) + string(topic)
        answer = self.request(OFFSET_COMMIT, 2, body + struct.pack(">iiq", 1, partition, offset) + string(""))
        return struct.unpack_from(">h", answer, len(answer) - 2)[0]

    def committed(self, group, topic, partition):
        """OffsetFetch v1: the offset, -1 when there is none."""
        answer = self.request(OFFSET_FETCH, 1, string(group) + struct.pack(">i", 1) + string(topic) + struct.pack(">ii", 1, partition))
        return struct.unpack_from(">q", answer, 4 + 2 + len(topic.encode()) + 4 + 4)[0]

    def producer_id(self):
        """InitProducerId v0 without a transactional id: (id, epoch). Waits while the coordinator loads, as clients do."""
        deadline = time.monotonic() + 10
        while True:
            answer = self.request(INIT_PRODUCER_ID, 0, string(None) + struct.pack(">i", 60_000))
            _throttle, error, ident, epoch = struct.unpack(">ihqh", answer)
            if error == 0:
                return ident, epoch
            if error != COORDINATOR_LOAD_IN_PROGRESS or time.monotonic() > deadline:
                raise AssertionError(f"InitProducerId answered {error}")
            time.sleep(0.05)
