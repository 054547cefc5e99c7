"""Where `resolve` put the foreign clients and the Java brokers."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "clients"
DEPS = pathlib.Path(os.environ.get("COMPAT_DEPS") or ROOT / ".deps")
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"]


def missing():
    """What is not there yet, as a list of words; empty when every client can start."""
    wanted = ["rocketmq-5.3.3/.complete", "rocketmq-client-4.9.8/.complete", "kafka-4.1.0/.complete",
              "kafka-clients-3.9.2/.complete", "classes/rmq533/.complete", "classes/rmq498/.complete", "classes/kafka/.complete",
              "classes/kafka39/.complete", "classes/tools/.complete", "bin/franz", "bin/sarama", "bin/rocketmq", "python/.complete",
              "node/.complete", "prometheus/usr/bin/prometheus"]
    return [name for name in wanted if not (DEPS / name).exists()]


def classpath(jars, classes=None):
    """A Java class path: the jars of one resolved pom, after our own classes."""
    return ":".join(([str(DEPS / "classes" / classes)] if classes else []) + [f"{DEPS / jars}/*"])
