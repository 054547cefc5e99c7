"""Replays a recorded remoting session against a fresh Gantry and says what differs.

The recording implies its state: routes that were answered name the topics, delivered messages name what unrecorded clients
had sent. What depends on the run (offsets of the log, times) is rewritten in the requests and ignored in the answers."""
import base64
import gzip
import json
import threading
import time

from lib import lenient_json, remoting, remoting_frame, shape

SEND_V2, BATCH, SEND_BACK, HEARTBEAT, CREATE_TOPIC, VIEW, QUERY = 310, 320, 36, 34, 17, 33, 12
GET_ROUTE, PUT_KV, GET_KV = 105, 100, 101
PULLS = (11, 361)
CONSUME_DIRECTLY, RUNNING_STATE = 309, 307
UNKNOWN_TOPIC, UNKNOWN_GROUP = 17, 26
ANSWER_S, EVENT_S, HELD_MS = 4.0, 2.0, 100
# Maps whose names are data: queues, topics, groups, addresses, clients.
DATA = ("Table", "Addrs", "table", "Map", "topicConfigs", "runningInfo", "properties", "mqTable", "statusTable", "offsets", ".data",
        "consumeStatsList[]")
EXACT = ("perm", "readQueueNums", "writeQueueNums", "topicSysFlag", "consumeType", "messageModel", "consumeFromWhere", "expressionType",
         "subString", "brokerName", "cluster", "language")
# Topics with attributes that no answer shows.
ATTRIBUTES = {"WireBcq": "+queue.type=BatchCQ"}


def load(path):
    """The recording's lines, frames decoded."""
    with gzip.open(path, "rt") as file:
        lines = [json.loads(line) for line in file][1:]
    for line in lines:
        if "frame" in line:
            line["header"], line["body"], line["codec"] = remoting_frame.decode(base64.b64decode(line["frame"]))
    return lines


