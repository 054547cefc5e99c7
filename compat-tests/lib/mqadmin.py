"""mqadmin 5.3.3 as it comes: RocketMQ's own admin tool, one JVM a command, several at a time."""
import concurrent.futures
import os
import re
import subprocess

from lib import deps

NOISE = re.compile(r"^(\d\d:\d\d:\d\d,\d+ \||WARNING|OpenJDK|RocketMQLog|sun\.|\s+at |\s+\.\.\. \d+ more)")


class Mqadmin:
    """Commands against one name server."""

    def __init__(self, namesrv, home):
        self.namesrv, self.home = namesrv, home
        home.mkdir(parents=True, exist_ok=True)

    def run(self, *args, seconds=60):
        """What the command printed, without the noise of its logging. mqadmin exits with 0 whatever happened."""
        argv = [*deps.JAVA, "-Xmx256m", f"-Duser.home={self.home}", "-cp", deps.classpath("rocketmq-5.3.3"),
                "org.apache.rocketmq.tools.command.MQAdminStartup", *map(str, args), "-n", self.namesrv]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=seconds, cwd=self.home,
                              env=dict(os.environ, ROCKETMQ_HOME=str(self.home)))
        lines = done.stdout.decode(errors="replace").splitlines()
        return "\n".join(line.rstrip() for line in lines if not NOISE.match(line)).strip()

    def each(self, commands):
        """Runs commands that do not depend on each other, a JVM each; their outputs in the same order."""
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            return list(pool.map(lambda command: self.run(*command), commands))
