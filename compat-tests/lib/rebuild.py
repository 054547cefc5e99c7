"""Are the derived files (queues, key index) of a cleanly stopped directory what a rebuild from the CommitLog makes?"""
import pathlib
import shutil
import subprocess

from lib.broker import Gantry

DERIVED = ("consumequeue", "batchconsumequeue", "index")


def differences(binary, data, home, conf):
    """Rebuilds in a copy and compares file by file; sentences. Also runs `gantry store check` where the binary has it."""
    copy = pathlib.Path(home) / "rebuild"
    broker = Gantry(binary, copy, conf)
    shutil.copytree(data, broker.data, symlinks=True)
    for name in DERIVED:
        shutil.rmtree(broker.data / name, ignore_errors=True)
    (broker.data / "checkpoint").unlink(missing_ok=True)
    for path in (broker.data / "gantry").glob("*snapshot*"):  # a snapshot describes the files that are gone
        path.unlink()
    (broker.data / "abort").touch()
    broker.start(300)
    broker.stop()
    wrong = [word for name in DERIVED for word in compare(pathlib.Path(data) / name, broker.data / name)]
    shutil.rmtree(copy)
    return wrong + store_check(binary, data)


def compare(kept, rebuilt):
    """Queue files by name; index files, whose name is their creation time, in order."""
    if kept.name == "index":
        pairs = list(zip(files(kept), files(rebuilt)))
        wrong = [] if len(files(kept)) == len(files(rebuilt)) else [f"index: {len(files(kept))} files, rebuilt {len(files(rebuilt))}"]
    else:
        names = [{str(path.relative_to(root)) for path in files(root)} for root in (kept, rebuilt)]
        wrong = [f"{kept.name}/{name}: only on one side" for name in sorted(names[0] ^ names[1])]
        pairs = [(kept / name, rebuilt / name) for name in sorted(names[0] & names[1])]
    return wrong + [word for pair in pairs for word in compare_file(*pair)]


def compare_file(kept, rebuilt):
    left, right = kept.read_bytes(), rebuilt.read_bytes()
    size = max(len(left), len(right))
    left, right = left.ljust(size, b"\0"), right.ljust(size, b"\0")  # a file may end before its zeros
    if left == right:
        return []
    at = next(n for n in range(size) if left[n] != right[n])
    return [f"{kept.parent.parent.name}/{kept.parent.name}/{kept.name}: differs from a rebuild at byte {at}"]


def files(root):
    return sorted(path for path in root.rglob("*") if path.is_file()) if root.exists() else []


def store_check(binary, data):
    """`gantry store check --data DIR`; a binary without that command has nothing to say."""
    done = subprocess.run([str(binary), "store", "check", "--data", str(data)], capture_output=True, timeout=300)
    words = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode == 0 or "unrecognized subcommand" in words:
        return []
    return [f"gantry store check: {words.strip()[-300:]}"]
