'use strict';
// ali-ons as a compatibility-test client: RocketMQ's remoting protocol written anew in JavaScript. The library chooses the
// queue of a message itself, and knows neither batches nor one-way sends nor pull consumers.

const { Consumer, Message, Producer } = require('ali-ons');
const { main, bytes, base64 } = require('./line');

const OFTEN = { pollNameServerInteval: 2000, heartbeatBrokerInterval: 1000, rebalanceInterval: 1000, persistConsumerOffsetInterval: 1000 };
let count = 0;

// One name a client: clients of one name share a connection and a place in the group.
function options(c) {
  count += 1;
  // the HTTP client is for finding name servers by a URL; the library demands one even where they are named
  return { nameSrv: c.namesrv, httpclient: {}, unitName: `u${process.pid}-${count}`, logger: quiet, ...OFTEN };
}

const quiet = { info() {}, debug() {}, warn() {}, error: console.error };
let producing;

// The producer of this process, made once.
function producer(c) {
  producing ??= (async () => {
    const made = new Producer({ ...options(c), producerGroup: 'compat_ali_ons' });
    made.on('error', error => console.error(error));
    await made.ready();
    return made;
  })();
  return producing;
}

async function produce(c) {
  const sender = await producer(c);
  for (const [number, record] of c.records.entries()) {
    const sent = await sender.send(message(c.topic, record));
    if (sent.sendStatus !== 'SEND_OK') throw new Error(`send status ${sent.sendStatus}`);
    // this library's msgId is the place in the log, which others call the offset message id
    c.say({ ack: number, partition: Number(sent.messageQueue.queueId), offset: sent.queueOffset, offsetMsgId: sent.msgId });
  }
}

function message(topic, record) {
  const made = new Message(topic, bytes(record.value));
  delete made.properties.TAGS; // without a tag the library would send the tag "null"
  if (record.tags) made.tags = record.tags;
  if (record.keys) made.keys = record.keys.split(' ');
  if (record.flag) made.flag = record.flag;
  if (record.buyerId) made.buyerId = record.buyerId;
  // shardingKey of this library sets a property of another name than the Java client
  if (record.shardingKey) made.properties.__SHARDINGKEY = record.shardingKey;
  if (record.waitStore === false) made.waitStoreMsgOK = false;
  Object.assign(made.properties, record.properties);
  return made;
}

// As a push consumer of the group; commits exactly the records it said.
async function consume(c) {
  const consumer = new Consumer({
    ...options(c), consumerGroup: c.group,
    consumeFromWhere: c.from === 'last' ? 'CONSUME_FROM_LAST_OFFSET' : 'CONSUME_FROM_FIRST_OFFSET',
  });
  consumer.on('error', error => console.error(error));
  for (const topic of c.topics) {
    consumer.subscribe(topic, c.tags ?? '*', async got => {
      // to return would commit what nobody has seen, to throw would send it back: no answer does neither
      if (!c.take(pivot(got))) await new Promise(() => {});
      if (c.left === 0) c.stop();
    });
  }
  await consumer.ready();
  c.say({ event: 'started' });
  await c.waitForEnd();
  await new Promise(resolve => setTimeout(resolve, 50)); // the library notes the last message's offset after our answer
  await consumer.close();
}

function pivot(got) {
  const properties = { ...got.properties };
  delete properties['']; // what its decoder makes of the separator behind the last property
  if (properties.TAGS === null) delete properties.TAGS;
  return {
    topic: got.topic, partition: got.queueId, offset: got.queueOffset, value: base64(got.body), tags: properties.TAGS ?? null,
    keys: properties.KEYS ?? null, properties, flag: got.flag, sysFlag: got.sysFlag, msgId: properties.UNIQ_KEY ?? got.msgId,
    offsetMsgId: got.msgId, bornTimestamp: got.bornTimestamp, storeTimestamp: got.storeTimestamp,
    commitLogOffset: got.commitLogOffset, reconsumeTimes: got.reconsumeTimes,
  };
}

main({ produce, consume });
