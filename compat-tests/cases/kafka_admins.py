"""What each library with an admin API does with a topic: create, describe, list the groups, delete."""
import functools

from lib import checks
from lib.lab import case

for _program in ("confluent", "kafka_python", "aiokafka", "sarama", "kafkajs"):
    def smoke(lab, program):
        topic = lab.fresh("smoke")
        lines = getattr(lab, program).run("admin", topic=topic, partitions=3).lines
        checks.equal("described", (lines[0]["topic"], lines[0]["partitions"]), (topic, 3))
        checks.true("the groups are no list", isinstance(lines[1]["groups"], list))
        listed = lambda: topic in lab.kafka.run("listTopics").lines[0]["topics"]  # noqa: E731
        checks.eventually("the topic is deleted", lambda: not listed())
    case(f"admin: {_program}: create, describe, list groups, delete", needs=("kafka",))(functools.partial(smoke, program=_program))
