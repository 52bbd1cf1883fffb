"""Probes of the limits of the issuer's API for mandates, for `test_every_limit`."""

from collections.abc import Callable
from typing import Any

from protocol import mandate_api as api
from protocol.canonical import convert, parse_struct, to_builtins
from tests.protocol import peer_input_mandates as i
from tests.protocol.limit_probes import spaced

ID = "A" * 22
REFERENCE = "A" * 43
SHOWN = "a.b.c~d.e.f"
ONE = {"reference": REFERENCE, "role": "self", "kind": "helper", "name": "N", "state": "open", "party": 0}
PROPOSAL = {"party": 1, "request": "x", "client_id": "y", "terms": to_builtins(i.TERMS), "signed": SHOWN}
HUNG = {"number": 1, "made": 1, "expires": 2, "proposal": PROPOSAL}


def _answer(size: int) -> object:
    return parse_struct(spaced({"id": ID, "ended": 1}, size), api.EndAnswer, max_bytes=api.MAX_MANDATE_ANSWER)


def _services(count: int) -> object:
    services = [{"recipient": "0" * 20, "service": f"s{n}"} for n in range(count)]
    wish = {"presentation": SHOWN, "invitation": REFERENCE, "services": services, "until": 1}
    return convert(wish, api.WishAsk)


def _hung(**members: Any) -> object:
    return convert({"proposals": [{**HUNG, **members}]}, api.BoardAnswer)


LIMITS: dict[str, tuple[Callable[[int], object], str]] = {
    "mandate_api.MAX_MANDATE_ANSWER": (_answer, "too_large"),
    "mandate_api.MAX_REPRESENTATIONS": (
        lambda n: convert({"representations": [ONE] * n}, api.RepresentationsAnswer),
        "bad_form",
    ),
    "mandate_api.MAX_PROPOSALS": (lambda n: convert({"proposals": [HUNG] * n}, api.BoardAnswer), "bad_form"),
    "mandate_api.MAX_COSIGNATURES": (
        lambda n: _hung(cosigned=[{"party": 1, "cosigned": SHOWN}] * n),
        "bad_form",
    ),
    "mandate_api.MAX_SERVICES": (_services, "bad_form"),
}
