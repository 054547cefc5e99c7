import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** kafka-clients as a program: produce, consume and the admin calls that the cases need. Every command names "bootstrap". */
public final class KafkaClient implements Loop.Client {
    private final Produce produce = new Produce();
    private final Map<String, Admin> admins = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        Loop.run(new KafkaClient(), args);
    }

    @Override
    public void perform(Command c) throws Exception {
        switch (c.op()) {
            case "produce": produce.run(c); break;
            case "consume": Consume.run(c); break;
            case "createTopic": createTopic(c); break;
            case "deleteTopic": admin(c).deleteTopics(List.of(c.text("topic"))).all().get(); break;
            case "describeTopic": describeTopic(c); break;
            case "listTopics": c.say("topics", List.copyOf(admin(c).listTopics().names().get())); break;
            case "offsets": offsets(c); break;
            case "committed": committed(c); break;
            case "admin": new Administer(admin(c), c).run(); break;
            default: throw new IllegalArgumentException("unknown op " + c.op());
        }
    }

    @Override
    public void close() {
        produce.close();
        admins.values().forEach(Admin::close);
    }

    private Admin admin(Command c) {
        return admins.computeIfAbsent(c.text("bootstrap"), bootstrap -> {
            Properties p = new Properties();
            p.put("bootstrap.servers", bootstrap);
            p.put("request.timeout.ms", "5000");
            p.put("default.api.timeout.ms", "10000");
            return Admin.create(p);
        });
    }

    private void createTopic(Command c) throws Exception {
        NewTopic topic = new NewTopic(c.text("topic"), (int) c.number("partitions", 1), (short) 1);
        Map<String, String> configs = new HashMap<>();
        c.map("configs").forEach((name, value) -> configs.put(name, value.toString()));
        admin(c).createTopics(List.of(topic.configs(configs))).all().get();
    }

    private void describeTopic(Command c) throws Exception {
        TopicDescription topic = admin(c).describeTopics(List.of(c.text("topic"))).allTopicNames().get().get(c.text("topic"));
        c.say("partitions", topic.partitions().size(), "topicId", topic.topicId().toString());
    }

    /** For each partition: min and max, and the first offset at or after "timestamp" when one is given. */
    private void offsets(Command c) throws Exception {
        List<TopicPartition> partitions = partitions(c);
        Map<TopicPartition, Map<String, Object>> lines = new LinkedHashMap<>();
        for (TopicPartition partition : partitions) lines.put(partition, new LinkedHashMap<>(Map.of("partition", partition.partition())));
        fill(c, lines, "min", OffsetSpec.earliest());
        fill(c, lines, "max", OffsetSpec.latest());
        if (c.has("timestamp")) fill(c, lines, "found", OffsetSpec.forTimestamp(c.number("timestamp", 0)));
        lines.values().forEach(line -> c.say("queue", line));
    }

    private void fill(Command c, Map<TopicPartition, Map<String, Object>> lines, String name, OffsetSpec spec) throws Exception {
        Map<TopicPartition, OffsetSpec> ask = lines.keySet().stream().collect(Collectors.toMap(p -> p, p -> spec));
        admin(c).listOffsets(ask).all().get().forEach((partition, found) -> {
            lines.get(partition).put(name, found.offset());
            if (name.equals("found")) lines.get(partition).put("foundTimestamp", found.timestamp());
        });
    }

    private void committed(Command c) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> all =
            admin(c).listConsumerGroupOffsets(c.text("group")).partitionsToOffsetAndMetadata().get();
        for (TopicPartition partition : partitions(c)) {
            OffsetAndMetadata offset = all.get(partition);
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("partition", partition.partition());
            line.put("offset", offset == null ? -1 : offset.offset());
            c.say("queue", line);
        }
    }

    private List<TopicPartition> partitions(Command c) throws Exception {
        String name = c.text("topic");
        return admin(c).describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().stream()
            .map(p -> new TopicPartition(name, p.partition())).collect(Collectors.toList());
    }
}
