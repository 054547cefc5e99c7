"""Reads a queue from an offset to its end, in either dialect, with raw requests: {offset: value} and the next offset."""
import time

from lib import kafka_wire, remoting

NO_LEADER_YET = (5, 6)  # a Java broker that just started; clients ask again as well


def by_kafka(address):
    def read(topic, partition, begin):
        held, at, deadline = {}, begin, time.monotonic() + 10
        with kafka_wire.Connection(address()) as raw:
            while True:
                error, high, data = raw.fetch(topic, partition, at, wait=0)
                if error in NO_LEADER_YET and time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                if error:
                    raise AssertionError(f"fetch of {topic}-{partition} at {at} answered {error}, high watermark {high}")
                before = at
                for batch in kafka_wire.batches(data):
                    for offset, value in kafka_wire.values(batch):
                        if offset >= begin:
                            held[offset] = value
                        at = max(at, offset + 1)
                if at >= high or at == before:
                    return held, at
    return read


def by_native(address):
    """A B frame of a stock broker would come whole; Gantry hands out single messages."""
    def read(topic, partition, begin):
        held, at = {}, begin
        with remoting.Connection(address()) as raw:
            end = raw.max_offset(topic, partition)
            while at < end:
                answer = raw.pull(topic, partition, at)
                if answer["code"] != 0:
                    raise AssertionError(f"pull of {topic}-{partition} at {at} answered {answer['code']}: {answer.get('remark')}")
                for frame in remoting.frames(answer["body"]):
                    held[frame["offset"]] = frame["body"]
                at = int(answer["extFields"]["nextBeginOffset"])
        return held, at
    return read
