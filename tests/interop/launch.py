"""`python -m tests.interop.launch SECONDS MODULE ARGUMENTS`: run a peer's program with its clock put forward.

A town of the tests lives at a fixed time; the programs of others look at the clock of the machine.
"""

import runpy
import sys
import time


def main() -> None:
    """Run `MODULE` as `python -m` does, its `time.time` ahead by so many seconds."""
    ahead, module = float(sys.argv[1]), sys.argv[2]
    shown = time.time
    time.time = lambda: shown() + ahead
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
