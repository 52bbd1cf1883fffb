"""A mandate: who may issue one, and that nothing under it is ever wider than it (protocol section 10)."""

from typing import Any

import pytest

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.credential import split_sd_jwt, verify_credential
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from protocol.issuer_jwt import verify_issuer_jwt
from protocol.jws import sign_jws
from protocol.mandate import (
    MANDATE_TYPE,
    MAX_LOCKS,
    check_mandated,
    check_signers,
    lock_digest,
    lock_digests,
    lock_salt,
    mandate_hash,
    narrowed_names,
    verify_mandate,
)
from protocol.revocation_code import code_from_seed, lock_for
from protocol.terms import Terms, terms_bytes
from tests.protocol import builders, granting
from tests.protocol import mandates as m
from tests.protocol.builders import ADRES, AGENCY_ID, DAY, ISSUER, NOW, PERSOON, SERVICE_ID, TRUST
from tests.protocol.granting import HUISNUMMER, POSTCODE, outcome
from tests.protocol.peer_input import forge, payload_of

OPEN = m.token()
NARROW = m.token(
    claims=[{"vct": ADRES, "names": ["postcode"]}],
    services=[{"recipient": AGENCY_ID, "service": SERVICE_ID}],
    until=NOW + 100 * DAY,
)
X5C = {"x5c": ISSUER.x5c}


def terms(token: str = OPEN, places: Any = (POSTCODE,), **changes: Any) -> Terms:
    members = {"lock": m.lock(), "on_behalf_of": m.behalf(token), "not_after": NOW + 50 * DAY, **changes}
    return granting.terms(places, **members)


def checked(own: Terms, token: str = OPEN, **shown: Any) -> str | None:
    return outcome(check_mandated, own, verify_mandate(m.shown(token, **shown), TRUST, NOW))


def signed(payload: dict[str, Any], signer: builders.Party = ISSUER) -> str:
    return sign_jws(payload, signer.key, typ=MANDATE_TYPE, header={"x5c": signer.x5c})


def test_mandate_names_nobody() -> None:
    """Agency and log see it: no name, number, kind of relation or holder key is in it."""
    assert set(payload_of(NARROW)) == {"iss", "iat", "until", "id", "signers", "locks", "claims", "services"}


def test_what_an_issuer_signs_is_read_back() -> None:
    found = verify_mandate(NARROW, TRUST, NOW)
    assert (found.token, found.hash, found.iss, found.salt) == (
        NARROW, sha256(NARROW.encode()), builders.ISSUER_ID, None,
    )  # fmt: skip
    shown = verify_mandate(m.shown(NARROW), TRUST, NOW)
    assert (shown.hash, shown.salt) == (found.hash, lock_salt(m.CODE, 1))


def test_every_version_of_every_code_has_its_lock_in_the_mandate() -> None:
    digests = lock_digests(m.SEED)
    assert len(set(digests)) == MAX_LOCKS
    code = code_from_seed(m.SEED, 31)
    assert b64u_encode(lock_digest(lock_salt(code, 4), lock_for(code, 4))) == digests[-1]


def test_attack_agency_looks_for_other_grants_of_its_client_in_the_public_leaves() -> None:
    """The locks of all grants stand in public leaves; nothing in the mandate can be held against them."""
    shown = m.shown(OPEN)
    locks = [lock_for(code_from_seed(m.SEED, i), version) for i in range(32) for version in range(1, 5)]
    _, _, salt = shown.partition("~")
    tried = {b64u_encode(lock_digest(b64u_decode(salt), lock)) for lock in locks}
    assert tried & set(payload_of(OPEN)["locks"]) == {lock_digests(m.SEED)[0]}
    assert not {b64u_encode(lock) for lock in locks} & set(payload_of(OPEN)["locks"])


