"""`regie` commands inside this process, one at a time: most of what a command costs is starting Python.

The same program with the same arguments, home, exit status and words as `processes.run` gives; only servers are
processes then. Towns that are looked at, and not told, use it.
"""

import sys
import threading
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner

from examples.processes import REGIE, CommandFailed, Outcome, checked, surroundings
from service.command import main

_ONE_AT_A_TIME = threading.Lock()
"""A command speaks by the standard streams and finds its home in the environment; both belong to the process."""


def run(home: Path, *arguments: str, stdin: str = "", expect: int | None = 0) -> Outcome:
    """`regie ARGUMENTS --json` in `home`. Raises `CommandFailed` unless it ends with `expect` (None: any)."""
    words = [*arguments, "--json"]
    with _ONE_AT_A_TIME, CliRunner().isolation(stdin, {**surroundings(home), "TERM": "dumb"}) as streams:
        with patch.object(sys, "argv", [REGIE.name, *words]):
            status = _main(words)
        sys.stdout.flush()
        sys.stderr.flush()
        told, complained = (stream.getvalue().decode() for stream in streams[:2])
    return checked(arguments, status, told, complained, expect)


def _main(words: list[str]) -> int:
    """Its exit status. Raises `CommandFailed` when it breaks."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        raise CommandFailed(f"regie {' '.join(words[:2])} broke: {error!r}") from error
    return 0
