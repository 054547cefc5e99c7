import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What an administrator does with topics, settings and the cluster: the command names the call in "call". */
final class Administer {
    private final Admin admin;
    private final Command c;

    Administer(Admin admin, Command c) {
        this.admin = admin;
        this.c = c;
    }

    void run() throws Exception {
        switch (c.text("call")) {
            case "createTopic": createTopic(); break;
            case "describeTopics": describeTopics(); break;
            case "createPartitions": createPartitions(); break;
            case "describeConfigs": describeConfigs(); break;
            case "alterConfigs": alterConfigs(); break;
            case "deleteRecords": deleteRecords(); break;
            case "describeCluster": describeCluster(); break;
            case "describeLogDirs": describeLogDirs(); break;
            case "describeProducers": describeProducers(); break;
            case "electLeaders": electLeaders(); break;
            case "reassign": reassign(); break;
            case "listReassignments": c.say("partitions", admin.listPartitionReassignments().reassignments().get().size()); break;
            case "listOffsets": listOffsets(); break;
            default: Newer.run(admin, c);
        }
    }

    private TopicPartition partition() {
        return new TopicPartition(c.text("topic"), (int) c.number("partition", 0));
    }

    /** With "assignments" (a broker for each partition) no counts are sent; -1 is the broker's default. */
    private void createTopic() throws Exception {
        NewTopic topic;
        if (c.has("assignments")) {
            Map<Integer, List<Integer>> replicas = new HashMap<>();
            for (String broker : c.names("assignments")) replicas.put(replicas.size(), List.of(Integer.parseInt(broker)));
            topic = new NewTopic(c.text("topic"), replicas);
        } else {
            int partitions = (int) c.number("partitions", -1);
            short replication = (short) c.number("replication", -1);
            topic = new NewTopic(c.text("topic"), Optional.of(partitions), Optional.of(replication));
        }
        Map<String, String> configs = new HashMap<>();
        c.map("configs").forEach((name, value) -> configs.put(name, value == null ? null : value.toString()));
        CreateTopicsOptions options = new CreateTopicsOptions().validateOnly(c.flag("validateOnly", false));
        CreateTopicsResult result = admin.createTopics(List.of(topic.configs(configs)), options);
        result.all().get();
        String name = c.text("topic");
        c.say("partitions", result.numPartitions(name).get(), "replication", result.replicationFactor(name).get(),
            "configs", configs(result.config(name).get().entries()));
    }

    private void describeTopics() throws Exception {
        DescribeTopicsOptions options = new DescribeTopicsOptions().includeAuthorizedOperations(true);
        options.partitionSizeLimitPerResponse((int) c.number("page", 2000));
        for (TopicDescription topic : new TreeMap<>(admin.describeTopics(c.names("topics"), options).allTopicNames().get()).values()) {
            c.say("topic", topic.name(), "partitions", topic.partitions().stream().map(p -> p.partition()).collect(Collectors.toList()),
                "replicas", topic.partitions().stream().mapToInt(p -> p.replicas().size()).max().orElse(0),
                "rack", topic.partitions().get(0).leader().rack(), "internal", topic.isInternal(),
                "operations", topic.authorizedOperations().stream().map(Enum::name).sorted().collect(Collectors.toList()));
        }
    }

    private void createPartitions() throws Exception {
        int count = (int) c.number("count", 0);
        NewPartitions more = NewPartitions.increaseTo(count);
        if (c.has("assignments")) {
            more = NewPartitions.increaseTo(count,
                c.names("assignments").stream().map(broker -> List.of(Integer.parseInt(broker))).collect(Collectors.toList()));
        }
        CreatePartitionsOptions options = new CreatePartitionsOptions().validateOnly(c.flag("validateOnly", false));
        admin.createPartitions(Map.of(c.text("topic"), more), options).all().get();
    }

    private ConfigResource resource() {
        return new ConfigResource(ConfigResource.Type.valueOf(c.text("type", "TOPIC")), c.text("name"));
    }

