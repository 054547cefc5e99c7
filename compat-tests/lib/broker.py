"""Gantry as a child process on free loopback ports."""
import json
import pathlib
import signal
import subprocess

from lib import process

PORTS = ("namesrv", "remoting", "kafka", "http")


class Gantry:
    """One data directory and the process on it; after the first start the ports stay the same."""
    command = "start"
    options = {name: f"--{name}-port" for name in PORTS}

    def __init__(self, binary, home, conf=None):
        self.binary, self.home = pathlib.Path(binary), pathlib.Path(home)
        self.data, self.ready_file, self.log = self.home / "data", self.home / "ready.json", self.home / "gantry.log"
        self.conf, self.child, self.addresses = conf or {}, None, {}
        self.home.mkdir(parents=True, exist_ok=True)

    def start(self, seconds=60):
        """Starts and waits until the ready file is there."""
        self.launch()
        ready = process.wait_for("gantry start", self._ready, seconds, self.child)
        self.addresses = {name: ready[name] for name in self.options}
        return self

    def launch(self):
        """Starts without waiting."""
        self.ready_file.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.child = process.spawn(self._argv(), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def stop(self, seconds=60):
        """A clean stop; anything but exit code 0 is an error."""
        code = process.end(self.child, seconds)
        if code not in (0, -signal.SIGTERM):
            raise AssertionError(f"gantry stopped with code {code}: {self.words()}")

    def kill(self):
        process.kill(self.child)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def words(self):
        """The end of its log, for a report."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def __getattr__(self, name):
        if name in PORTS and name in self.__dict__.get("addresses", {}):
            return self.addresses[name]
        raise AttributeError(name)

    def _argv(self):
        argv = [self.binary, self.command, "--data", self.data, "--ready-file", self.ready_file]
        for name, option in self.options.items():
            argv += [option, self.addresses[name].rsplit(":", 1)[1] if self.addresses else "0"]
        if self.conf:
            path = self.home / f"{self.command}.conf"
            path.write_text("".join(f"{name}={value}\n" for name, value in self.conf.items()))
            argv += ["--conf", path]
        return argv

    def _ready(self):
        try:
            return json.loads(self.ready_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None


class GantryNamesrv(Gantry):
    """A name server alone."""
    command = "namesrv"
    options = {"namesrv": "--port", "http": "--http-port"}


class GantryBroker(Gantry):
    """A broker without a name server of its own; `namesrvAddr` in its configuration names those it registers with."""
    command = "broker"
    options = {name: f"--{name}-port" for name in PORTS if name != "namesrv"}
