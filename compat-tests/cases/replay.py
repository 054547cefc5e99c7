"""Recorded sessions of the original clients, replayed: answers have the same codes, fields and shapes as the original's.

REPLAY=GLOB replays only the recordings with such names. Known differences stand in `golden/replay-exceptions.txt`."""
import collections
import concurrent.futures
import fnmatch
import os
import shutil

from lib import deps, replay_remoting
from lib.explained import Explained
from lib.lab import case

GOLDEN = deps.ROOT / "golden"
EXCEPTIONS = GOLDEN / "replay-exceptions.txt"
# What the recorded broker was configured with.
RECORDED = {"brokerName": "broker-a", "brokerClusterName": "DefaultCluster", "traceTopicEnable": "true", "defaultTopicQueueNums": 4, "orderMessageEnable": "true",
            "mappedFileSizeCommitLog": 1 << 22, "mappedFileSizeConsumeQueue": 6000, "maxHashSlotNum": 500, "maxIndexNum": 2000}


def chosen(folder, skipped=()):
    pattern = os.environ.get("REPLAY", "*")
    names = sorted(path.name.removesuffix(".jsonl.gz") for path in folder.glob("*.jsonl.gz"))
    return [name for name in names if fnmatch.fnmatch(name, pattern) and name not in skipped]


def one_remoting(lab, name):
    gantry = lab.gantry_on(f"replay-{name}", **RECORDED)
    try:
        gantry.start()
        replay = replay_remoting.Replay(replay_remoting.load(GOLDEN / "wire" / f"{name}.jsonl.gz"), gantry)
        replay.prepare(admin="-mqadmin-" in name)
        found = replay.run()
    except (ValueError, OSError, RuntimeError) as error:
        found = [("state", f"{type(error).__name__}: {error}")]
    finally:
        gantry.kill()
        shutil.rmtree(gantry.home)
    return [f"{what}{f' ({count} times)' if count > 1 else ''}" for what, count in
            collections.Counter(f"{code}: {sentence}" for code, sentence in found).items()]


@case("replay: recorded remoting sessions", needs=("gantry",), limit=500)
def remoting_sessions(lab):
    explained = Explained(EXCEPTIONS)
    # a broker's own registration: the name server's tests replay it
    names = chosen(GOLDEN / "wire", skipped=("broker-register",))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name, found in zip(names, pool.map(lambda name: one_remoting(lab, name), names)):
            lab.cell(name, explained.unexplained(name, found))
    if "REPLAY" not in os.environ:
        lab.cell("every listed exception occurs", explained.stale())
