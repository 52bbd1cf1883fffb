"""Runs beside a cluster, as its user, and ends it: on command or when whoever started it is gone.

    python guard.py FOLDER < commands

Every process of the cluster has its working directory below FOLDER, one folder per node: the servers by our
choice, PostgreSQL's backends because they work in their data directory. That needs no list of process ids (they
can be given out again) and no privilege: the guard runs as the same user. A line `SIGNAL NODE` signals all of a
node until none is left that has not got it, and answers with their number. The end of the input, which also comes
when the test process is killed, ends all of them and removes FOLDER. It imports only the standard library, for it
runs outside the checkout.
"""

import os
import shutil
import signal
import sys
import time

PATIENCE = 60.0
"""Seconds in which a killed process is expected to be gone."""


def processes_below(folder: str) -> set[int]:
    """Those that live; a zombie has no working directory any more."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                place = os.readlink(f"/proc/{name}/cwd")
            except OSError:
                continue
            if place == folder or place.startswith(folder + "/"):
                found.add(int(name))
    return found


def signal_all(folder: str, number: int) -> int:
    """Signal all processes below `folder`, and those they start meanwhile; how many they were."""
    hit: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = processes_below(folder)
        for process in found - hit:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue
        is_done = not found if number == signal.SIGKILL else found <= hit
        hit |= found
        if is_done:
            break
        time.sleep(0.01)
    return len(hit)


def main() -> None:
    """Serve the commands on stdin; then leave nothing."""
    folder = sys.argv[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    for line in sys.stdin:
        name, node = line.split()
        print(signal_all(f"{folder}/{node}", signal.Signals[name]), flush=True)
    signal_all(folder, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
