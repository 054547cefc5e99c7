"""The same tool with the same arguments against two brokers: what it prints, masked and compared line by line."""
import concurrent.futures
import difflib
import itertools
import json
import re
import select
import subprocess

from lib import deps, process

# What depends on the run, after the names of the side were put in.
MASKS = [
    (r"\d{4}-\d\d-\d\d[ #]\d\d:\d\d:\d\d([,:.]\d{1,3})?", "<time>"),
    (r"\b\d{14,17}\b(?!\.)", "<time>"),
    (r"\b1[6-9]\d{11}\b", "<ms>"),
    (r"\b[0-9A-F]{32}\b", "<id>"),
    (r"\b\d+\.\d+\.\d+\.\d+(:\d+|@[\w#-]+)", "<client>"),
    (r"\b\d+(\.\d+)?E-?\d+\b", "<float>"),
    (r"\b\d+ms\b", "<ms>"),
    # A refusal's code is compared, not how it is put into words.
    (r"(CODE: \d+ +DESC:) .*?( BROKER: .*)?$", r"\1 <words>\2"),
]
# What a logging library says about itself, frames of stack traces, and where to read more.
NOISE = re.compile(r"^\S+ \|-(INFO|WARN) in |^SLF4J|^at [\w.$/]+\(|^\.\.\. \d+ more$|^See http|^See whether its broker|^For more information|^Tools.Exit: |^exit \d+$")


class Tools:
    """One JVM that runs main functions of the jars named."""

    def __init__(self, jars, home, *options):
        self.argv = [*deps.JAVA, "-Xmx256m", "-Djava.security.manager=allow", f"-Duser.home={home}", *options, "-cp", deps.classpath(jars, "tools"), "Tools"]
        self.numbers, self.child, self.home = itertools.count(1), None, home

    def run(self, main, args, stdin="", seconds=30):
        """(what it printed, exit code or "timeout")."""
        if self.child is None:
            self.child = process.spawn(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.home)
        command = {"id": next(self.numbers), "main": main, "args": list(args), "stdin": stdin, "timeout": seconds * 1000}
        self.child.stdin.write(json.dumps(command).encode() + b"\n")
        self.child.stdin.flush()
        while True:
            if not select.select([self.child.stdout], [], [], seconds + 30)[0]:
                raise TimeoutError(f"{main} {args}: the tools' JVM is silent")
            line = self.child.stdout.readline()
            if not line:
                raise RuntimeError(f"{main} {args}: the tools' JVM ended")
            if line.startswith(b"{"):
                answer = json.loads(line)
                return answer["out"], answer["exit"]

    def close(self):
        if self.child is not None:
            process.kill(self.child)


class Side:
    """A broker, its tools, and the words that stand for it: `words` go into commands, and out of what was printed."""

    def __init__(self, name, tools, **words):
        self.name, self.tools, self.words = name, tools, words
        self.hidden = {}

    def hide(self, value, name):
        """From now on `value` is shown as <name>."""
        self.hidden[str(value)] = name

    def run(self, main, args, stdin="", seconds=30):
        return self.tools.run(main, [arg.format(**self.words) for arg in args], stdin, seconds)

    def mask(self, text):
        shown = {**{str(value): f"<{name}>" for name, value in self.words.items()}, **{value: f"<{name}>" for value, name in self.hidden.items()}}
        for value in sorted(shown, key=len, reverse=True):
            text = text.replace(value, shown[value])
        for pattern, name in MASKS:
            text = re.sub(pattern, name, text, flags=re.MULTILINE)
        return text


def lines(side, printed, masks=(), keys=None, order=True):
    """What was printed as lines to compare: columns apart by one blank; with `keys`, only what that pattern's group finds."""
    text = "\n".join(line for line in side.mask(printed).splitlines() if not NOISE.search(line.strip()))
    for pattern, name in masks:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    found = [" ".join(line.split()) for line in text.splitlines()]
    if keys:
        found = sorted({hit.group(1) for hit in (re.match(keys, line) for line in found) if hit})
    found = [line for line in found if line]
    return found if order else sorted(found)


def differences(left, right):
    """Lines that only one side has: "- " stands before the oracle's, "+ " before ours."""
    return [line for line in difflib.ndiff(left, right, charjunk=None) if line[0] in "-+"]


def both(sides, work):
    """Runs `work(side)` on all sides at once; the results in their order."""
    with concurrent.futures.ThreadPoolExecutor(len(sides)) as pool:
        return list(pool.map(work, sides))
