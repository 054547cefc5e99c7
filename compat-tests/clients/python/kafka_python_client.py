"""kafka-python as a compatibility-test client."""
import line
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic


def produce(c):
    acks, codec = c.text("acks", "all"), c.text("codec", "none")
    producer = KafkaProducer(bootstrap_servers=c.bootstrap, acks=acks if acks == "all" else int(acks), linger_ms=20,
                             compression_type=None if codec == "none" else codec, enable_idempotence=c.wants_idempotence())
    try:
        futures = [producer.send(c.topic, key=line.unb64(record.get("key")), value=line.unb64(record.get("value")),
                                 headers=line.headers_of(record), partition=record.get("partition"), timestamp_ms=record.get("timestamp"))
                   for record in c.records]
        for number, future in enumerate(futures):
            ack = future.get(30)
            c.ack(number, ack.partition, ack.offset)
    finally:
        producer.close(10)


class Told(ConsumerRebalanceListener):
    """Says what is assigned and revoked."""

    def __init__(self, command):
        self.command = command

    def on_partitions_assigned(self, assigned):
        self.command.say(event="assigned", partitions=line.names(assigned))

    def on_partitions_revoked(self, revoked):
        self.command.say(event="revoked", partitions=line.names(revoked))


def consume(c):
    """As a member of the group, or from every partition with mode "assign"; commits exactly the records it said."""
    member, taker = c.mode != "assign", line.Taker(c)
    consumer = KafkaConsumer(bootstrap_servers=c.bootstrap, group_id=c.group if member else None, enable_auto_commit=False,
                             auto_offset_reset="latest" if c.fields.get("from") == "last" else "earliest", fetch_max_wait_ms=250,
                             session_timeout_ms=10_000, heartbeat_interval_ms=500)
    try:
        if member:
            consumer.subscribe(c.names("topics"), listener=Told(c))
        else:
            consumer.assign([TopicPartition(topic, number) for topic in c.names("topics") for number in consumer.partitions_for_topic(topic)])
        while taker.wants_more():
            said = {}
            for partition, records in consumer.poll(100).items():
                for record in records[:taker.left]:
                    taker.take(record.topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp)
                    said[partition] = OffsetAndMetadata(record.offset + 1, "", -1)
            if member and said:
                consumer.commit(said)
    finally:
        consumer.close()


def admin(c):
    """Creates a topic, finds it with its partitions, lists the groups, deletes it."""
    client = KafkaAdminClient(bootstrap_servers=c.bootstrap)
    try:
        client.create_topics([NewTopic(c.topic, c.number("partitions", 1), 1)])
        described = client.describe_topics([c.topic])[0]
        c.say(topic=described["name"], partitions=len(described["partitions"]))
        c.say(groups=sorted(group["group_id"] for group in client.list_groups()))
        client.delete_topics([c.topic])
    finally:
        client.close()


if __name__ == "__main__":
    line.main({"produce": produce, "consume": consume, "admin": admin})
