"""Child processes: started in a session of their own, ended by pid, never left behind."""
import atexit
import os
import signal
import subprocess
import time

_started = []


def spawn(argv, **kwargs):
    """Starts a child that `end_all` knows. Descriptors of the caller are not inherited."""
    child = subprocess.Popen([str(word) for word in argv], start_new_session=True, **kwargs)
    _started.append(child)
    return child


def end(child, grace=20.0):
    """SIGTERM, then SIGKILL when the child is still there after `grace` seconds; returns the exit code."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            kill(child)
    return child.returncode


def kill(child):
    """SIGKILL, and waits until the child is gone."""
    if child.poll() is None:
        os.kill(child.pid, signal.SIGKILL)
    child.wait()


def wait_for(what, condition, seconds, child=None):
    """Polls every 10 ms until `condition()` is true; says which `what` failed when time is over or the child ended."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if child is not None and child.poll() is not None:
            raise RuntimeError(f"{what}: the process ended with code {child.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


@atexit.register
def end_all():
    """Nothing outlives the runner, whatever happened in it."""
    for child in _started:
        if child.poll() is None:
            kill(child)