class Replay:
    """One recording on one broker."""

    def __init__(self, lines, gantry):
        self.lines, self.gantry = lines, gantry
        self.peers, self.asked, self.found = {}, {}, []
        self.offsets, self.idents, self.of_server = {}, {}, {}
        self.helper = remoting.Connection(gantry.remoting)
        self.live = []
        self._pair()
        self._scan_messages()

    # What the recording implies

    def _pair(self):
        """Gives each request its answer, and each answer its request."""
        open_requests = {}
        for line in self.lines:
            if "header" not in line:
                continue
            of_client = (line["dir"] == "c2s") != bool(line["header"]["flag"] & remoting_frame.RESPONSE)
            place = line["conn"], line["header"]["opaque"], of_client
            if not line["header"]["flag"] & remoting_frame.RESPONSE:
                open_requests[place] = line
            elif place in open_requests:
                asked = open_requests.pop(place)
                asked["answer"], line["asked"] = line, asked

    def _scan_messages(self):
        """Messages that the recorded answers deliver: (topic, queue) -> offset -> message; and places that the session itself filled."""
        self.wanted, self.own = {}, set()
        for line in self.lines:
            if line.get("dir") != "s2c" or "asked" not in line:
                continue
            fields = line["header"]["extFields"]
            if line["asked"]["header"]["code"] in (SEND_V2, BATCH, 10) and "queueOffset" in fields:
                for n in range(len(fields.get("msgId", "").split(","))):
                    self.own.add((topic_of(line["asked"]), int(fields["queueId"]), int(fields["queueOffset"]) + n))
            if remoting_frame.is_messages(line["body"]):
                for message in remoting_frame.messages(line["body"]):
                    self.wanted.setdefault((message["topic"], message["queue"]), {})[message["offset"]] = message

    def prepare(self, admin):
        """Topics, and for the sessions of mqadmin a client on either side."""
        topics = self._topics()
        if admin and not any(CREATE_TOPIC == line["header"]["code"] for line in self.lines if "header" in line):
            topics.setdefault("AdmTopic", (4, 4, 6))
        for topic, (read, write, perm) in topics.items():
            self._create(topic, read, write, perm)
        self._order()
        if admin:
            self._live_clients()
            for (topic, queue), messages in self.wanted.items():
                self._fill(topic, queue, max(messages) + 1)
            if "AdmTopic" in topics:
                for queue in (0, 1):
                    self._fill("AdmTopic", queue, 3)
                    self.helper.pull("AdmTopic", queue, 0, group="CG_admin")

    def _order(self):
        """Order configurations that the name server knew before."""
        with remoting.Connection(self.gantry.namesrv) as ask:
            for line in self.lines:
                if line.get("dir") != "c2s" or "answer" not in line or line["header"]["code"] not in (GET_ROUTE, GET_KV):
                    continue
                fields = line["header"]["extFields"]
                if line["header"]["code"] == GET_ROUTE:
                    topic, value = fields["topic"], (lenient_json.loads(line["answer"]["body"] or b"{}")).get("orderTopicConf")
                else:
                    topic, value = fields["key"], line["answer"]["header"]["extFields"].get("value")
                if value:
                    ask.request(PUT_KV, {"namespace": "ORDER_TOPIC_CONFIG", "key": topic, "value": value})

    def _topics(self):
        found, refused = {}, {"NoSuchTopic"}
        for line in self.lines:
            if line.get("dir") != "c2s" or "answer" not in line:
                continue
            topic, answer = topic_of(line), line["answer"]
            code = answer["header"]["code"]
            if line["header"]["code"] == GET_ROUTE and code == 0 and topic not in refused | set(found):
                queues = lenient_json.loads(answer["body"])["queueDatas"][0]
                found[topic] = queues["readQueueNums"], queues["writeQueueNums"], queues["perm"]
            elif code == UNKNOWN_TOPIC and topic not in found or line["header"]["code"] == CREATE_TOPIC:
                refused.add(topic)
            elif code in (0, UNKNOWN_GROUP) and topic and line["peer"] != "namesrv" and topic not in refused:
                found.setdefault(topic, (4, 4, 6))
        own = ("DefaultCluster", "broker-a", "TBW102", "BenchmarkTest", "SELF_TEST_TOPIC", "OFFSET_MOVED_EVENT")
        return {topic: queues for topic, queues in found.items() if topic not in own and not topic.startswith(("rmq_sys", "RMQ_SYS", "SCHEDULE_TOPIC", "DefaultCluster_"))}

    def _create(self, topic, read, write, perm):
        if topic.startswith("%RETRY%"):
            self.helper.join(topic[7:])  # the group's heartbeat makes the topic; the group has no member afterwards
            return
        fields = {"topic": topic, "defaultTopic": "TBW102", "readQueueNums": read, "writeQueueNums": write, "perm": perm,
                  "topicFilterType": "SINGLE_TAG", "topicSysFlag": 0, "order": "false"}
        if topic in ATTRIBUTES:
            fields["attributes"] = ATTRIBUTES[topic]
        answer = self.helper.request(CREATE_TOPIC, fields)
        if answer["code"] != 0:
            raise ValueError(f"creating {topic}: {answer['code']} {answer.get('remark')}")

    def _live_clients(self):
        """The producer PG_admin and the consumer CG_admin, which ran beside the recorded commands."""
        self.live.append(Live(self.gantry.remoting, self._recorded_bodies()))

    def _recorded_bodies(self):
        """What the live consumer said when it was asked, by request code."""
        codes = (RUNNING_STATE, CONSUME_DIRECTLY)
        return {line["header"]["code"]: line["answer"]["body"] for line in self.lines
                if line.get("dir") == "c2s" and "answer" in line and line["header"]["code"] in codes}

    # The replay itself

    def run(self):
        """Sends every recorded frame of the client in order; the differences, as (request code, sentence)."""
        try:
            for line in self.lines:
                if line["dir"] == "event":
                    self._event(line)
                elif line["dir"] == "c2s":
                    self._send(line)
                else:
                    self._expect(line)
        finally:
            for peer in [*self.peers.values(), *self.live]:
                peer.close()
            self.helper.socket.close()
        return self.found

    def _event(self, line):
        if line["event"] == "open":
            address = {"namesrv": self.gantry.namesrv, "broker": self.gantry.remoting, "broker-vip": fast(self.gantry.remoting)}[line["peer"]]
            self.peers[line["conn"]] = remoting_frame.Peer(address)
        elif line["event"] == "close" and line.get("by", "client") != "server" and line["conn"] in self.peers:
            self.peers.pop(line["conn"]).close()

    def _send(self, line):
        peer = self.peers[line["conn"]]
        header = dict(line["header"], extFields=dict(line["header"]["extFields"]))
        if header["flag"] & remoting_frame.RESPONSE:
            header["opaque"] = self.of_server.get((line["conn"], header["opaque"]), header["opaque"])
        else:
            self._rewrite(line, header)
            if not held(line):
                self._ensure(line)
        peer.send(header, line["body"], line["codec"])

    def _rewrite(self, line, header):
        fields, code = header["extFields"], header["code"]
        if code == QUERY and "beginTimestamp" in fields:
            fields["beginTimestamp"], fields["endTimestamp"] = "0", str(int(time.time() * 1000) + 3_600_000)
        if code in (VIEW, SEND_BACK, CONSUME_DIRECTLY) and "answer" in line:
            self._ensure(line)
            name = "msgId" if code == CONSUME_DIRECTLY else "offset"
            if fields.get(name) in self.idents:
                fields[name] = self.idents[fields[name]]
        if "suspendTimeoutMillis" in fields and "answer" in line and line["answer"]["header"]["code"] not in (0,) and held(line):
            fields["suspendTimeoutMillis"] = "300"

    def _ensure(self, line):
        """The queues are as long as the recorded answer says they were."""
        answer = line.get("answer")
        if answer is None:
            return
        fields, asked = answer["header"]["extFields"], line["header"]["extFields"]
        code, queue = line["header"]["code"], int(asked.get("queueId", asked.get("e", -1)))
        if code in PULLS and "maxOffset" in fields:
            self._fill(asked["topic"], queue, int(fields["maxOffset"]))
        elif code == 30 and "offset" in fields:
            self._fill(asked["topic"], queue, int(fields["offset"]))
        elif code in (SEND_V2, BATCH, 10) and "queueOffset" in fields:
            self._fill(topic_of(line), int(fields["queueId"]), int(fields["queueOffset"]))
        if remoting_frame.is_messages(answer["body"]):
            for message in remoting_frame.messages(answer["body"]):
                self._fill(message["topic"], message["queue"], message["offset"] + 1)

    def _fill(self, topic, queue, until):
        """Sends what other clients had sent to a queue; never what the session itself sends."""
        if topic.startswith(("%RETRY%", "rmq_sys", "RMQ_SYS")) or until <= 0 or until > 10_000:
            return
        at = self.helper.max_offset(topic, queue)
        while at < until and (topic, queue, at) not in self.own:
            message = self.wanted.get((topic, queue), {}).get(at, {"body": b"filler", "properties": "TAGS\1warm\2", "flag": 0, "sysFlag": 0})
            answer = self.helper.send_message(topic, queue, message["body"], message["properties"], flag=message["flag"], sys_flag=message["sysFlag"] & 0x701)
            if answer["code"] != 0:
                raise ValueError(f"preparing {topic}/{queue}: {answer['code']} {answer.get('remark')}")
            if "commitOffset" in message:
                self._learn(message["commitOffset"], int(answer["extFields"]["msgId"][16:], 16), answer["extFields"]["msgId"])
            at += 1

    def _learn(self, recorded, ours, ident=None):
        self.idents[str(recorded)] = str(ours)
        if ident:
            self.idents["7F000001000078BF%016X" % recorded] = ident

    def _expect(self, line):
        peer = self.peers.get(line["conn"])
        if peer is None:
            return
        if not line["header"]["flag"] & remoting_frame.RESPONSE:
            return self._expect_request(peer, line)
        asked = line.get("asked")
        if asked is None:
            return None
        if held(asked):
            self._ensure(asked)
        got = self._answer(peer, line, asked)
        if got is None:
            self._differ(asked, "no answer")
        else:
            self._compare(asked, line, *got)
        return None

    def _answer(self, peer, line, asked):
        """The answer; what lags behind in the original, too (index, routes of new topics), is asked for again."""
        got = peer.answer(line["header"]["opaque"], ANSWER_S)
        until = time.monotonic() + EVENT_S
        while got and asked["header"]["code"] in (QUERY, GET_ROUTE) and got[0]["code"] != line["header"]["code"] and time.monotonic() < until:
            self._send(asked)
            got = peer.answer(line["header"]["opaque"], ANSWER_S)
        return got

    def _expect_request(self, peer, line):
        code = line["header"]["code"]
        got = peer.request_of_server(code, EVENT_S)
        if got is None:
            return self._differ(line, "the server did not ask")
        header, body, _codec = got
        self.of_server[line["conn"], line["header"]["opaque"]] = header["opaque"]
        self._fields(line, line["header"]["extFields"], header["extFields"])
        if bool(body) != bool(line["body"]):
            self._differ(line, "body" if line["body"] else "a body besides")
        return None

    def _differ(self, asked, sentence):
        self.found.append((asked["header"]["code"], sentence))

    def _fields(self, asked, wanted, got):
        for name in sorted(set(wanted) - set(got)):
            self._differ(asked, f"no field {name}")
        for name in sorted(set(got) - set(wanted)):
            self._differ(asked, f"field {name} besides")

    def _compare(self, asked, line, header, body):
        wanted = line["header"]
        if header["code"] != wanted["code"]:
            remark = (header.get("remark") or "").split("\n")[0][:90]
            return self._differ(asked, f"code {header['code']} instead of {wanted['code']}" + (f" ({remark})" if remark else ""))
        self._fields(asked, wanted["extFields"], header["extFields"])
        if wanted["code"] != 0 and bool(wanted.get("remark")) != bool(header.get("remark")):
            self._differ(asked, "remark" if header.get("remark") is None else "a remark besides")
        if bool(body) != bool(line["body"]):
            return self._differ(asked, "no body" if line["body"] else "a body besides")
        for sentence in self._body(line["body"], body):
            self._differ(asked, sentence)
        return None

    def _body(self, wanted, got):
        if remoting_frame.is_messages(wanted):
            return self._messages(remoting_frame.messages(wanted), remoting_frame.messages(got) if remoting_frame.is_messages(got) else [])
        if wanted[:1] in (b"{", b"["):
            return shape.differences(lenient_json.loads(wanted), lenient_json.loads(got), DATA, EXACT)
        if b"=" in wanted:
            return shape.differences(properties(wanted), properties(got))
        return []

    def _messages(self, wanted, got):
        places = [[(m["topic"], m["queue"], m["offset"], m["body"]) for m in side] for side in (wanted, got)]
        if places[0] != places[1]:
            return [f"{len(got)} messages instead of {len(wanted)}" if len(got) != len(wanted) else "other messages"]
        for left, right in zip(wanted, got):
            self._learn(left["commitOffset"], right["commitOffset"])
        return []


