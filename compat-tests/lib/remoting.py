"""RocketMQ's remoting frames by hand: total length, header length with codec byte, JSON header, body.

For what the Java client does not say (unknown codes, frames as they are stored) and where a JVM would cost too much."""
import json
import socket
import struct

SEND_MESSAGE, PULL_MESSAGE, QUERY_CONSUMER_OFFSET, UPDATE_CONSUMER_OFFSET, HEART_BEAT = 10, 11, 14, 15, 34
GET_MAX_OFFSET, GET_MIN_OFFSET, GET_ROUTE = 30, 31, 105
COMMITTED, SUSPEND = 1, 2


class Connection:
    """One connection, one request at a time."""

    def __init__(self, address, timeout=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.opaque, self.buffer = 0, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, code, fields=None, body=b"", **more):
        """Sends and awaits the answer: its header as a dict, with "body"."""
        self.send(code, fields, body, **more)
        while True:
            answer = self.receive()
            if answer["opaque"] == self.opaque and answer["flag"] & 1:
                return answer

    def send(self, code, fields=None, body=b"", flag=0):
        self.opaque += 1
        header = {"code": code, "flag": flag, "language": "JAVA", "opaque": self.opaque, "version": 475, "serializeTypeCurrentRPC": "JSON",
                  "extFields": {name: str(value) for name, value in (fields or {}).items()}}
        encoded = json.dumps(header).encode()
        self.socket.sendall(struct.pack(">ii", 4 + len(encoded) + len(body), len(encoded)) + encoded + body)

    def receive(self):
        size, marked = struct.unpack(">ii", self._take(8))
        header_size = marked & 0xFFFFFF
        rest = self._take(size - 4)
        answer = json.loads(rest[:header_size])
        answer["body"] = rest[header_size:]
        answer.setdefault("extFields", {})
        return answer

    def _take(self, size):
        while len(self.buffer) < size:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("the broker closed the connection")
            self.buffer += piece
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def send_message(self, topic, queue, body, properties="", group="raw_producers", flag=0, sys_flag=0, born=0):
        """SEND_MESSAGE, first version: every field by its long name."""
        return self.request(SEND_MESSAGE, {
            "producerGroup": group, "topic": topic, "defaultTopic": "TBW102", "defaultTopicQueueNums": 4, "queueId": queue,
            "sysFlag": sys_flag, "bornTimestamp": born, "flag": flag, "properties": properties, "reconsumeTimes": 0,
            "unitMode": "false", "batch": "false"}, body)

    def pull(self, topic, queue, offset, group="raw_pull", most=32, commit=None):
        """PULL_MESSAGE without waiting; `commit` also commits that offset."""
        return self.request(PULL_MESSAGE, {
            "consumerGroup": group, "topic": topic, "queueId": queue, "queueOffset": offset, "maxMsgNums": most,
            "sysFlag": 4 | (COMMITTED if commit is not None else 0), "commitOffset": commit or 0, "suspendTimeoutMillis": 0,
            "subscription": "*", "subVersion": 0, "expressionType": "TAG"})

    def max_offset(self, topic, queue):
        return int(self.request(GET_MAX_OFFSET, {"topic": topic, "queueId": queue})["extFields"]["offset"])

    def join(self, group):
        """A heartbeat with one consumer group: a broker takes commits only for groups it knows. Ends with the connection."""
        group_data = {"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "unitMode": False,
                      "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "subscriptionDataSet": []}
        body = {"clientID": f"raw@{group}", "consumerDataSet": [group_data], "producerDataSet": []}
        answer = self.request(HEART_BEAT, {}, json.dumps(body).encode())
        if answer["code"] != 0:
            raise ValueError(f"heartbeat of {group}: {answer['code']} {answer.get('remark')}")

    def commit(self, group, topic, queue, offset):
        return self.request(UPDATE_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": queue, "commitOffset": offset})

    def committed(self, group, topic, queue):
        """None when the group never committed there."""
        answer = self.request(QUERY_CONSUMER_OFFSET, {"consumerGroup": group, "topic": topic, "queueId": queue})
        return int(answer["extFields"]["offset"]) if answer["code"] == 0 else None


def frames(body):
    """Splits a pull body into frames: (queue offset, commit offset, body, properties text, whole frame)."""
    at = 0
    while at < len(body):
        size, = struct.unpack_from(">i", body, at)
        frame = body[at:at + size]
        yield frame_fields(frame)
        at += size


def frame_fields(frame):
    magic, = struct.unpack_from(">i", frame, 4)
    queue_offset, commit_offset, sys_flag = struct.unpack_from(">qqi", frame, 20)
    at = 40 + 8 + (20 if sys_flag & 0x10 else 8) + 8 + (20 if sys_flag & 0x20 else 8) + 4 + 8
    size, = struct.unpack_from(">i", frame, at)
    body, at = frame[at + 4:at + 4 + size], at + 4 + size
    topic_size = frame[at] if magic == -626843481 else struct.unpack_from(">h", frame, at)[0]
    at += (1 if magic == -626843481 else 2) + topic_size
    size, = struct.unpack_from(">h", frame, at)
    return {"offset": queue_offset, "commitOffset": commit_offset, "body": body,
            "properties": frame[at + 2:at + 2 + size].decode(), "frame": frame}