@pytest.mark.parametrize(
    "token",
    [
        m.token(builders.STRANGER),
        m.token(iss="https://elders.example"),
        m.token(builders.FOREIGN, iss=builders.FOREIGN_ID),
        m.token(builders.AGENCY),
        OPEN[:-4] + "AAAA",
        signed({**payload_of(OPEN), "on_behalf_of": m.behalf(NARROW)}),
        signed({**payload_of(OPEN), "name": "Jiska"}),
        signed({**payload_of(OPEN), "until": NOW}),
        signed({**payload_of(OPEN), "iat": NOW + 61}),
        signed({**payload_of(OPEN), "signers": []}),
        signed({**payload_of(OPEN), "signers": [[1], []]}),
        signed({**payload_of(OPEN), "signers": [[1, 1]]}),
        signed({**payload_of(OPEN), "locks": [lock_digests(m.SEED)[0]] * 2}),
        signed({**payload_of(OPEN), "claims": [{"vct": "urn:regie:nl:rijbewijs:1", "names": ["x"]}]}),
        forge(payload_of(OPEN), ISSUER.key, "dc+sd-jwt", X5C),
        f"{OPEN}~AAAA",
    ],
    ids=[
        "same names under another root", "issuer that is not listed", "issuer of a home's anchors", "an agency",
        "another signature", "chain: a mandate under another one", "personal data", "ends before it begins",
        "of tomorrow", "nobody signs", "a group of nobody", "one party twice", "one lock twice",
        "a type that the issuer may not issue", "a credential as a mandate", "half a salt",
    ],
)  # fmt: skip
def test_mandate_that_no_listed_issuer_made(token: str) -> None:
    with pytest.raises(Rejected) as refusal:
        verify_mandate(token, builders.anchored(), NOW)
    assert (refusal.value.code, refusal.value.status) == ("bad_mandate", 403)


def test_attack_party_passes_its_mandate_on() -> None:
    """A chain: the holder of a credential signs a mandate for a friend with the key of that credential."""
    payload = {**payload_of(OPEN), "signers": [[2]]}
    card = split_sd_jwt(m.card(OPEN)).jwt
    for header in ({"x5c": ISSUER.x5c}, {"kid": "holder"}, {}):
        token = sign_jws(payload, m.HOLDERS[1], typ=MANDATE_TYPE, header=header)
        assert outcome(verify_mandate, token, TRUST, NOW) == "bad_mandate"
    assert outcome(verify_mandate, card, TRUST, NOW) == "bad_mandate"


def test_mandate_ends() -> None:
    assert outcome(verify_mandate, NARROW, TRUST, NOW + 100 * DAY - 1) is None
    assert outcome(verify_mandate, NARROW, TRUST, NOW + 100 * DAY) == "mandate_ended"


def test_terms_within_the_mandate() -> None:
    assert checked(terms(NARROW), NARROW) is None
    assert checked(terms(OPEN, granting.ALL), OPEN) is None
    assert checked(terms(NARROW, not_after=NOW + 100 * DAY), NARROW) is None


STRETCHED = {
    "another service": {"service": "schuldhulp"},
    "another agency": {"recipient": "00000099000000009999"},
    "an attribute more": {"places": (POSTCODE, HUISNUMMER)},
    "another card": {"places": (POSTCODE, granting.SURNAME)},
    "a second longer": {"not_after": NOW + 100 * DAY + 1},
    "a foreign lock": {"lock": b64u_encode(lock_for(granting.CODE, 1))},
    "a lock of another version": {"lock": m.lock(2), "version": 2},
}


@pytest.mark.parametrize("changes", STRETCHED.values(), ids=STRETCHED)
def test_attack_mandate_is_stretched(changes: dict[str, Any]) -> None:
    assert checked(terms(NARROW, **changes), NARROW) == "mandate_widened"


def test_attack_lock_that_only_the_party_itself_can_open() -> None:
    """With the salt of a code that the others do not have; and a mandate that is shown for no lock at all."""
    own = code_from_seed(sha256(b"the party's own seed"), 0)
    assert checked(terms(lock=m.lock(1, own)), OPEN, code=own) == "mandate_widened"
    assert outcome(check_mandated, terms(), verify_mandate(OPEN, TRUST, NOW)) == "mandate_widened"


def test_attack_lock_of_a_version_that_the_others_do_not_look_for() -> None:
    """They look for version 1 of every code; this is version 2 of code 5 in a first grant, salt and all."""
    code = code_from_seed(m.SEED, 5)
    assert checked(terms(lock=m.lock(2, code)), OPEN, code=code, version=2) == "mandate_widened"
    assert checked(terms(lock=m.lock(1, code)), OPEN, code=code) is None


def test_terms_of_another_mandate_or_of_none() -> None:
    assert checked(terms(NARROW), OPEN) == "bad_mandate"
    assert checked(terms(on_behalf_of=None), OPEN) == "bad_mandate"


