"""confluent-kafka (librdkafka) as a compatibility-test client."""
import line
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

COMMON = {"broker.address.family": "v4", "socket.timeout.ms": 10_000, "topic.metadata.propagation.max.ms": 5_000}


def produce(c):
    conf = {**COMMON, "bootstrap.servers": c.bootstrap, "compression.type": c.text("codec", "none"), "acks": c.text("acks", "all"),
            "enable.idempotence": c.wants_idempotence(), "linger.ms": 20, "delivery.timeout.ms": 30_000}
    producer, failed, acks = Producer(conf), [], {}

    def answered(number):
        def note(error, message):
            failed.append(error) if error else acks.update({number: (message.partition(), message.offset())})
        return note
    for number, record in enumerate(c.records):
        where = {"partition": record["partition"]} if record.get("partition") is not None else {}
        when = {"timestamp": record["timestamp"]} if record.get("timestamp") is not None else {}
        producer.produce(c.topic, key=line.unb64(record.get("key")), value=line.unb64(record.get("value")),
                         headers=line.headers_of(record), on_delivery=answered(number), **where, **when)
    left = producer.flush(30)
    if failed or left:
        raise RuntimeError(f"{left} without an answer, failed: {failed}")
    for number, (partition, offset) in sorted(acks.items()):
        c.ack(number, partition, offset)


def consume(c):
    """As a member of the group, or from every partition with mode "assign"; commits exactly the records it said."""
    member, taker = c.mode != "assign", line.Taker(c)
    consumer = Consumer({**COMMON, "bootstrap.servers": c.bootstrap, "group.id": c.text("group", "unused"), "enable.auto.commit": False,
                         "auto.offset.reset": "latest" if c.fields.get("from") == "last" else "earliest", "session.timeout.ms": 10_000,
                         "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 250})
    try:
        if member:
            consumer.subscribe(c.names("topics"), on_assign=lambda _, got: c.say(event="assigned", partitions=shown(got)),
                               on_revoke=lambda _, lost: c.say(event="revoked", partitions=shown(lost)))
        else:
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic in c.names("topics")
                             for number in consumer.list_topics(topic, 10).topics[topic].partitions])
        while taker.wants_more():
            said = {}
            for message in consumer.consume(min(taker.left, 500), 0.1):
                if message.error():
                    raise RuntimeError(str(message.error()))
                taker.take(message.topic(), message.partition(), message.offset(), message.key(), message.value(), message.headers(),
                           message.timestamp()[1])
                said[message.topic(), message.partition()] = message.offset() + 1
            if member and said:
                consumer.commit(offsets=[TopicPartition(*place, offset) for place, offset in said.items()], asynchronous=False)
    finally:
        consumer.close()


def shown(partitions):
    return line.names((p.topic, p.partition) for p in partitions)


def admin(c):
    """Creates a topic, finds it with its partitions, lists the groups, deletes it."""
    client = AdminClient({**COMMON, "bootstrap.servers": c.bootstrap})
    client.create_topics([NewTopic(c.topic, c.number("partitions", 1), 1)])[c.topic].result(10)
    c.say(topic=c.topic, partitions=len(client.list_topics(c.topic, 10).topics[c.topic].partitions))
    c.say(groups=sorted(group.group_id for group in client.list_consumer_groups().result(10).valid))
    client.delete_topics([c.topic])[c.topic].result(10)


if __name__ == "__main__":
    line.main({"produce": produce, "consume": consume, "admin": admin})
