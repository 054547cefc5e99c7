import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * The RocketMQ Java client as a program; the same source is compiled against 4.9.8 and 5.3.3.
 * Every command names its name server ("namesrv"). Clients are made for a command and shut down with it, so that each
 * cell starts like a fresh application; only the producer is kept between commands.
 */
public final class RocketClient implements Loop.Client {
    private final Producers producers = new Producers();

    public static void main(String[] args) throws Exception {
        Loop.run(new RocketClient(), args);
    }

    @Override
    public void perform(Command c) throws Exception {
        switch (c.op()) {
            case "produce": producers.produce(c); break;
            case "consume": Consume.run(c); break;
            case "view": c.say("record", Records.out(producers.of(c).viewMessage(c.text("topic"), c.text("msgId")))); break;
            case "query": query(c, producers.of(c)); break;
            case "offsets": withPull(c, consumer -> offsets(c, consumer)); break;
            case "committed": withPull(c, consumer -> committed(c, consumer)); break;
            default: throw new IllegalArgumentException("unknown op " + c.op());
        }
    }

    @Override
    public void close() {
        producers.close();
    }

    private static void query(Command c, DefaultMQProducer producer) throws Exception {
        long end = c.number("end", System.currentTimeMillis() + 60_000);
        List<MessageExt> found = producer.queryMessage(c.text("topic"), c.text("key"), (int) c.number("max", 32),
            c.number("begin", 0), end).getMessageList();
        for (MessageExt message : found) c.say("record", Records.out(message));
    }

    /** For each queue: min and max, and where the time "timestamp" is found when one is given. */
    private static void offsets(Command c, DefaultMQPullConsumer consumer) throws Exception {
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(c.text("topic"))) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("partition", queue.getQueueId());
            line.put("min", consumer.minOffset(queue));
            line.put("max", consumer.maxOffset(queue));
            if (c.has("timestamp")) line.put("found", consumer.searchOffset(queue, c.number("timestamp", 0)));
            c.say("queue", line);
        }
    }

    private static void committed(Command c, DefaultMQPullConsumer consumer) throws Exception {
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(c.text("topic"))) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("partition", queue.getQueueId());
            line.put("offset", consumer.fetchConsumeOffset(queue, true));
            c.say("queue", line);
        }
    }

    private interface WithPull {
        void run(DefaultMQPullConsumer consumer) throws Exception;
    }

    private static void withPull(Command c, WithPull work) throws Exception {
        DefaultMQPullConsumer consumer = Consume.pullConsumer(c);
        try {
            work.run(consumer);
        } finally {
            consumer.shutdown();
        }
    }
}
