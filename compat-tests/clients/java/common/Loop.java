import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The front of every Java client program.
 * `serve` reads commands as JSON lines and runs each on a thread of its own until the input ends: a JVM takes seconds to
 * start, so one serves many cells. `OP --name value ...` runs one command; `produce` then reads records from the input.
 * Each command answers with lines that carry its id; the last has "done": true, or "error" and "kind".
 */
final class Loop {
    /** What a program can do. */
    interface Client {
        void perform(Command command) throws Exception;

        void close();
    }

    private final Client client;
    private final Map<Object, Command> running = new ConcurrentHashMap<>();
    private final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    private boolean failed;

    private Loop(Client client) {
        this.client = client;
    }

    static void run(Client client, String[] args) throws Exception {
        Loop loop = new Loop(client);
        if (args.length == 0 || args[0].equals("serve")) loop.serve();
        else loop.perform(loop.fromArguments(args));
        client.close();
        System.exit(loop.failed ? 1 : 0); // client libraries leave threads behind
    }

    @SuppressWarnings("unchecked")
    private void serve() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Command command = new Command((Map<String, Object>) Json.read(line));
            if (command.op().equals("stop")) {
                Command target = running.get(command.number("target", -1));
                if (target != null) target.stop();
                command.say("done", true);
                continue;
            }
            running.put(command.id(), command);
            threads.execute(() -> perform(command));
        }
        for (Command command : running.values()) command.stop();
        threads.shutdown();
        threads.awaitTermination(10, TimeUnit.SECONDS);
    }

    private void perform(Command command) {
        try {
            client.perform(command);
            command.say("done", true);
        } catch (Throwable error) {
            failed = true;
            command.say("error", String.valueOf(error.getMessage()), "kind", error.getClass().getSimpleName(),
                "cause", error.getCause() == null ? null : error.getCause().toString());
        } finally {
            if (command.id() != null) running.remove(command.id());
        }
    }

    private Command fromArguments(String[] args) throws Exception {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("id", 0L);
        fields.put("op", args[0]);
        for (int i = 1; i + 1 < args.length; i += 2) fields.put(args[i].replaceFirst("^--", ""), args[i + 1]);
        if (args[0].equals("produce")) {
            List<Object> records = new ArrayList<>();
            for (String line = in.readLine(); line != null; line = in.readLine()) records.add(Json.read(line));
            fields.put("records", records);
        }
        return new Command(fields);
    }
}
