"""READs and what admits or refuses them (section 8.2)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import b64u_encode, canonical_bytes, parse_object, sha256
from protocol.jws import sign_jws
from protocol.reading import (
    MAX_READ_BYTES,
    MESSAGE_TYPE,
    READ_SKEW,
    READ_TYPE,
    Admit,
    GrantState,
    Refusal,
    UnverifiedRead,
    VerifiedRead,
    decide_read,
    is_in_scope,
    missing_numbers,
    parse_message,
    parse_read,
    refusal_opening,
    refusal_reason,
    sign_read,
    verify_read,
)
from protocol.terms import Context, Terms, places_of
from tests.protocol import builders, granting
from tests.protocol.builders import AGENCY, AGENCY_ID, DAY, NOW
from tests.protocol.granting import (
    ALL,
    HUISNUMMER,
    POSTCODE,
    REPLY,
    SURNAME,
    Town,
    change,
    outcome,
    town,
)

TOWN = town()
TERMS = TOWN.terms
AGENCY_ENTRY = builders.agency()
OTHER = b64u_encode(sha256(b"other"))
OTHER_AGENCY = builders.party("another agency", san_dns="elders.voorbeeld.example")
OTHER_ENTRY = builders.agency(id="00000099000000002000", roots=OTHER_AGENCY.roots)


def verified(*places: Any, at: Town = TOWN, **changes: Any) -> VerifiedRead:
    """A READ of the agency, as the log has verified it."""
    return verify_read(at.make_read(*(places or (POSTCODE,)), **changes), AGENCY_ENTRY, NOW)


def decide(
    read: VerifiedRead | None = None,
    granted: Terms = TERMS,
    *,
    now: int = NOW,
    reply_key: bytes = REPLY.public_bytes(),
    **state: Any,
) -> Admit | Refusal:
    """The log's decision in a state that admits, but for `state`."""
    rows: dict[str, Any] = {"slot": TOWN.slot, "revoked": False, "share_present": True, "reads_done": 0}
    return decide_read(
        granted, read or verified(), state=GrantState(**{**rows, **state}), reply_key=reply_key, now=now
    )


def reason(*arguments: Any, **named: Any) -> str:
    """Why a READ is refused."""
    decision = decide(*arguments, **named)
    assert isinstance(decision, Refusal)
    return decision.reason


def test_read_of_the_recipient_is_admitted_in_read_order() -> None:
    read = verified(HUISNUMMER, POSTCODE)
    decision = decide(read, reads_done=4)
    assert isinstance(decision, Admit)
    assert decision.n == 4
    assert [claim.digest for claim in decision.claims] == read.read.claims


def test_read_comes_back_and_opens_the_leaf_as_it_was_sent() -> None:
    token = TOWN.make_read(POSTCODE)
    read = verify_read(token, AGENCY_ENTRY, NOW)
    assert read.opening == token.encode()
    assert parse_read(token) == UnverifiedRead(token, read.read)
    assert read.agency == AGENCY_ID
    assert verify_read(token, AGENCY_ENTRY, None) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slot", -1),
        ("slot", 2**40),
        ("slot", True),
        ("lock", "x"),
        ("read_id", b64u_encode(bytes(15))),
        ("read_id", b64u_encode(bytes(17))),
        ("claims", []),
        ("claims", [OTHER, OTHER]),
        ("claims", [b64u_encode(sha256(bytes([n]))) for n in range(65)]),
        ("reply_key_hash", ""),
        ("case", "Z-2026-1"),
        ("officer", "J. Jansen"),
        ("channel", "fax"),
        ("zone", "home"),
        ("iat", -1),
        ("aud", ""),
        ("purpose", "nieuwsgierig"),
    ],
)
def test_log_refuses_a_read_of_bad_form(name: str, value: Any) -> None:
    payload = parse_object(granting.parse_jws_payload(TOWN.make_read(POSTCODE)))
    token = sign_jws({**payload, name: value}, AGENCY.key, typ=READ_TYPE, header={"x5c": AGENCY.x5c})
    assert outcome(parse_read, token) == "bad_read"
    assert outcome(verify_read, token, AGENCY_ENTRY, NOW) == "bad_read"


@pytest.mark.parametrize(
    "name",
    ["slot", "lock", "read_id", "claims", "reply_key_hash", "case", "officer", "channel", "zone", "iat", "aud"],
)
def test_log_refuses_a_read_without_a_member(name: str) -> None:
    payload = parse_object(granting.parse_jws_payload(TOWN.make_read(POSTCODE)))
    del payload[name]
    token = sign_jws(payload, AGENCY.key, typ=READ_TYPE, header={"x5c": AGENCY.x5c})
    assert outcome(parse_read, token) == "bad_read"


