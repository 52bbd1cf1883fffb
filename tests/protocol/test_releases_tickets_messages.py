"""Releases of key shares, tickets and messages (sections 3, 8.3 and 9)."""

from typing import Any

import pytest

from protocol.canonical import b64u_encode, parse_object, sha256
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.reading import (
    MAX_TICKET_BYTES,
    TICKET_LIFETIME,
    TICKET_TYPE,
    ResidentMessage,
    open_release,
    parse_message,
    seal_release,
    sign_message,
    verify_agency_message,
    verify_resident_message,
    verify_ticket,
)
from tests.protocol import builders, granting
from tests.protocol.builders import AGENCY, AGENCY_ID, DAY, HOLDER, NOW
from tests.protocol.granting import (
    POSTCODE,
    REPLY,
    change,
    outcome,
    terms,
    ticket,
    town,
)

TERMS = terms()
TOKEN = town().make_read(POSTCODE)
AGENCY_ENTRY = builders.agency()
OTHER = b64u_encode(sha256(b"other"))
OTHER_AGENCY = builders.party("another agency", san_dns="elders.voorbeeld.example")
OTHER_ENTRY = builders.agency(id="00000099000000002000", roots=OTHER_AGENCY.roots)


CONTEXT: dict[str, Any] = {"lock": bytes(32), "read_id": bytes(16), "index": 7, "body_hash": sha256(b"note")}
SHARES = [sha256(bytes([n])) for n in range(3)]
SEALED = seal_release(REPLY.public_bytes(), SHARES, **CONTEXT)


def test_release_opens_for_its_read_and_checkpoint() -> None:
    assert open_release(REPLY, SEALED, 3, **CONTEXT) == SHARES


@pytest.mark.parametrize(
    "changes",
    [{"lock": b"\x01" * 32}, {"read_id": b"\x01" * 16}, {"index": 8}, {"body_hash": sha256(b"fork")}],
)
def test_release_for_another_read_or_checkpoint_does_not_open(changes: dict[str, Any]) -> None:
    assert outcome(open_release, REPLY, SEALED, 3, **{**CONTEXT, **changes}) == "bad_release"


def test_stolen_release_does_not_open_with_another_key() -> None:
    assert outcome(open_release, builders.kem("thief"), SEALED, 3, **CONTEXT) == "bad_release"


@pytest.mark.parametrize("count", [0, 2, 4])
def test_release_holds_one_share_for_each_attribute(count: int) -> None:
    assert outcome(open_release, REPLY, SEALED, count, **CONTEXT) == "bad_release"


def test_release_of_something_else_is_our_mistake() -> None:
    with pytest.raises(ValueError):
        seal_release(REPLY.public_bytes(), [b"short"], **CONTEXT)
    with pytest.raises(ValueError):
        seal_release(REPLY.public_bytes(), SHARES, **{**CONTEXT, "lock": b""})


def test_release_to_a_bad_reply_key_is_refused() -> None:
    assert outcome(seal_release, bytes(10), SHARES, **CONTEXT) == "bad_key"


