import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Scanner;

/**
 * Runs the main functions of unmodified command line tools, one after another in one JVM: a start takes seconds, a command a
 * tenth of one. Reads {"id", "main", "args", "stdin", "timeout"} as JSON lines; answers {"id", "out", "exit"} where "out" is all
 * that the tool wrote to either stream and "exit" what it gave to System.exit (0 when it returned).
 * Started with -Djava.security.manager=allow: leaving the JVM is what a tool must not do.
 */
final class Tools {
    /** What System.exit becomes. */
    private static final class Exit extends SecurityException {
        private final int code;

        Exit(int code) {
            super("exit " + code);
            this.code = code;
        }
    }

    /** Where both streams go; libraries keep the first stream they see, so only what is behind it changes. */
    private static final class Capture extends OutputStream {
        private ByteArrayOutputStream into = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int b) {
            into.write(b);
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int count) {
            into.write(bytes, from, count);
        }

        synchronized String take() {
            String text = into.toString(StandardCharsets.UTF_8);
            into = new ByteArrayOutputStream();
            return text;
        }
    }

    private static volatile Integer exit;

    private Tools() {
    }

    @SuppressWarnings({"unchecked", "removal"})
    public static void main(String[] ignored) throws Exception {
        InputStream commands = System.in;
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.US_ASCII);
        Capture capture = new Capture();
        PrintStream both = new PrintStream(capture, true, StandardCharsets.UTF_8);
        System.setOut(both);
        System.setErr(both);
        System.setSecurityManager(new SecurityManager() {
            @Override
            public void checkExit(int code) {
                if (exit == null) exit = code;
                throw new Exit(code);
            }

            @Override
            public void checkPermission(Permission permission) {
            }

            @Override
            public void checkPermission(Permission permission, Object context) {
            }
        });
        Scanner lines = new Scanner(commands, StandardCharsets.UTF_8);
        while (lines.hasNextLine()) {
            Map<String, Object> command = (Map<String, Object>) Json.read(lines.nextLine());
            boolean ended = perform(command);
            both.flush();
            Object code = ended ? (Object) (exit == null ? 0 : exit) : "timeout";
            answers.println(Json.write(Map.of("id", command.get("id"), "out", capture.take(), "exit", code)));
        }
        Runtime.getRuntime().halt(0);
    }

    /** Whether the tool came to its end in time. */
    @SuppressWarnings("unchecked")
    private static boolean perform(Map<String, Object> command) throws InterruptedException {
        exit = null;
        String[] args = ((List<Object>) command.get("args")).stream().map(Object::toString).toArray(String[]::new);
        String stdin = command.get("stdin") == null ? "" : command.get("stdin").toString();
        System.setIn(new ByteArrayInputStream(stdin.getBytes(StandardCharsets.UTF_8)));
        Thread tool = new Thread(() -> call(command.get("main").toString(), args));
        tool.setDaemon(true);
        tool.start();
        long deadline = System.nanoTime() + (Long) command.get("timeout") * 1_000_000;
        for (tool.join(20); tool.isAlive() && System.nanoTime() < deadline; tool.join(20)) hurry(tool);
        boolean ended = !tool.isAlive();
        tool.interrupt();
        return ended;
    }

    /** RocketMQ's client polls a queue for 3 s before it sees that it shall end: whoever waits for that waits no longer. */
    private static void hurry(Thread tool) {
        boolean ending = Arrays.stream(tool.getStackTrace()).anyMatch(frame -> frame.getClassName().endsWith(".NettyRemotingClient")
            && frame.getMethodName().equals("shutdown"));
        if (!ending) return;
        Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().startsWith("NettyEventExecutor")).forEach(Thread::interrupt);
    }

    private static void call(String name, String[] args) {
        try {
            Class<?> tool = Class.forName(name);
            forget(tool);
            tool.getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Exit)) {
                thrown.getCause().printStackTrace();
                exit = 1;
            }
        } catch (ReflectiveOperationException missing) {
            missing.printStackTrace();
            exit = 1;
        }
    }

    /** mqadmin adds its commands to a static list at each start. */
    private static void forget(Class<?> tool) throws ReflectiveOperationException {
        for (Field field : tool.getDeclaredFields()) {
            if (field.getName().equals("SUB_COMMANDS") || field.getName().equals("subCommandList")) {
                field.setAccessible(true);
                ((Collection<?>) field.get(null)).clear();
            }
        }
    }
}
