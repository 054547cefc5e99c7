import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends records with the idempotent producer (its default), so that all records of a command may share batches. */
final class Produce {
    private final Map<String, KafkaProducer<byte[], byte[]>> started = new ConcurrentHashMap<>();

    void run(Command c) throws Exception {
        KafkaProducer<byte[], byte[]> producer = of(c);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (Map<String, Object> record : c.records()) {
            Future<RecordMetadata> future = producer.send(record(c.text("topic"), record));
            if (c.flag("oneByOne", false)) future.get();
            sent.add(future);
        }
        producer.flush();
        for (int i = 0; i < sent.size(); i++) {
            RecordMetadata ack = sent.get(i).get();
            c.say("ack", i, "partition", ack.partition(), "offset", ack.offset(), "timestamp", ack.timestamp());
        }
    }

    void close() {
        started.values().forEach(KafkaProducer::close);
    }

    private KafkaProducer<byte[], byte[]> of(Command c) {
        String acks = c.text("acks", "all");
        String codec = c.text("codec", "none");
        boolean idempotent = c.flag("idempotent", acks.equals("all"));
        String key = c.text("bootstrap") + acks + codec + idempotent;
        return started.computeIfAbsent(key, k -> {
            Properties p = new Properties();
            p.put("bootstrap.servers", c.text("bootstrap"));
            p.put("acks", acks);
            p.put("compression.type", codec);
            p.put("enable.idempotence", String.valueOf(idempotent));
            p.put("linger.ms", "20");
            p.put("delivery.timeout.ms", c.text("deliveryTimeout", "30000"));
            p.put("request.timeout.ms", "5000");
            p.put("max.block.ms", "10000");
            return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
        });
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, Map<String, Object> record) {
        Long partition = (Long) record.get("partition");
        ProducerRecord<byte[], byte[]> made = new ProducerRecord<>(topic, partition == null ? null : partition.intValue(),
            (Long) record.get("timestamp"), Command.bytes(record.get("key")), Command.bytes(record.get("value")));
        Object headers = record.get("headers");
        for (Object header : headers == null ? List.of() : (List<?>) headers) {
            List<?> pair = (List<?>) header;
            made.headers().add(pair.get(0).toString(), Command.bytes(pair.get(1)));
        }
        return made;
    }
}
