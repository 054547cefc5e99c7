"""aiokafka as a compatibility-test client: each command runs in an event loop of its own."""
import asyncio

import line
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


async def produce(c):
    acks, codec = c.text("acks", "all"), c.text("codec", "none")
    async with AIOKafkaProducer(bootstrap_servers=c.bootstrap, acks=acks if acks == "all" else int(acks), linger_ms=20,
                                compression_type=None if codec == "none" else codec,
                                enable_idempotence=c.wants_idempotence()) as producer:
        futures = [await producer.send(c.topic, key=line.unb64(record.get("key")), value=line.unb64(record.get("value")),
                                       headers=line.headers_of(record), partition=record.get("partition"),
                                       timestamp_ms=record.get("timestamp")) for record in c.records]
        for number, future in enumerate(futures):
            ack = await asyncio.wait_for(future, 30)
            c.ack(number, ack.partition, ack.offset)


class Told(ConsumerRebalanceListener):
    """Says what is assigned and revoked."""

    def __init__(self, command):
        self.command = command

    async def on_partitions_assigned(self, assigned):
        self.command.say(event="assigned", partitions=line.names(assigned))

    async def on_partitions_revoked(self, revoked):
        self.command.say(event="revoked", partitions=line.names(revoked))


async def consume(c):
    """As a member of the group, or from every partition with mode "assign"; commits exactly the records it said."""
    member, taker = c.mode != "assign", line.Taker(c)
    consumer = AIOKafkaConsumer(bootstrap_servers=c.bootstrap, group_id=c.group if member else None, enable_auto_commit=False,
                                auto_offset_reset="latest" if c.fields.get("from") == "last" else "earliest", fetch_max_wait_ms=250,
                                session_timeout_ms=10_000, heartbeat_interval_ms=500)
    if member:
        consumer.subscribe(c.names("topics"), listener=Told(c))
    await consumer.start()
    try:
        if not member:
            # partitions_for_topic knows only what was subscribed or assigned before
            consumer.assign([TopicPartition(topic, number) for topic in c.names("topics")
                             for number in await consumer._client._wait_on_metadata(topic)])
        while taker.wants_more():
            said = {}
            for partition, records in (await consumer.getmany(timeout_ms=100)).items():
                for record in records[:taker.left]:
                    taker.take(record.topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp)
                    said[partition] = record.offset + 1
            if member and said:
                await consumer.commit(said)
    finally:
        await consumer.stop()


async def admin(c):
    """Creates a topic, finds it with its partitions, lists the groups, deletes it."""
    client = AIOKafkaAdminClient(bootstrap_servers=c.bootstrap)
    await client.start()
    try:
        await client.create_topics([NewTopic(c.topic, c.number("partitions", 1), 1)])
        described = (await client.describe_topics([c.topic]))[0]
        c.say(topic=described["topic"], partitions=len(described["partitions"]))
        c.say(groups=sorted(group[0] for group in await client.list_consumer_groups()))
        await client.delete_topics([c.topic])
    finally:
        await client.close()


if __name__ == "__main__":
    operations = {"produce": produce, "consume": consume, "admin": admin}
    line.main({name: lambda c, work=work: asyncio.run(work(c)) for name, work in operations.items()})
