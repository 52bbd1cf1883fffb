"""Everything in `protocol` that reads what a peer sent: it accepts, or it raises `Rejected` with a code.

One table, `ROWS`; whoever adds a reader adds a row, or says in `NO_ROW` why there is nothing to read. Errors
repeat nothing of what was sent. REGIE_SPOILED=10000 spoils for half an hour instead of ten seconds.
"""

import importlib
import inspect
import os
import pkgutil
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import protocol
from protocol.errors import Rejected
from tests.protocol import (
    peer_input_cohort,
    peer_input_consent,
    peer_input_figures,
    peer_input_fraud,
    peer_input_log,
    peer_input_mandates,
    peer_input_oauth,
    peer_input_openid,
    peer_input_tokens,
    peer_input_trust,
)
from tests.protocol.mutations import json_values, spoiled_bytes, spoiled_text
from tests.protocol.peer_input import Row
from tests.protocol.spoiling import CANARY, CANARY_NUMBER, places, spoil

ROWS = [
    *peer_input_tokens.ROWS,
    *peer_input_log.ROWS,
    *peer_input_consent.ROWS,
    *peer_input_cohort.ROWS,
    *peer_input_figures.ROWS,
    *peer_input_mandates.ROWS,
    *peer_input_openid.ROWS,
    *peer_input_oauth.ROWS,
    *peer_input_fraud.ROWS,
    *peer_input_trust.ROWS,
]
SPOILED = int(os.environ.get("REGIE_SPOILED", "60"))
NO_ROW = {
    "credential.issue_credential": "the register's own values",
    "consent.check_status": "statuses that the caller itself found",
    "narrowing.meet_contexts": "contexts of a checked request and of the resident's own choice",
    "log_keys.check_signed": "keys whose signatures were verified",
    "disclosure.disclosures_for": "a payload that was processed before, as `formats.SdJwtVc.present` does",
    "formats.CredentialFormat.always_shown": "the interface",
    "formats.CredentialFormat.present": "the interface; the rows are of `formats.SdJwtVc`",
    "formats.CredentialFormat.read_card": "the interface",
    "formats.CredentialFormat.verify_issued": "the interface",
    "formats.CredentialFormat.verify_presented": "the interface",
    "paper_form.Form.sheets": "what a verified request asks",
    "keys.es256_public_from": "a key object of the library; rows of x509 and parse_jwk go through it",
    "standing.verify_refresh": "two grants that were verified",
    "trust_list.sign_trust_list": "our own list, before it is signed",
}
_VERBS = "check|parse|verify|open|decode|split|decrypt|unpack|unpad|process|match|decide|satisfied"
_READERS = re.compile(rf"({_VERBS})(_|\Z)|.*_open\Z")
_CODE = re.compile(r"[a-z0-9_]{1,64}")
each_row = pytest.mark.parametrize("row", ROWS, ids=str)


def attempt(row: Row, value: Any) -> None:
    """One call. Any exception but `Rejected` comes through; a `Rejected` must be presentable."""
    refusal = None
    try:
        row.call(value)
    except Rejected as error:
        refusal = error
    if refusal is not None:
        assert _CODE.fullmatch(refusal.code)
        assert 400 <= refusal.status < 500
        said = repr(refusal) + refusal.detail
        assert CANARY not in said
        assert str(CANARY_NUMBER) not in said


@each_row
def test_parser_reads_its_specimen(row: Row) -> None:
    row.call(row.specimen)


@each_row
def test_spoiled_input_is_accepted_or_rejected(row: Row) -> None:
    for number in range(SPOILED):
        value = spoil(random.Random(f"{row} {number}"), row.specimen, keep_root=row.keep_root)
        try:
            attempt(row, value)
        except Exception as error:
            error.add_note(f"{row} was given {value!r:.2000}")
            raise


@st.composite
def spoiled_json(draw: Any, row: Row) -> Any:
    """The specimen with any JSON at one place, or any JSON at all."""
    value = spoil(random.Random(0), row.specimen, keep_root=True) if draw(st.booleans()) else row.specimen
    found = list(places(value))
    if not found or (not row.keep_root and draw(st.integers(0, 9)) == 0):
        return draw(json_values) if not row.keep_root else {}
    target = draw(st.integers(0, len(found) - 1))
    return _replaced(value, found[target], draw(json_values))


def _replaced(value: Any, target: tuple[Any, Any], new: Any) -> Any:
    container, key = target
    if value is container:
        return {**value, key: new} if isinstance(value, dict) else [*value[:key], new, *value[key + 1 :]]
    if isinstance(value, dict):
        return {name: _replaced(member, target, new) for name, member in value.items()}
    return [_replaced(member, target, new) for member in value] if isinstance(value, list) else value


def inputs(row: Row) -> st.SearchStrategy[Any]:
    """What hypothesis makes of the specimen, and what it makes up."""
    if isinstance(row.specimen, str):
        return st.one_of(spoiled_text(row.specimen), st.text(max_size=60))
    if isinstance(row.specimen, bytes):
        return st.one_of(spoiled_bytes(row.specimen), st.binary(max_size=200))
    return spoiled_json(row)


@each_row
def test_what_hypothesis_makes_is_accepted_or_rejected(row: Row) -> None:
    @settings(max_examples=max(10, SPOILED // 10), suppress_health_check=list(HealthCheck), deadline=None)
    @given(inputs(row))
    def run(value: Any) -> None:
        attempt(row, value)

    run()


def readers() -> Iterator[str]:
    """`module.name` of each public function or method that reads by its name, or says it raises `Rejected`."""
    for found in pkgutil.iter_modules(protocol.__path__):
        module = importlib.import_module(f"protocol.{found.name}")
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            members = vars(value).items() if inspect.isclass(value) else [("", value)]
            for member, function in members:
                if not member.startswith("_") and _reads(member or name, function):
                    yield f"{found.name}.{name}.{member}".rstrip(".")


def _reads(name: str, function: Any) -> bool:
    function = getattr(function, "func", None) or getattr(function, "fget", None) or function
    if not callable(function) or isinstance(function, type):
        return False
    said = function.__doc__ or ""
    return bool(_READERS.match(name)) or ("Raises" in said and "Rejected" in said)


def test_every_reader_has_a_row() -> None:
    listed = {row.function for row in ROWS}
    missing = set(readers()) - listed - set(NO_ROW)
    assert not missing, "a reader of what peers send needs a row in tests/protocol/peer_input_*.py"
    assert not set(NO_ROW) & listed
    assert set(NO_ROW) <= set(readers()), "an exception for what is not there"


def test_every_row_names_a_function() -> None:
    for row in ROWS:
        module, *path = row.function.split(".")
        value = importlib.import_module(f"protocol.{module}")
        for name in path:
            value = getattr(value, name)