def test_read_has_a_largest_size() -> None:
    filler = ["A" * (MAX_READ_BYTES - len(sign_read(verified().read, AGENCY.key, [""])))]
    token = sign_read(verified().read, AGENCY.key, filler)
    assert len(token) > MAX_READ_BYTES
    assert outcome(parse_read, token) == "bad_read"


@given(st.text(max_size=80))
def test_no_text_breaks_the_readers(text: str) -> None:
    assert outcome(parse_read, text) == "bad_read"
    assert outcome(parse_message, text) == "bad_message"


@given(st.integers(0, 10_000), st.integers(1, 127))
def test_no_changed_character_of_a_read_is_verified(place: int, step: int) -> None:
    token = TOKEN
    place %= len(token)
    changed = token[:place] + chr((ord(token[place]) + step) % 128) + token[place + 1 :]
    assert outcome(verify_read, changed, AGENCY_ENTRY, NOW) in ("bad_read", "not_recipient")


TOKEN = TOWN.make_read(POSTCODE)


def test_read_by_another_agency_is_not_of_the_recipient() -> None:
    token = sign_read(verified().read, OTHER_AGENCY.key, OTHER_AGENCY.x5c)
    assert outcome(verify_read, token, AGENCY_ENTRY, NOW) == "not_recipient"
    theirs = verify_read(token, OTHER_ENTRY, NOW)
    assert outcome(decide, theirs) == "not_recipient"


def test_read_signed_by_the_agencys_key_under_a_strangers_root_is_refused() -> None:
    stranger = builders.STRANGER
    token = sign_read(verified().read, AGENCY.key, stranger.x5c)
    assert outcome(verify_read, token, AGENCY_ENTRY, NOW) == "not_recipient"


def test_ticket_or_message_is_not_a_read() -> None:
    payload = parse_object(granting.parse_jws_payload(TOWN.make_read(POSTCODE)))
    for typ in ("regie-ticket+jwt", MESSAGE_TYPE, "JWT", "kb+jwt"):
        token = sign_jws(payload, AGENCY.key, typ=typ, header={"x5c": AGENCY.x5c})
        assert outcome(parse_read, token) == "bad_read"


def test_read_signed_with_an_expired_certificate_counts_only_for_who_looks_back() -> None:
    late = NOW + 500 * DAY
    assert outcome(verify_read, TOKEN, AGENCY_ENTRY, late) == "not_recipient"
    assert verify_read(TOKEN, AGENCY_ENTRY, None).read.iat == NOW


@pytest.mark.parametrize(("skew", "code"), [(READ_SKEW, None), (READ_SKEW + 1, "stale"), (-READ_SKEW, None)])
def test_stale_read_is_refused(skew: int, code: str | None) -> None:
    granted = change(TERMS, not_before=NOW - DAY)
    assert outcome(decide, None, granted, now=NOW + skew) == code


def test_read_from_the_future_is_stale() -> None:
    assert outcome(decide, verified(iat=NOW + READ_SKEW + 1)) == "stale"


def test_reply_key_is_the_one_that_was_signed() -> None:
    assert outcome(decide, reply_key=builders.kem("thief").public_bytes()) == "bad_read"


def test_read_for_another_log_slot_or_lock_leaves_no_trace() -> None:
    assert outcome(decide, verified(aud="log.elders.example")) == "bad_read"
    assert outcome(decide, verified(lock=OTHER)) == "unknown_lock"
    assert outcome(decide, verified(slot=TOWN.slot + 1)) == "unknown_lock"
    assert outcome(decide, slot=TOWN.slot + 1) == "unknown_lock"


def test_dates_are_not_before_inclusive_and_not_after_exclusive() -> None:
    assert isinstance(decide(granted=change(TERMS, not_before=NOW)), Admit)
    assert reason(granted=change(TERMS, not_before=NOW + 1)) == "not_yet"
    assert isinstance(decide(granted=change(TERMS, not_before=0, not_after=NOW + 1)), Admit)
    assert reason(granted=change(TERMS, not_before=0, not_after=NOW)) == "expired"


def test_reads_are_spent_at_the_agreed_number() -> None:
    limited = change(TERMS, max_reads=3)
    assert isinstance(decide(granted=limited, reads_done=2), Admit)
    assert reason(granted=limited, reads_done=3) == "reads_spent"
    assert isinstance(decide(reads_done=10**6), Admit)


def test_attribute_outside_the_terms_is_out_of_scope() -> None:
    assert reason(verified(claims=[*TOWN.digests(POSTCODE), OTHER])) == "out_of_scope"


@pytest.mark.parametrize("flag", ["geheimhouding", "inOnderzoek", "opschorting"])
def test_read_cannot_leave_out_a_register_flag(flag: str) -> None:
    flags = {claim.digest for claim in TERMS.claims if claim.path == [flag]}
    named = [digest for digest in TOWN.digests(POSTCODE) if digest not in flags]
    assert reason(verified(claims=named)) == "out_of_scope"


