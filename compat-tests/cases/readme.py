"""README as its reader would follow it: the first command, the first messages, and the names of the files they leave.

A block that is run stands behind `<!-- run: NAME -->`; what it must print follows behind the word `prints`. The data goes
to a directory of the runner's by the variable that README names. Everything else is literal, unless another program holds
a default port: then the same words run with free ports, and the cell says so."""
import os
import pathlib
import re
import subprocess
import urllib.error
import urllib.request

from lib import checks, java_peer, process
from lib.lab import case

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = r"<!-- run: %s -->\n```sh\n(.*?)```(?:\n\nprints\n\n```text\n(.*?)```)?"
CARGO = "cargo run --release --"
PORTS = {"namesrv": 9876, "remoting": 10911, "kafka": 9092, "http": 8088}


def block(name):
    """The commands of a block, and what they must print (None when README shows nothing)."""
    found = re.search(BLOCK % name, README, re.DOTALL)
    checks.true(f"README has no block {name}", found)
    return found.group(1), found.group(2)


class Shell:
    """Runs README's words in its directory, with other ports where the default ones are taken."""

    def __init__(self, data):
        taken = [port for port in PORTS.values() if not java_peer.is_free(port)]
        self.ports = dict(zip(PORTS, java_peer.free_ports(len(PORTS), neighbours=2))) if taken else PORTS
        self.other = f", on other ports because {taken[0]} is taken" if taken else ""
        self.env = os.environ | {"GANTRY_STORE_PATH_ROOT_DIR": str(data), "NAMESRV_ADDR": f"127.0.0.1:{self.ports['namesrv']}"}

    def words(self, text):
        """A word with an address in it is the same word with the address that is used."""
        for name, port in PORTS.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        return text

    def start(self, command, binary):
        """Starts the first command. Where no release build is under test, the broker under test takes cargo's place."""
        checks.true(f"the first command begins with `{CARGO}`", command.startswith(CARGO))
        if binary != ROOT / "target" / "release" / "gantry":
            command = command.replace(CARGO, str(binary))
        if self.other:
            command = command.strip() + "".join(f" --{name}-port {port}" for name, port in self.ports.items())
        argv = ["bash", "-c", f"exec {command}"]
        return process.spawn(argv, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, commands, timeout=120):
        """What the commands print."""
        argv = ["bash", "-euo", "pipefail", "-c", self.words(commands)]
        done = subprocess.run(argv, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        checks.true(f"{commands.strip()!r} ended with {done.returncode}: {done.stderr[-500:]}", done.returncode == 0)
        return done.stdout

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}/readyz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


@case("README: the first command starts it, the first messages cross", needs=("gantry",), limit=900)
def first_messages(lab):
    data = lab.home / "readme" / "data"
    data.mkdir(parents=True)
    shell = Shell(data)
    child = shell.start(block("start")[0], lab.binary)
    try:
        process.wait_for("README's first command", shell.ready, 800, child)
        shell.run(block("clients")[0], timeout=600)
        for name in ("native-to-kafka", "kafka-to-native"):
            commands, wanted = block(name)
            checks.equal(f"what {name} prints", shell.run(commands), wanted)
            lab.cell(f"{name}{shell.other}")
    finally:
        code = process.end(child)
    checks.equal("exit code of the stopped broker", code, 0)
    side = sorted(path.name for path in (data / "gantry").iterdir())
    unnamed = [name for name in side if f"`{name}`" not in README]
    lab.cell("side files are named", [f"gantry/{name} has no row in README" for name in unnamed])


@case("README: the configuration it shows is accepted", needs=("gantry",))
def configuration(lab):
    text = re.search(r"<!-- conf -->\n```properties\n(.*?)```", README, re.DOTALL)
    checks.true("README shows a broker.conf", text)
    path = lab.home / "readme.conf"
    path.write_text(text.group(1))
    env = {name: value for name, value in os.environ.items() if not name.startswith("GANTRY_")}
    done = subprocess.run([lab.binary, "config", "check", "--strict", path], env=env, capture_output=True, text=True, timeout=30)
    checks.equal("exit code", (done.returncode, done.stderr), (0, ""))
