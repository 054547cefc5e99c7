import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;

/** kafka-clients 3.9 has none of the newer calls. */
final class Newer {
    private Newer() {
    }

    static void run(Admin admin, Command c) {
        throw new IllegalArgumentException("kafka-clients 3.9 does not know the call " + c.text("call"));
    }

    static DescribeClusterOptions describeCluster() {
        return new DescribeClusterOptions();
    }
}