    private void describeConfigs() throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        c.say("configs", configs(admin.describeConfigs(List.of(resource()), options).all().get().get(resource()).entries()));
    }

    private static Map<String, Object> configs(Collection<ConfigEntry> entries) {
        Map<String, Object> configs = new TreeMap<>();
        for (ConfigEntry entry : entries) {
            Map<String, Object> said = new LinkedHashMap<>();
            said.put("value", entry.value());
            said.put("source", entry.source().name());
            said.put("type", String.valueOf(entry.type()));
            said.put("readOnly", entry.isReadOnly());
            said.put("sensitive", entry.isSensitive());
            said.put("documented", entry.documentation() != null);
            said.put("synonyms", entry.synonyms().stream().map(s -> List.of(s.name(), String.valueOf(s.value()), s.source().name()))
                .collect(Collectors.toList()));
            configs.put(entry.name(), said);
        }
        return configs;
    }

    /** "changes": a list of texts "SET name value", "DELETE name", "APPEND name value", "SUBTRACT name value". */
    private void alterConfigs() throws Exception {
        Collection<AlterConfigOp> changes = new ArrayList<>();
        for (String change : c.names("changes")) {
            String[] words = change.split(" ", 3);
            ConfigEntry entry = new ConfigEntry(words[1], words.length > 2 ? words[2] : null);
            changes.add(new AlterConfigOp(entry, AlterConfigOp.OpType.valueOf(words[0])));
        }
        AlterConfigsOptions options = new AlterConfigsOptions().validateOnly(c.flag("validateOnly", false));
        admin.incrementalAlterConfigs(Map.of(resource(), changes), options).all().get();
    }

    private void deleteRecords() throws Exception {
        RecordsToDelete before = RecordsToDelete.beforeOffset(c.number("offset", -1));
        c.say("lowWatermark", admin.deleteRecords(Map.of(partition(), before)).lowWatermarks().get(partition()).get().lowWatermark());
    }

    private void describeCluster() throws Exception {
        DescribeClusterResult cluster =
            admin.describeCluster(Newer.describeCluster().includeAuthorizedOperations(true));
        c.say("clusterId", cluster.clusterId().get(), "controller", cluster.controller().get().id(),
            "nodes", cluster.nodes().get().stream().map(node -> node.id() + " " + node.rack()).collect(Collectors.toList()),
            "operations", cluster.authorizedOperations().get().stream().map(Enum::name).sorted().collect(Collectors.toList()));
    }

    private void describeLogDirs() throws Exception {
        int broker = admin.describeCluster().controller().get().id();
        admin.describeLogDirs(Set.of(broker)).allDescriptions().get().get(broker).values().forEach(dir -> {
            Map<String, Object> sizes = new TreeMap<>();
            dir.replicaInfos().forEach((partition, info) -> sizes.put(partition.toString(), info.size()));
            c.say("sizes", sizes, "total", dir.totalBytes().orElse(-1), "usable", dir.usableBytes().orElse(-1));
        });
    }

    private void describeProducers() throws Exception {
        for (ProducerState one : admin.describeProducers(List.of(partition())).partitionResult(partition()).get().activeProducers()) {
            c.say("producer", List.of(one.producerEpoch(), one.lastSequence(), one.lastTimestamp(),
                one.coordinatorEpoch().isPresent(), one.currentTransactionStartOffset().isPresent()), "producerId", one.producerId());
        }
    }

    private void electLeaders() throws Exception {
        ElectionType type = ElectionType.valueOf(c.text("type", "PREFERRED"));
        Set<TopicPartition> partitions = c.has("topic") ? Set.of(partition()) : null;
        Map<String, Object> outcome = new TreeMap<>();
        admin.electLeaders(type, partitions).partitions().get().forEach((partition, error) ->
            outcome.put(partition.toString(), error.map(e -> e.getClass().getSimpleName()).orElse("")));
        c.say("outcome", outcome);
    }

    private void reassign() throws Exception {
        Optional<NewPartitionReassignment> to = c.has("replicas")
            ? Optional.of(new NewPartitionReassignment(c.names("replicas").stream().map(Integer::parseInt).collect(Collectors.toList())))
            : Optional.empty();
        admin.alterPartitionReassignments(Map.of(partition(), to)).all().get();
    }

    private void listOffsets() throws Exception {
        Map<String, OffsetSpec> specs = Map.of("earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(),
            "max", OffsetSpec.maxTimestamp(), "local", OffsetSpec.earliestLocal(), "tiered", OffsetSpec.latestTiered());
        OffsetSpec spec = specs.getOrDefault(c.text("spec"), OffsetSpec.forTimestamp(c.number("timestamp", 0)));
        ListOffsetsResult.ListOffsetsResultInfo found = admin.listOffsets(Map.of(partition(), spec)).partitionResult(partition()).get();
        c.say("offset", found.offset(), "timestamp", found.timestamp(), "epoch", found.leaderEpoch().orElse(-1));
    }
}
