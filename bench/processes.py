"""CPU time and memory of running servers, from /proc (Linux)."""

import os
from contextlib import suppress
from pathlib import Path

from examples.processes import Server

_TICKS = os.sysconf("SC_CLK_TCK")


def family(server: Server) -> list[int]:
    """The processes of a `regie ... serve`: it and all below it, in the order of their numbers."""
    if server.process is None:
        raise ValueError("the server does not run")
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents[int(entry.name)] = int(fields[1])
    found = {server.process.pid}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def cpu_of(server: Server) -> float:
    """User and system seconds so far of all its processes."""
    return sum((int(fields[11]) + int(fields[12])) / _TICKS for pid in family(server) if (fields := _stat(pid)))


def rss_mb(server: Server) -> float:
    """Resident memory of its largest process, MB: the worker's."""
    pages = [int(fields[21]) for pid in family(server) if (fields := _stat(pid))]
    return round(max(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def peak_mb(server: Server) -> float:
    """The most that its largest process ever held, MB."""
    found = [0]
    for pid in family(server):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found += [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return round(max(found) * 1024 / 1e6, 1)


def peak_of(pid: int) -> float:
    """The most that one process ever held, MB; 0 when it has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return round(max(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6, 1)
    return 0.0


def _stat(pid: int) -> list[str]:
    """What follows the name in /proc/PID/stat; empty when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