@pytest.mark.parametrize(
    ("signers", "parties", "is_enough"),
    [
        ([[1]], {1}, True),
        ([[1]], {0, 2}, False),
        ([[1, 2]], {2}, True),
        ([[1], [2]], {1}, False),
        ([[1], [2]], {1, 2}, True),
        ([[0], [1, 2]], {1, 2}, False),
        ([[0], [1, 2]], {0, 2}, True),
        ([[0], [1, 2]], set(), False),
    ],
)
def test_one_of_each_group_signs(signers: list[list[int]], parties: set[int], is_enough: bool) -> None:
    found = outcome(check_signers, m.mandate(signers=signers), parties)
    assert found == (None if is_enough else "mandate_signature_missing")


def test_names_that_an_issuer_opens() -> None:
    flags = set(builders.flags(ADRES))
    assert narrowed_names(m.mandate(), [ADRES]) == {ADRES: frozenset(CREDENTIAL_TYPES[ADRES].names)}
    named = m.mandate(claims=[{"vct": ADRES, "names": ["postcode", "nosuch"]}])
    assert narrowed_names(named, [ADRES, PERSOON, "urn:x"]) == {ADRES: {"postcode", *flags}}


# Credentials under a mandate.


def test_credential_of_a_party_is_narrowed_and_says_so() -> None:
    text = m.card(NARROW, names=["postcode"])
    found = verify_credential(text, TRUST, NOW).issuer_jwt
    assert (found.vct, found.mandate, found.party) == (ADRES, mandate_hash(NARROW), 1)
    assert found.payload["vct"] == "urn:regie:nl:adres:1:namens"
    names = {parse_disclosure(one).name for one in split_sd_jwt(text).disclosures}
    assert names == {"postcode", *builders.flags(ADRES)}
    plain = verify_credential(builders.credential(), TRUST, NOW).issuer_jwt
    assert (len(found.digests), plain.mandate, plain.party) == (len(plain.digests), None, None)


def test_claims_of_such_a_credential_are_only_about_the_person() -> None:
    assert set(verify_credential(m.card(OPEN), TRUST, NOW).claims) == set(CREDENTIAL_TYPES[ADRES].names)


@pytest.mark.parametrize(
    "changes",
    [
        {"vct": ADRES},
        {"mandate": None},
        {"party": None},
        {"mandate": None, "party": None},
        {"vct": ADRES, "mandate": None},
        {"vct": ADRES, "party": None},
    ],
)
def test_half_a_mandate_in_a_credential_is_refused(changes: dict[str, Any]) -> None:
    payload = {**payload_of(split_sd_jwt(m.card(OPEN)).jwt), **changes}
    payload = {name: value for name, value in payload.items() if value is not None}
    assert outcome(verify_issuer_jwt, forge(payload, ISSUER.key, "dc+sd-jwt", X5C), TRUST, NOW) == "bad_mandate"


def test_type_of_a_mandated_credential_is_ours_at_a_home_with_anchors_too() -> None:
    """An issuer abroad that may issue any type of others makes none of ours by writing `:namens` behind it."""
    payload = payload_of(split_sd_jwt(m.card(OPEN)).jwt) | {"iss": builders.FOREIGN_ID}
    token = forge(payload, builders.FOREIGN.key, "dc+sd-jwt", {"x5c": builders.FOREIGN.x5c})
    assert outcome(verify_issuer_jwt, token, builders.anchored(), NOW) is not None


def test_a_flag_may_not_be_missing() -> None:
    parts = split_sd_jwt(m.card(OPEN))
    for flag in builders.flags(ADRES):
        kept = [one for one in parts.disclosures if parse_disclosure(one).name != flag]
        text = "~".join((parts.jwt, *kept, ""))
        assert outcome(verify_credential, text, TRUST, NOW) == "incomplete_credential"


@pytest.mark.parametrize(
    "changes",
    [
        {"party": None},
        {"mandate": None},
        {"mandate": None, "party": None, "names": ["postcode"]},
        {"mandate": b"short"},
        {"names": ["no such attribute"]},
    ],
)
def test_issuer_makes_no_half_mandates(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"mandate|narrowed|attribute"):
        builders.credential(**{"mandate": bytes(32), "party": 1, **changes})


@pytest.mark.parametrize("changes", [{"until": NOW}, {"signers": [[1, 1]]}, {"iss": "x" * 513}])
def test_issuer_signs_no_mandate_that_nobody_would_read(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, Rejected)):
        m.token(**changes)


def test_terms_hash_holds_the_mandate() -> None:
    assert m.behalf(OPEN).encode() in terms_bytes(terms())
