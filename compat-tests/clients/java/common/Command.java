import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** One request line, and the only way to answer it: `say` as often as wanted; the loop writes the end line. */
final class Command {
    private static final Object OUT = new Object();
    private final Map<String, Object> fields;
    private final CountDownLatch stop = new CountDownLatch(1);

    Command(Map<String, Object> fields) {
        this.fields = fields;
    }

    String op() {
        return text("op");
    }

    Object id() {
        return fields.get("id");
    }

    boolean has(String name) {
        return fields.get(name) != null;
    }

    String text(String name) {
        Object value = fields.get(name);
        if (value == null) throw new IllegalArgumentException("the command " + fields.get("op") + " needs \"" + name + "\"");
        return value.toString();
    }

    String text(String name, String otherwise) {
        return has(name) ? text(name) : otherwise;
    }

    long number(String name, long otherwise) {
        return has(name) ? Long.parseLong(text(name)) : otherwise;
    }

    boolean flag(String name, boolean otherwise) {
        return has(name) ? Boolean.parseBoolean(text(name)) : otherwise;
    }

    /** A list of names; one comma separated text does as well. */
    List<String> names(String name) {
        List<String> names = new ArrayList<>();
        Object value = fields.get(name);
        if (value instanceof List) for (Object item : (List<?>) value) names.add(item.toString());
        else if (value != null) names.addAll(List.of(value.toString().split(",")));
        return names;
    }

    @SuppressWarnings("unchecked")
    List<Map<String, Object>> records() {
        Object value = fields.get("records");
        return value == null ? List.of() : (List<Map<String, Object>>) value;
    }

    @SuppressWarnings("unchecked")
    Map<String, Object> map(String name) {
        Object value = fields.get(name);
        return value == null ? Map.of() : (Map<String, Object>) value;
    }

    /** Asks a running command to end; see `stopped`. */
    void stop() {
        stop.countDown();
    }

    boolean stopped() {
        return stop.getCount() == 0;
    }

    /** Waits until somebody stops this command, or the time is over. */
    void awaitStop(long ms) throws InterruptedException {
        stop.await(Math.max(ms, 0), TimeUnit.MILLISECONDS);
    }

    /** Writes one answer line: pairs of name and value, with the command's id. */
    void say(Object... pairs) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("id", id());
        for (int i = 0; i < pairs.length; i += 2) line.put(pairs[i].toString(), pairs[i + 1]);
        byte[] bytes = (Json.write(line) + "\n").getBytes(StandardCharsets.US_ASCII);
        synchronized (OUT) {
            System.out.write(bytes, 0, bytes.length);
            System.out.flush();
        }
    }

    static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    static byte[] bytes(Object base64) {
        return base64 == null ? null : Base64.getDecoder().decode(base64.toString());
    }
}