def test_ticket_of_the_recipient_is_taken() -> None:
    assert verify_ticket(ticket(), AGENCY_ENTRY, TERMS, NOW).ticket.jti == b64u_encode(bytes(16))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "00000099000000002000"},
        {"aud": "log.elders.example"},
        {"service": "iets-anders"},
        {"service_version": 2},
        {"exp": NOW},
        {"exp": NOW + TICKET_LIFETIME + 1},
        {"jti": "x"},
    ],
)
def test_ticket_for_anything_else_is_bad(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        verify_ticket(ticket(**changes), AGENCY_ENTRY, TERMS, NOW)
    assert (caught.value.code, caught.value.status) == ("bad_ticket", 403)


def test_ticket_lives_at_most_an_hour() -> None:
    verify_ticket(ticket(exp=NOW + TICKET_LIFETIME), AGENCY_ENTRY, TERMS, NOW)
    verify_ticket(ticket(exp=NOW + 1), AGENCY_ENTRY, TERMS, NOW)


def test_ticket_of_another_agency_or_size_is_bad() -> None:
    assert outcome(verify_ticket, ticket(), OTHER_ENTRY, TERMS, NOW) == "bad_ticket"
    assert outcome(verify_ticket, "x" * (MAX_TICKET_BYTES + 1), AGENCY_ENTRY, TERMS, NOW) == "bad_ticket"
    assert outcome(verify_ticket, TOKEN, AGENCY_ENTRY, TERMS, NOW) == "bad_ticket"
    moved = change(TERMS, recipient=OTHER_ENTRY.id)
    assert outcome(verify_ticket, ticket(), AGENCY_ENTRY, moved, NOW) == "bad_ticket"


def message(kind: Any, **changes: Any) -> ResidentMessage:
    """A message about the grant."""
    members: dict[str, Any] = {"slot": 1, "lock": TERMS.lock, "iat": NOW, "jti": b64u_encode(bytes(16))}
    return ResidentMessage(kind=kind, **{**members, **changes})


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("erasure_asked", {}),
        ("access_asked", {}),
        ("rectification_asked", {"claims": [TERMS.claims[0].digest]}),
        ("complaint", {}),
    ],
)
def test_residents_message_is_verified_by_the_holder_key(kind: str, more: dict[str, Any]) -> None:
    token = sign_message(message(kind, **more), HOLDER)
    found = verify_resident_message(token, HOLDER.public, NOW)
    assert (found.message, found.agency) == (message(kind, **more), None)
    assert outcome(verify_resident_message, token, AGENCY.key.public, NOW) == "bad_signature"
    assert outcome(verify_agency_message, token, AGENCY_ENTRY, NOW) == "bad_message"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("erasure_acknowledged", {}),
        ("erased", {}),
        ("kept", {"law": "Archiefwet 1995, art. 3", "until": NOW + DAY}),
        ("access_acknowledged", {}),
        ("access_answered", {}),
        ("access_answered", {"document": b64u_encode(bytes(32))}),
        ("access_refused", {"law": "UAVG artikel 41"}),
        ("rectification_acknowledged", {}),
        ("rectified", {}),
        ("rectification_refused", {"law": "Archiefwet 1995, art. 3"}),
    ],
)
def test_agencys_message_is_signed_as_reads_are(kind: str, more: dict[str, Any]) -> None:
    token = sign_message(message(kind, **more), AGENCY.key, AGENCY.x5c)
    found = verify_agency_message(token, AGENCY_ENTRY, NOW)
    assert (found.message, found.agency) == (message(kind, **more), AGENCY_ID)
    assert outcome(verify_agency_message, token, OTHER_ENTRY, NOW) == "not_recipient"
    assert outcome(verify_resident_message, token, AGENCY.key.public, NOW) == "bad_message"
    assert verify_agency_message(token, AGENCY_ENTRY, None) == found


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("kept", {}),
        ("kept", {"law": "Archiefwet"}),
        ("kept", {"until": NOW}),
        ("erased", {"law": "Archiefwet", "until": NOW}),
        ("kept", {"law": "<script>", "until": NOW}),
        ("kept", {"law": "w" * 129, "until": NOW}),
        ("access_refused", {}),
        ("rectification_refused", {"law": "Archiefwet", "until": NOW}),
        ("access_answered", {"law": "UAVG artikel 41"}),
        ("rectification_asked", {}),
        ("rectification_asked", {"claims": []}),
        ("rectification_asked", {"claims": ["x"]}),
        ("rectification_asked", {"claims": [TERMS.claims[0].digest] * 2}),
        ("access_asked", {"claims": [TERMS.claims[0].digest]}),
        ("access_acknowledged", {"document": b64u_encode(bytes(32))}),
        ("access_answered", {"document": "x"}),
        ("gossip", {}),
        ("erased", {"jti": "x"}),
    ],
)
def test_message_of_bad_form_is_refused(kind: str, more: dict[str, Any]) -> None:
    assert outcome(parse_message, sign_message(message(kind, **more), AGENCY.key, AGENCY.x5c)) == "bad_message"


def test_ticket_has_a_largest_size() -> None:
    payload = parse_object(granting.parse_jws_payload(ticket()))
    for filler, code in ((MAX_TICKET_BYTES // 2, None), (MAX_TICKET_BYTES, "bad_ticket")):
        header = {"x5c": AGENCY.x5c, "kid": "k" * filler}
        token = sign_jws(payload, AGENCY.key, typ=TICKET_TYPE, header=header)
        assert outcome(verify_ticket, token, AGENCY_ENTRY, TERMS, NOW) == code


def test_agencys_message_from_the_future_is_stale() -> None:
    for iat, code in ((NOW + 61, "stale"), (NOW + 60, None)):
        token = sign_message(message("erased", iat=iat), AGENCY.key, AGENCY.x5c)
        assert outcome(verify_agency_message, token, AGENCY_ENTRY, NOW) == code


def test_message_from_the_future_is_stale_and_an_old_one_is_not() -> None:
    for iat, code in ((NOW + 61, "stale"), (NOW + 60, None), (0, None)):
        token = sign_message(message("complaint", iat=iat), HOLDER)
        assert outcome(verify_resident_message, token, HOLDER.public, NOW) == code
