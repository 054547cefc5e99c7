import java.util.List;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;

/** What an administrator can ask with kafka-clients 4.1 only. */
final class Newer {
    private Newer() {
    }

    static void run(Admin admin, Command c) throws Exception {
        if (!c.text("call").equals("listConfigResources")) throw new IllegalArgumentException("unknown call " + c.text("call"));
        List<String> found = admin.listConfigResources().all().get().stream()
            .map(resource -> resource.type() + " " + resource.name()).sorted().collect(Collectors.toList());
        c.say("resources", found);
    }

    static DescribeClusterOptions describeCluster() {
        return new DescribeClusterOptions().includeFencedBrokers(true);
    }
}
