import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Sends records in the four ways the client knows: sync, async, oneway, batch. One ack line a record, oneway without offset. */
final class Producers {
    private final Map<String, DefaultMQProducer> started = new ConcurrentHashMap<>();

    /** One producer for each name server and compression type, started at first use. */
    DefaultMQProducer of(Command c) {
        return started.computeIfAbsent(c.text("namesrv") + " " + c.text("compressType", "ZLIB"), key -> start(c));
    }

    private static DefaultMQProducer start(Command c) {
        try {
            // 5.x reads the type when the object is made; 4.9.8 knows ZLIB only and ignores it
            System.setProperty("rocketmq.message.compressType", c.text("compressType", "ZLIB"));
            DefaultMQProducer producer = new DefaultMQProducer("compat_producers");
            producer.setNamesrvAddr(c.text("namesrv"));
            producer.setInstanceName("p" + c.text("compressType", "ZLIB") + System.nanoTime());
            producer.setVipChannelEnabled(false);
            producer.setSendMsgTimeout((int) c.number("sendTimeout", 5_000));
            producer.setRetryTimesWhenSendFailed((int) c.number("retries", 2));
            producer.setRetryTimesWhenSendAsyncFailed((int) c.number("retries", 2));
            producer.setPollNameServerInterval(2_000);
            producer.start();
            return producer;
        } catch (Exception error) {
            throw new IllegalStateException(error.toString(), error);
        }
    }

    void close() {
        started.values().forEach(DefaultMQProducer::shutdown);
    }

    void produce(Command c) throws Exception {
        DefaultMQProducer producer = of(c);
        List<Message> messages = new ArrayList<>();
        for (Map<String, Object> record : c.records()) messages.add(Records.in(c.text("topic"), record));
        switch (c.text("mode", "sync")) {
            case "sync": sync(c, producer, messages); break;
            case "async": async(c, producer, messages); break;
            case "oneway": oneway(c, producer, messages); break;
            case "batch": batch(c, producer, messages); break;
            default: throw new IllegalArgumentException("mode is sync, async, oneway or batch");
        }
    }

    private static void sync(Command c, DefaultMQProducer producer, List<Message> messages) throws Exception {
        for (int i = 0; i < messages.size(); i++) {
            MessageQueue queue = queue(c, producer, i);
            Message message = messages.get(i);
            ack(c, i, queue == null ? producer.send(message) : producer.send(message, queue));
        }
    }

    private static void async(Command c, DefaultMQProducer producer, List<Message> messages) throws Exception {
        for (int i = 0; i < messages.size(); i++) {
            CountDownLatch answered = new CountDownLatch(1);
            AtomicReference<SendResult> result = new AtomicReference<>();
            AtomicReference<Throwable> failure = new AtomicReference<>();
            SendCallback callback = new SendCallback() {
                @Override
                public void onSuccess(SendResult sent) {
                    result.set(sent);
                    answered.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    failure.set(error);
                    answered.countDown();
                }
            };
            MessageQueue queue = queue(c, producer, i);
            if (queue == null) producer.send(messages.get(i), callback);
            else producer.send(messages.get(i), queue, callback);
            if (!answered.await(10, TimeUnit.SECONDS)) throw new IllegalStateException("no callback within 10 s");
            if (failure.get() != null) throw new IllegalStateException(failure.get().toString(), failure.get());
            ack(c, i, result.get());
        }
    }

    private static void oneway(Command c, DefaultMQProducer producer, List<Message> messages) throws Exception {
        for (int i = 0; i < messages.size(); i++) {
            MessageQueue queue = queue(c, producer, i);
            if (queue == null) producer.sendOneway(messages.get(i));
            else producer.sendOneway(messages.get(i), queue);
            c.say("ack", i, "msgId", messages.get(i).getProperty("UNIQ_KEY"));
        }
    }

    /** All records of the command go as one batch to the queue of the first. */
    private static void batch(Command c, DefaultMQProducer producer, List<Message> messages) throws Exception {
        MessageQueue queue = queue(c, producer, 0);
        SendResult result = queue == null ? producer.send(messages) : producer.send(messages, queue);
        String[] ids = result.getMsgId().split(",");
        String[] offsetIds = String.valueOf(result.getOffsetMsgId()).split(",");
        for (int i = 0; i < messages.size(); i++) {
            c.say("ack", i, "partition", result.getMessageQueue().getQueueId(), "offset", result.getQueueOffset() + i,
                "msgId", ids[ids.length == messages.size() ? i : 0],
                "offsetMsgId", offsetIds.length == messages.size() ? offsetIds[i] : null,
                "status", result.getSendStatus());
        }
    }

    private static void ack(Command c, int i, SendResult result) {
        c.say("ack", i, "partition", result.getMessageQueue().getQueueId(), "offset", result.getQueueOffset(),
            "msgId", result.getMsgId(), "offsetMsgId", result.getOffsetMsgId(), "status", result.getSendStatus());
    }

    /**
     * The queue that the record names, null when it names none. The broker's name is taken from TBW102, which has a route
     * even when the topic is still to be created by this send.
     */
    private static MessageQueue queue(Command c, DefaultMQProducer producer, int i) throws Exception {
        Object partition = c.records().get(i).get("partition");
        if (partition == null) return null;
        String broker = c.has("broker") ? c.text("broker") : producer.fetchPublishMessageQueues("TBW102").get(0).getBrokerName();
        return new MessageQueue(c.text("topic"), broker, ((Long) partition).intValue());
    }
}
