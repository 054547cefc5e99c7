'use strict';
// kafkajs as a compatibility-test client. It hands out headers as a map: a name that comes twice has a list, and how names
// alternate is lost ("grouped" says so to the reader of the lines).

const { Kafka, Partitioners, logLevel } = require('kafkajs');
const codecs = require('./codecs');
const { main, bytes, base64 } = require('./line');

function connected(c) {
  return new Kafka({
    brokers: [c.bootstrap], clientId: 'compat', logLevel: logLevel.ERROR,
    logCreator: () => ({ log }) => console.error(log.message, log.error ?? ''),
  });
}

async function produce(c) {
  const acks = c.acks === 'all' ? -1 : Number(c.acks);
  const producer = connected(c).producer({
    createPartitioner: Partitioners.DefaultPartitioner, idempotent: c.idempotent ?? acks === -1, maxInFlightRequests: 1,
  });
  await producer.connect();
  try {
    const messages = c.records.map(message);
    const answers = await producer.send({ topic: c.topic, acks, compression: codecs.types[c.codec], messages });
    const next = new Map(answers.map(answer => [answer.partition, Number(answer.baseOffset)]));
    c.records.forEach((record, number) => {
      const partition = record.partition ?? answers[0].partition;
      c.say({ ack: number, partition, offset: next.get(partition) });
      next.set(partition, next.get(partition) + 1);
    });
  } finally {
    await producer.disconnect();
  }
}

function message(record) {
  const headers = {};
  for (const [name, value] of record.headers ?? []) {
    const held = bytes(value);
    headers[name] = name in headers ? [].concat(headers[name], [held]) : held;
  }
  const timestamp = record.timestamp === undefined || record.timestamp === null ? undefined : String(record.timestamp);
  return { key: bytes(record.key), value: bytes(record.value), partition: record.partition ?? undefined, headers, timestamp };
}

// As a member of the group; commits exactly the records it said.
async function consume(c) {
  const consumer = connected(c).consumer({
    groupId: c.group, sessionTimeout: 10000, heartbeatInterval: 500, rebalanceTimeout: 20000, maxWaitTimeInMs: 250,
  });
  let failure;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => c.say({ event: 'assigned', partitions: names(payload.memberAssignment) }));
  consumer.on(consumer.events.REBALANCING, () => c.say({ event: 'revoked', partitions: [] }));
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    failure = payload.error;
    c.stop();
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: c.topics, fromBeginning: c.from !== 'last' });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { topic, partition, messages } }) => {
        const said = messages.filter(got => c.take(pivot(topic, partition, got)));
        if (said.length === 0) return;
        await consumer.commitOffsets([{ topic, partition, offset: String(Number(said.at(-1).offset) + 1) }]);
        if (c.left === 0) c.stop();
      },
    });
    await c.waitForEnd();
    if (failure) throw failure;
  } finally {
    await consumer.disconnect();
  }
}

function names(assignment) {
  return Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map(number => `${topic}-${number}`)).sort();
}

function pivot(topic, partition, got) {
  const headers = Object.entries(got.headers ?? {}).flatMap(([name, held]) => [].concat(held).map(value => [name, base64(value)]));
  return {
    topic, partition, offset: Number(got.offset), key: base64(got.key), value: base64(got.value), headers, grouped: true,
    timestamp: Number(got.timestamp),
  };
}

// Creates a topic, finds it with its partitions, lists the groups, deletes it.
async function admin(c) {
  const client = connected(c).admin();
  await client.connect();
  try {
    await client.createTopics({ topics: [{ topic: c.topic, numPartitions: Number(c.partitions ?? 1), replicationFactor: 1 }] });
    const { topics } = await client.fetchTopicMetadata({ topics: [c.topic] });
    c.say({ topic: topics[0].name, partitions: topics[0].partitions.length });
    c.say({ groups: (await client.listGroups()).groups.map(group => group.groupId).sort() });
    await client.deleteTopics({ topics: [c.topic] });
  } finally {
    await client.disconnect();
  }
}

main({ produce, consume, admin });
