import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;

/** Between the pivot record of the JSON lines and RocketMQ's message. */
final class Records {
    private Records() {
    }

    /** "allProperties" stands for an application that copies every property of a message it received. */
    static Message in(String topic, Map<String, Object> record) {
        byte[] body = Command.bytes(record.get("value"));
        Message message = new Message(topic, body == null ? new byte[0] : body);
        if (record.get("tags") != null) message.setTags(record.get("tags").toString());
        if (record.get("keys") != null) message.setKeys(record.get("keys").toString());
        if (record.get("flag") != null) message.setFlag(((Long) record.get("flag")).intValue());
        if (record.get("buyerId") != null) message.setBuyerId(record.get("buyerId").toString());
        if (Boolean.FALSE.equals(record.get("waitStore"))) message.setWaitStoreMsgOK(false);
        if (record.get("shardingKey") != null) {
            MessageAccessor.putProperty(message, "__SHARDINGKEY", record.get("shardingKey").toString());
        }
        for (Map.Entry<?, ?> p : map(record.get("properties")).entrySet()) {
            message.putUserProperty(p.getKey().toString(), p.getValue().toString());
        }
        for (Map.Entry<?, ?> p : map(record.get("allProperties")).entrySet()) {
            MessageAccessor.putProperty(message, p.getKey().toString(), p.getValue().toString());
        }
        return message;
    }

    /** The consumer's own measurements among the properties are left as they are: the cases know them by name. */
    static Map<String, Object> out(MessageExt message) {
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("topic", message.getTopic());
        record.put("partition", message.getQueueId());
        record.put("queueId", message.getQueueId());
        record.put("offset", message.getQueueOffset());
        record.put("value", Command.base64(message.getBody()));
        record.put("tags", message.getTags());
        record.put("keys", message.getKeys());
        record.put("properties", new LinkedHashMap<Object, Object>(message.getProperties()));
        record.put("flag", message.getFlag());
        record.put("sysFlag", message.getSysFlag());
        record.put("msgId", message.getMsgId());
        record.put("offsetMsgId", message instanceof MessageClientExt ? ((MessageClientExt) message).getOffsetMsgId() : null);
        record.put("bornTimestamp", message.getBornTimestamp());
        record.put("storeTimestamp", message.getStoreTimestamp());
        record.put("commitLogOffset", message.getCommitLogOffset());
        record.put("reconsumeTimes", message.getReconsumeTimes());
        record.put("receivedAt", System.currentTimeMillis());
        return record;
    }

    private static Map<?, ?> map(Object value) {
        return value == null ? Map.of() : (Map<?, ?>) value;
    }
}
