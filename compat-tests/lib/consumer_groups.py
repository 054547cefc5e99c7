"""kafka-consumer-groups.sh of Kafka 4.1, as its class, and what its tables say."""
import subprocess

from lib import deps

MAIN = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


def run(bootstrap, *words):
    """What the tool prints on both streams, line by line; it says failures in words, hardly ever by its exit code."""
    argv = [*deps.JAVA, "-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", deps.classpath("kafka-4.1.0"), MAIN,
            "--bootstrap-server", bootstrap, *map(str, words)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=40)
    return [line.rstrip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("SLF4J")]


def table(lines):
    """The rows of the table among the lines as dicts by its headings; words after the last heading are left out."""
    for at, line in enumerate(lines):
        if line.split()[:1] == ["GROUP"]:
            names = [name for name in line.replace("COORDINATOR (ID)", "COORDINATOR ID").split()]
            return [dict(zip(names, row.split())) for row in lines[at + 1:]]
    return []


def offsets(bootstrap, group):
    """{(topic, partition): (committed, end, lag)} as --describe shows it; "-" where nothing is committed."""
    rows = table(run(bootstrap, "--describe", "--group", group))
    return {(row["TOPIC"], int(row["PARTITION"])): (row["CURRENT-OFFSET"], row["LOG-END-OFFSET"], row["LAG"]) for row in rows}
