"""The bodies of the log's API: one form each, nothing else passes (sections 6 to 9)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import b64u_encode, canonical_bytes, sha256, to_builtins
from protocol.consent_api import (
    MAX_PAGE,
    MAX_PENDING,
    MAX_REQUEST_BYTES,
    CosignerRevocationRequest,
    Event,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    MessageRequest,
    Opening,
    OpeningsAnswer,
    PendingRevocations,
    Problem,
    ReadAnswer,
    ReadRequest,
    RevocationAnswer,
    RevocationRequest,
    StatusChunkAnswer,
    parse_body,
    parse_grant_request,
)
from protocol.errors import Rejected
from protocol.presentation import seal_deposit
from protocol.revocation_code import revocation_secret, view_hash
from protocol.terms import MAX_CLAIMS
from tests.protocol import builders, granting
from tests.protocol.granting import CODE, OPENING_KEY, POSTCODE, REPLY, change, outcome, terms, ticket, town

TOWN = town()
TOKEN = TOWN.make_read(POSTCODE)
RELEASED, _ = TOWN.release(TOKEN)
H = b64u_encode(sha256(b"h"))
GRANT = GrantRequest(
    terms=TOWN.terms,
    opening_key=b64u_encode(OPENING_KEY),
    deposit=b64u_encode(seal_deposit(builders.LOG_DEPOSIT_KEY.public_bytes(), TOWN.terms, granting.B)),
    view_hash=b64u_encode(view_hash(CODE)),
    ticket=ticket(),
)
EVENT = Event(index=1, leaf="AQ", hashes="", type="read", n=0, opening_key=H, opening=TOKEN)
PROOF = RELEASED.evidence.head
BODIES: list[Any] = [
    GRANT,
    change(GRANT, ticket=None, replaced_r=b64u_encode(revocation_secret(CODE, 1))),
    GrantAnswer(index=5, slot=1, proof=TOWN.answer.sealed.proof),
    ReadRequest(read=TOKEN, reply_key=b64u_encode(REPLY.public_bytes())),
    RELEASED,
    RevocationRequest(r=H),
    RevocationAnswer(receipt="note", slot=1, index=6),
    CosignerRevocationRequest(origin=builders.LOG_ORIGIN, r=H),
    PendingRevocations([H] * MAX_PENDING),
    MessageRequest(message=TOKEN),
    EventsAnswer(1, TOWN.quorum.checkpoint.note, PROOF, RELEASED.evidence.status, [EVENT]),
    OpeningsAnswer([Opening(index=1, type="grant", opening_key=H, opening="{}", slot=0)] * MAX_PAGE, 9, 4),
    StatusChunkAnswer(TOWN.quorum.checkpoint.note, PROOF, "AA", "", 2),
    Problem("about:blank", "Gone", 410, "revoked", "the read is refused"),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_body_comes_back(body: Any) -> None:
    assert parse_body(canonical_bytes(body), type(body), max_bytes=4 * MAX_REQUEST_BYTES * 10) == body


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_body_with_another_or_without_a_member_is_refused(body: Any) -> None:
    plain = to_builtins(body)
    kind: Any = type(body)
    assert outcome(parse_body, canonical_bytes({**plain, "extra": 1}), kind, max_bytes=10**7) == "bad_form"
    for name, default in zip(kind.__struct_fields__[::-1], kind.__struct_defaults__[::-1], strict=False):
        assert default is None, name
    for name in kind.__struct_fields__[: len(kind.__struct_fields__) - len(kind.__struct_defaults__)]:
        less = {key: value for key, value in plain.items() if key != name}
        assert outcome(parse_body, canonical_bytes(less), kind, max_bytes=10**7) == "bad_form"


@pytest.mark.parametrize(
    "body",
    [
        RevocationRequest(r="x"),
        PendingRevocations([H] * (MAX_PENDING + 1)),
        OpeningsAnswer([Opening(1, "grant", H, "{}")] * (MAX_PAGE + 1), 9),
        CosignerRevocationRequest(origin="two words", r=H),
        ReadRequest(read="a b", reply_key=b64u_encode(REPLY.public_bytes())),
        ReadRequest(read=TOKEN, reply_key=b64u_encode(bytes(1217))),
        change(RELEASED, n=-1),
        change(RELEASED, sealed="A" * 4300),
        change(EVENT, type="gossip"),
        GrantAnswer(index=-1, slot=0, proof=""),
        GrantAnswer(index=0, slot=2**40, proof=""),
        Problem("about:blank", "OK", 200, "fine"),
        Problem("about:blank", "No", 400, "Not A Code"),
    ],
    ids=lambda body: type(body).__name__,
)
def test_body_beyond_its_limits_is_refused(body: Any) -> None:
    assert outcome(parse_body, canonical_bytes(body), type(body), max_bytes=10**7) == "bad_form"


def test_grant_request_comes_with_a_ticket_or_a_replaced_secret() -> None:
    assert parse_grant_request(canonical_bytes(GRANT)) == GRANT
    neither = change(GRANT, ticket=None)
    both = change(GRANT, replaced_r=H)
    for request in (neither, both):
        assert outcome(parse_grant_request, canonical_bytes(request)) == "bad_form"


def test_grant_request_with_bad_terms_is_refused() -> None:
    ended = change(GRANT, terms=change(TOWN.terms, not_after=TOWN.terms.not_before))
    assert outcome(parse_grant_request, canonical_bytes(ended)) == "bad_terms"
    bare = change(GRANT, terms=change(TOWN.terms, claims=TOWN.terms.claims[:1]))
    assert outcome(parse_grant_request, canonical_bytes(bare)) == "flags_missing"


def test_largest_grant_and_read_stay_below_the_limit() -> None:
    claim = change(TOWN.terms.claims[0], credential="c" * 64, vct="v" * 128)
    most = change(GRANT, terms=terms(claims=[claim] * MAX_CLAIMS))
    assert len(canonical_bytes(most)) < MAX_REQUEST_BYTES
    assert outcome(parse_body, b" " * (MAX_REQUEST_BYTES + 1), GrantRequest) == "too_large"


def test_unknown_body_is_never_echoed() -> None:
    """Errors name the expected form, never what was sent."""
    with pytest.raises(Rejected) as caught:
        parse_body(b'{"r": "999990019"}', RevocationRequest)
    assert "999990019" not in str(caught.value)


@settings(deadline=None)
@given(st.sampled_from(BODIES[:9]), st.integers(0, 10**5), st.integers(1, 255))
def test_no_changed_byte_breaks_a_reader(body: Any, place: int, step: int) -> None:
    data = bytearray(canonical_bytes(body))
    data[place % len(data)] ^= step
    code = outcome(parse_body, bytes(data), type(body), max_bytes=10**7)
    assert code in (None, "bad_form", "bad_json", "duplicate_key", "too_deep", "bad_base64")


def test_answer_of_a_read_is_small() -> None:
    """Section 6: a light check is about 3 kB."""
    assert isinstance(RELEASED, ReadAnswer)
    assert len(canonical_bytes(RELEASED)) < 5000
