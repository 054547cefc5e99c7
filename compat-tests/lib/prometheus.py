"""Prometheus as a child process: it scrapes one Gantry and answers PromQL."""
import json
import pathlib
import subprocess
import urllib.parse
import urllib.request

from lib import deps, java_peer, process

BIN = deps.DEPS / "prometheus" / "usr" / "bin"


class Prometheus:
    """Scrapes `target` (host:port) every second, with the rules of `rules`."""

    def __init__(self, home, target, rules):
        self.home, self.child = pathlib.Path(home), None
        self.address = f"127.0.0.1:{java_peer.free_ports(1)[0]}"
        self.home.mkdir(parents=True, exist_ok=True)
        self.conf = self.home / "prometheus.yml"
        self.conf.write_text(f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - job_name: gantry
    static_configs: [{{targets: ['{target}']}}]
""")

    def __enter__(self):
        argv = [BIN / "prometheus", f"--config.file={self.conf}", f"--storage.tsdb.path={self.home / 'data'}", f"--web.listen-address={self.address}"]
        with open(self.home / "prometheus.log", "ab") as log:
            self.child = process.spawn(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        process.wait_for("prometheus", self._ready, 60, self.child)
        return self

    def __exit__(self, *_):
        process.end(self.child, 60)

    def _ready(self):
        try:
            return urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5).status == 200
        except OSError:
            return False

    def query(self, expression):
        """The series that an expression gives now; an expression that Prometheus does not understand raises."""
        text = urllib.parse.urlencode({"query": expression})
        return self.ask(f"query?{text}")["result"]

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=20) as answer:
            return json.load(answer)["data"]


def check_rules(path):
    """promtool's verdict on a file of rules: exit code and words."""
    done = subprocess.run([BIN / "promtool", "check", "rules", path], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr
