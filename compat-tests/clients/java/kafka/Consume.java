import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Receives records, as a member of "group" (classic protocol) or, with "mode": "assign", from every partition. "configs" are
 * those of the consumer, over what is set here.
 * Ends when "count" records came, when "timeout" ms are over, or when it is stopped; a member then has committed exactly
 * the records that were said.
 */
final class Consume {
    private final Command c;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
    private long left;

    private Consume(Command c) {
        this.c = c;
        this.left = c.number("count", Long.MAX_VALUE);
        Properties p = new Properties();
        p.put("bootstrap.servers", c.text("bootstrap"));
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", c.text("from", "first").equals("last") ? "latest" : "earliest");
        p.put("session.timeout.ms", "10000");
        p.put("heartbeat.interval.ms", "500");
        p.put("request.timeout.ms", "10000");
        p.put("default.api.timeout.ms", "10000");
        p.put("isolation.level", c.text("isolation", "read_uncommitted"));
        p.put("max.poll.records", c.text("most", "500"));
        if (c.has("group")) p.put("group.id", c.text("group"));
        p.putAll(c.map("configs"));
        this.consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static void run(Command c) {
        Consume consume = new Consume(c);
        try {
            if (c.text("mode", "group").equals("assign")) consume.assignAll();
            else consume.subscribe();
            consume.poll();
        } finally {
            consume.consumer.close(Duration.ofSeconds(5));
        }
    }

    private void assignAll() {
        List<TopicPartition> all = new ArrayList<>();
        for (String topic : c.names("topics")) {
            for (PartitionInfo partition : consumer.partitionsFor(topic)) all.add(new TopicPartition(topic, partition.partition()));
        }
        consumer.assign(all);
        consumer.seekToBeginning(all);
        if (c.has("offset")) all.forEach(partition -> consumer.seek(partition, c.number("offset", 0)));
    }

    private void subscribe() {
        consumer.subscribe(c.names("topics"), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
                c.say("event", "assigned", "partitions", names(assigned));
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
                c.say("event", "revoked", "partitions", names(revoked));
                commit();
            }
        });
    }

    private static List<String> names(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::toString).sorted().collect(Collectors.toList());
    }

    private void poll() {
        long deadline = System.currentTimeMillis() + c.number("timeout", 10_000);
        while (left > 0 && System.currentTimeMillis() < deadline && !c.stopped()) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                if (left <= 0) break;
                c.say("record", out(record));
                next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                left--;
            }
            if (c.flag("commit", true)) commit();
        }
    }

    private void commit() {
        if (!c.has("group") || next.isEmpty()) return;
        consumer.commitSync(next);
        next.clear();
    }

    private static Map<String, Object> out(ConsumerRecord<byte[], byte[]> record) {
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("topic", record.topic());
        out.put("partition", record.partition());
        out.put("offset", record.offset());
        out.put("key", Command.base64(record.key()));
        out.put("value", Command.base64(record.value()));
        List<Object> headers = new ArrayList<>();
        for (Header header : record.headers()) headers.add(Arrays.asList(header.key(), Command.base64(header.value())));
        out.put("headers", headers);
        out.put("timestamp", record.timestamp());
        out.put("timestampType", record.timestampType().toString());
        out.put("leaderEpoch", record.leaderEpoch().orElse(-1));
        out.put("receivedAt", System.currentTimeMillis());
        return out;
    }
}