class Live:
    """The producer and the consumer that were online while mqadmin ran; answers what the broker asks of the consumer."""

    def __init__(self, address, bodies):
        self.peer, self.bodies, self.ended = remoting_frame.Peer(address), bodies, False
        subscription = {"topic": "AdmTopic", "subString": "*", "classFilterMode": False, "codeSet": [], "tagsSet": [],
                        "expressionType": "TAG", "subVersion": 1}
        consumer = {"groupName": "CG_admin", "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "unitMode": False,
                    "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
                    "subscriptionDataSet": [subscription, dict(subscription, topic="%RETRY%CG_admin")]}
        body = {"clientID": "127.0.0.1@i1", "consumerDataSet": [consumer], "producerDataSet": [{"groupName": "PG_admin"}]}
        self._ask(HEARTBEAT, {}, json.dumps(body).encode())
        for queue in (0, 1):
            self._ask(15, {"consumerGroup": "CG_admin", "topic": "AdmTopic", "queueId": str(queue), "commitOffset": "3"})
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _ask(self, code, fields, body=b""):
        self.peer.send({"code": code, "flag": 0, "language": "JAVA", "opaque": code, "version": 479, "extFields": fields}, body, remoting_frame.JSON)
        if self.peer.answer(code, ANSWER_S) is None:
            raise ValueError(f"no answer to the live client's request {code}")

    def _serve(self):
        try:
            while not self.ended:
                for code in (RUNNING_STATE, CONSUME_DIRECTLY):
                    asked = self.peer.request_of_server(code, 0.02)
                    if asked:
                        header = {"code": 0, "flag": 1, "language": "JAVA", "opaque": asked[0]["opaque"], "version": 479, "extFields": {}}
                        self.peer.send(header, self.bodies.get(code, b""), remoting_frame.JSON)
        except OSError:
            pass

    def close(self):
        self.ended = True
        self.thread.join()
        self.peer.close()


def topic_of(line):
    fields = line["header"]["extFields"]
    return fields.get("topic") or (fields.get("b") if line["header"]["code"] in (SEND_V2, BATCH) else None)


def held(line):
    """Whether the request waited for something before it was answered."""
    return "answer" in line and line["answer"]["ms"] - line["ms"] > HELD_MS


def fast(address):
    host, port = address.rsplit(":", 1)
    return f"{host}:{int(port) - 2}"


def properties(body):
    pairs = (line.partition(b"=") for line in body.splitlines() if b"=" in line)
    return {name.decode().strip(): value.decode() for name, _, value in pairs}
