import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Receives records in the three ways the client knows: push (concurrently or orderly), pull, lite.
 * Ends when "count" records came, when "timeout" ms are over, or when it is stopped; exactly the records that were said
 * are committed then.
 */
final class Consume {
    private Consume() {
    }

    static void run(Command c) throws Exception {
        switch (c.text("mode", "push")) {
            case "push": push(c); break;
            case "pull": pull(c); break;
            case "lite": lite(c); break;
            default: throw new IllegalArgumentException("mode is push, pull or lite");
        }
    }

    private static void push(Command c) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(c.text("group"));
        consumer.setNamesrvAddr(c.text("namesrv"));
        consumer.setInstanceName("c" + System.nanoTime());
        consumer.setVipChannelEnabled(false);
        consumer.setPollNameServerInterval(2_000);
        consumer.setHeartbeatBrokerInterval(2_000);
        if (c.flag("broadcast", false)) broadcast(consumer);
        if (c.has("attempts")) consumer.setMaxReconsumeTimes((int) c.number("attempts", 16));
        consumer.setConsumeThreadMin(1);
        consumer.setConsumeThreadMax(4);
        consumer.setConsumeFromWhere(c.text("from", "first").equals("last")
            ? ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET : ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        for (String topic : c.names("topics")) consumer.subscribe(topic, c.text("tags", "*"));
        Taker taker = new Taker(c);
        if (c.flag("orderly", false)) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                messages.forEach(taker::take);
                boolean failed = messages.stream().anyMatch(message -> fails(c, message));
                return failed ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(taker::take);
                boolean failed = messages.stream().anyMatch(message -> fails(c, message));
                return failed ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        c.say("event", "started");
        c.awaitStop(c.number("timeout", 10_000));
        consumer.shutdown();
        taker.closed.countDown();
    }

    /** The enumeration has another package in 4.9 than in 5. */
    private static void broadcast(DefaultMQPushConsumer consumer) throws ReflectiveOperationException {
        for (Method method : DefaultMQPushConsumer.class.getMethods()) {
            if (!method.getName().equals("setMessageModel")) continue;
            for (Object model : method.getParameterTypes()[0].getEnumConstants()) {
                if (model.toString().equals("BROADCASTING")) method.invoke(consumer, model);
            }
        }
    }

    /** Whether the listener is to fail this message: those of "fail" times tried before are let through. */
    private static boolean fails(Command c, MessageExt message) {
        return message.getReconsumeTimes() < c.number("fail", 0);
    }

    /**
     * Hands out at most "count" records. A listener that gets one more waits until the consumer is shut down: returning
     * success would commit what nobody has seen, returning failure would send it to the retry topic.
     */
    private static final class Taker {
        private final Command c;
        private final AtomicLong left;
        private final AtomicLong unsaid;
        private final CountDownLatch closed = new CountDownLatch(1);

        Taker(Command c) {
            this.c = c;
            this.left = new AtomicLong(c.number("count", Long.MAX_VALUE));
            this.unsaid = new AtomicLong(left.get());
        }

        void take(MessageExt message) {
            if (left.getAndDecrement() <= 0) waitForever();
            c.say("record", Records.out(message));
            if (unsaid.decrementAndGet() <= 0) c.stop();
        }

        private void waitForever() {
            while (true) {
                try {
                    closed.await();
                    Thread.currentThread().join(); // shut down: the process queue is dropped, nothing is committed any more
                } catch (InterruptedException shutdown) {
                    // the client interrupts its threads before it persists offsets: keep waiting
                }
            }
        }
    }

    static DefaultMQPullConsumer pullConsumer(Command c) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(c.text("group", "compat_pull"));
        consumer.setNamesrvAddr(c.text("namesrv"));
        consumer.setInstanceName("c" + System.nanoTime());
        consumer.setVipChannelEnabled(false);
        consumer.start();
        return consumer;
    }

    /** Reads each queue from its first offset (or, with "from": "committed", from there) to its end. */
    private static void pull(Command c) throws Exception {
        DefaultMQPullConsumer consumer = pullConsumer(c);
        long deadline = System.currentTimeMillis() + c.number("timeout", 10_000);
        long left = c.number("count", Long.MAX_VALUE);
        try {
            for (String topic : c.names("topics")) {
                for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
                    left = drain(c, consumer, queue, left, deadline);
                }
            }
        } finally {
            consumer.shutdown();
        }
    }

    private static long drain(Command c, DefaultMQPullConsumer consumer, MessageQueue queue, long left, long deadline) throws Exception {
        long next = first(c, consumer, queue);
        long end = consumer.maxOffset(queue);
        int most = (int) c.number("most", 32);
        while (next < end && left > 0 && System.currentTimeMillis() < deadline) {
            PullResult result = consumer.pull(queue, c.text("tags", "*"), next, (int) Math.min(most, left));
            if (result.getPullStatus() == PullStatus.FOUND) {
                for (MessageExt message : result.getMsgFoundList()) {
                    c.say("record", Records.out(message));
                    left--;
                }
            }
            next = result.getNextBeginOffset();
        }
        if (c.flag("commit", false)) consumer.updateConsumeOffset(queue, next);
        return left;
    }

    private static long first(Command c, DefaultMQPullConsumer consumer, MessageQueue queue) throws Exception {
        if (c.has("offset")) return c.number("offset", 0);
        long committed = c.text("from", "first").equals("committed") ? consumer.fetchConsumeOffset(queue, true) : -1;
        return committed >= 0 ? committed : consumer.minOffset(queue);
    }

    private static void assignAll(Command c, DefaultLitePullConsumer consumer) throws Exception {
        List<MessageQueue> all = new ArrayList<>();
        for (String topic : c.names("topics")) {
            Collection<MessageQueue> queues = consumer.fetchMessageQueues(topic);
            all.addAll(queues);
        }
        consumer.assign(all);
        for (MessageQueue queue : all) consumer.seekToBegin(queue);
    }

    /** With "subscribe" as a member of its group, else all queues from their beginning. */
    private static void lite(Command c) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(c.text("group", "compat_lite"));
        consumer.setNamesrvAddr(c.text("namesrv"));
        consumer.setInstanceName("c" + System.nanoTime());
        consumer.setVipChannelEnabled(false);
        consumer.setAutoCommit(c.flag("commit", false));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setHeartbeatBrokerInterval(2_000);
        if (c.flag("subscribe", false)) for (String topic : c.names("topics")) consumer.subscribe(topic, c.text("tags", "*"));
        consumer.setPullThreadNums(64); // a queue at its end keeps a thread until a message comes
        consumer.start();
        if (c.flag("subscribe", false)) c.say("event", "started");
        long deadline = System.currentTimeMillis() + c.number("timeout", 10_000);
        long left = c.number("count", Long.MAX_VALUE);
        try {
            if (!c.flag("subscribe", false)) assignAll(c, consumer);
            while (left > 0 && System.currentTimeMillis() < deadline && !c.stopped()) {
                for (MessageExt message : consumer.poll(200)) {
                    c.say("record", Records.out(message));
                    left--;
                }
            }
            if (c.flag("commit", false)) consumer.commitSync();
        } finally {
            consumer.shutdown();
        }
    }
}