def test_flags_alone_may_be_read() -> None:
    assert isinstance(decide(verified(claims=TOWN.digests(POSTCODE)[1:])), Admit)


def test_flags_of_the_other_credential_do_not_serve() -> None:
    adres, persoon = TOWN.digests(POSTCODE), TOWN.digests(SURNAME)
    assert reason(verified(claims=[adres[0], *persoon])) == "out_of_scope"
    assert isinstance(decide(verified(*ALL)), Admit)


def test_read_for_another_case_is_out_of_scope() -> None:
    for_case = change(TERMS, case=verified().read.case)
    assert isinstance(decide(granted=for_case), Admit)
    assert reason(verified(case=OTHER), for_case) == "out_of_scope"
    assert is_in_scope(TERMS, verified(case=OTHER).read)


def test_read_out_of_context_is_refused() -> None:
    sunday = Context(days=[7])  # NOW is one
    assert isinstance(decide(granted=change(TERMS, context=sunday)), Admit)
    assert reason(granted=change(TERMS, context=Context(days=[1, 2]))) == "out_of_context"
    assert reason(granted=change(TERMS, context=Context(hours=[9, 17]))) == "out_of_context"
    office = change(TERMS, context=Context(zone="office"))
    assert reason(verified(zone="remote"), office) == "out_of_context"


def test_revoked_grant_is_never_read() -> None:
    assert reason(revoked=True) == "revoked"
    assert reason(share_present=False) == "no_share"
    assert reason(revoked=True, share_present=False) == "revoked"


def test_refusals_are_found_in_the_order_of_the_protocol() -> None:
    """Each step removes the first obstacle; the next one is then named."""
    granted = change(TERMS, not_before=NOW + 9, not_after=NOW + 10, max_reads=1, context=Context(days=[1]))
    read = verified(claims=[OTHER])
    state: dict[str, Any] = {"revoked": True, "share_present": False, "reads_done": 1}
    found = [reason(read, granted, **state)]
    for fix in ({"not_before": 0, "not_after": NOW}, {"not_after": NOW + 10}, {"max_reads": None}):
        granted = change(granted, **fix)
        found.append(reason(read, granted, **state))
    read = verified()
    found.append(reason(read, granted, **state))
    granted = change(granted, context=None)
    found.append(reason(read, granted, **state))
    found.append(reason(read, granted, **{**state, "revoked": False}))
    expected = ["not_yet", "expired", "reads_spent", "out_of_scope", "out_of_context", "revoked", "no_share"]
    assert found == expected


@pytest.mark.parametrize(
    ("why", "status"),
    [
        ("not_yet", 403),
        ("expired", 403),
        ("reads_spent", 403),
        ("out_of_scope", 403),
        ("out_of_context", 403),
        ("revoked", 410),
        ("no_share", 410),
    ],
)
def test_refusal_has_its_status_and_code(why: Any, status: int) -> None:
    error = Refusal(why).error()
    assert (error.code, error.status) == (why, status)


def test_opening_of_a_refusal_is_canonical() -> None:
    assert refusal_opening("a.b.c", "revoked") == canonical_bytes({"reason": "revoked", "read": "a.b.c"})
    assert refusal_opening("a.b.c", "revoked") == b'{"read":"a.b.c","reason":"revoked"}'


def test_auditor_decides_the_same_from_the_opening() -> None:
    state = GrantState(TOWN.slot, revoked=True, share_present=False, reads_done=0)
    assert refusal_reason(TERMS, verified().read, state, NOW) == "revoked"


def test_agency_finds_the_reads_it_did_not_make() -> None:
    assert missing_numbers([]) == []
    assert missing_numbers([0, 1, 2]) == []
    assert missing_numbers([4, 1]) == [0, 2, 3]


@given(
    st.lists(st.sampled_from(range(len(TERMS.claims))), unique=True, min_size=1),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
    st.integers(-400, 400),
)
def test_nothing_is_admitted_outside_the_terms(
    chosen: list[int], revoked: bool, share_present: bool, reads_done: int, days: int
) -> None:
    granted = change(TERMS, max_reads=2)
    read = change(verified().read, claims=[TERMS.claims[place].digest for place in chosen])
    state = GrantState(TOWN.slot, revoked, share_present, reads_done)
    now = NOW + days * DAY
    if refusal_reason(granted, read, state, now) is None:
        assert not revoked
        assert share_present
        assert reads_done < 2
        assert granted.not_before <= now < granted.not_after
        touched = {places_of(granted)[place].credential for place in chosen}
        named = {places_of(granted)[place] for place in chosen}
        for place in places_of(granted):
            if place.credential in touched and place.name in builders.flags(place.vct):
                assert place in named
