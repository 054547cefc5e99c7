import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/** The first messages of README: `send TOPIC TEXT` and `receive TOPIC COUNT`, with the RocketMQ client as it is published. */
public final class Hello {
    private static final String NAME_SERVER = System.getenv().getOrDefault("NAMESRV_ADDR", "127.0.0.1:9876");

    private Hello() {
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 3 && args[0].equals("send")) send(args[1], args[2]);
        else if (args.length == 3 && args[0].equals("receive")) receive(args[1], Integer.parseInt(args[2]));
        else throw new IllegalArgumentException("usage: rocketmq send TOPIC TEXT | rocketmq receive TOPIC COUNT");
        System.exit(0); // the client library leaves threads behind
    }

    private static void send(String topic, String text) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("hello_producer");
        producer.setNamesrvAddr(NAME_SERVER);
        producer.start();
        System.out.println(producer.send(new Message(topic, text.getBytes(StandardCharsets.UTF_8))).getSendStatus());
        producer.shutdown();
    }

    /** Prints the first messages that nobody of the group has consumed, and ends after `count`, or with an error after a minute. */
    private static void receive(String topic, int count) throws Exception {
        CountDownLatch left = new CountDownLatch(count);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("hello_consumer");
        consumer.setNamesrvAddr(NAME_SERVER);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> {
                System.out.println(new String(message.getBody(), StandardCharsets.UTF_8));
                left.countDown();
            });
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        boolean all = left.await(1, TimeUnit.MINUTES);
        consumer.shutdown();
        if (!all) throw new IllegalStateException(left.getCount() + " of " + count + " messages did not come within a minute");
    }
}
