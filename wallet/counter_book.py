"""What a counter keeps: which forms were used, who acted, and what ends a grant whose receipt never came out.

Nothing of it names a resident: a form is known by its commitment, an officer by the account at the provider.
"""

import json
import os
from typing import Literal, TypeAlias

from protocol.canonical import parse_struct
from protocol.errors import RegieError, Rejected, Unavailable
from service.home import Home
from service.journal import log_event
from wallet.config import Outbox
from wallet.errand_paper import deliver_outbox, queue
from wallet.opened import Surroundings
from wallet.revoke import queue_secrets, queue_text, versions

Ending: TypeAlias = Literal["granted", "refused", "left"]
BOOK = "visits.jsonl"
_USED, _UNPRINTED = "used-", "unprinted-"


def use_form(home: Home, digest: bytes) -> None:
    """Durable before anything is given. Raises `Rejected`: `form_used`."""
    if not home.create_secret(_USED + digest.hex(), b""):
        raise Rejected("form_used", "this form was used before", status=409)


def check_unused(home: Home, digest: bytes) -> None:
    """Raises `Rejected`: `form_used`."""
    if home.has(_USED + digest.hex()):
        raise Rejected("form_used", "this form was used before", status=409)


def give_back(home: Home, digest: bytes) -> None:
    """Nothing came of it: the form can be handed in once more."""
    home.remove(_USED + digest.hex())


def keep_until_printed(home: Home, visit: str, code: bytes) -> None:
    """What ends the grant of a visit, in case its receipt is never handed over; it opens nothing."""
    home.write_json(f"{_UNPRINTED}{visit}.json", Outbox([queue_text(versions(code)[:1])]), secret=True)


def is_printed(home: Home, visit: str) -> None:
    """The resident has the receipt."""
    home.remove(f"{_UNPRINTED}{visit}.json")


def stop_unprinted(around: Surroundings) -> int:
    """End what a crash left without a receipt, or leave it in the outbox; how many there were."""
    home = around.home
    left = sorted(home.path.glob(f"{_UNPRINTED}*.json"))
    codes = [code for path in left for code in parse_struct(home.read_secret(path.name), Outbox).codes]
    if codes:
        queue(home, [queue_secrets(code) for code in codes])
        for path in left:
            home.remove(path.name)
    try:
        deliver_outbox(around)
    except RegieError as error:  # it stays in the outbox: the next start tries again
        log_event("visits", "outbox_waits", code=error.code)
    return len(codes)


def write_down(home: Home, now: int, ending: Ending, digest: bytes, first: str, second: str | None) -> None:
    """One line for each visit that ended, durable. Raises `Unavailable`: `io`."""
    line = {"time": now, "ending": ending, "form": digest.hex(), "first": first, "second": second}
    try:
        handle = os.open(home.file(BOOK), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, json.dumps(line).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise Unavailable("io", f"the book of visits cannot be written: {error.strerror}") from error
