"""Many threads that meet a type for the first time at the same moment, as the first requests after a start do."""

import subprocess
import sys

import pytest

from protocol.canonical import convert
from protocol.errors import Rejected

_RACE = """
import sys, threading
import msgspec
from protocol.canonical import convert
sys.setswitchinterval(1e-6)
value = {"f0": [{"a0": None}], **{f"f{number}": [] for number in range(1, 30)}}
for attempt in range(50):
    inner = msgspec.defstruct("Inner", [(f"a{n}", list[dict[str, int]] | None, None) for n in range(20)])
    kind = msgspec.defstruct("Kind", [(f"f{n}", list[inner] | None, None) for n in range(30)])
    gate = threading.Barrier(8)
    done = []
    def use():
        gate.wait()
        done.append(convert(value, kind))
    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 8
print("survived")
"""


def test_threads_that_meet_a_type_together_do_not_crash_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _RACE], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


def test_a_type_that_takes_null_is_learned_as_well() -> None:
    assert convert(None, type(None)) is None
    assert convert([1], list[int]) == [1]
    with pytest.raises(Rejected, match="form"):
        convert(["a"], list[int])
