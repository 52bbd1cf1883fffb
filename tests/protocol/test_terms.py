"""T and the consent element: form, limits, register flags (sections 3 and 4)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode, canonical_bytes, sha256, to_builtins
from protocol.terms import (
    MAX_CLAIMS,
    MAX_ELEMENT_BYTES,
    MAX_READS,
    MAX_TIME,
    Claim,
    Context,
    ElementClaim,
    LogReference,
    Place,
    check_terms,
    parse_element,
    parse_terms,
    places_of,
    terms_bytes,
    terms_hash,
    with_flag_digests,
    with_flags,
)
from tests.protocol import builders
from tests.protocol.builders import ADRES, NOW, PERSOON
from tests.protocol.granting import HUISNUMMER, POSTCODE, change, element, encoded, outcome, terms

TERMS = terms()
PLAIN: dict[str, Any] = to_builtins(TERMS)
OTHER = b64u_encode(sha256(b"other"))
SERVICE = builders.service()


def test_terms_come_back_and_hash_by_their_canonical_form() -> None:
    assert parse_terms(PLAIN) == TERMS
    assert terms_hash(TERMS) == sha256(canonical_bytes(PLAIN))


@given(
    st.text(max_size=20),
    st.integers(1 - 2**53, 2**53 - 1),
    st.text(max_size=9),
    st.lists(st.text(max_size=9), max_size=3),
)
def test_quick_form_of_terms_is_the_canonical_one(log: str, start: int, service: str, path: list[str]) -> None:
    """Also for terms that nobody would accept."""
    claims = [change(TERMS.claims[0], path=path), *TERMS.claims[1:]]
    odd = change(TERMS, log=log, not_before=start, service=service, claims=claims)
    assert terms_bytes(odd) == canonical_bytes(odd)


def test_optional_members_are_absent_not_null() -> None:
    assert not {"max_reads", "case", "context", "on_behalf_of"} & set(PLAIN)
    full = terms(max_reads=1, case=OTHER, context=Context(days=[1]), on_behalf_of=OTHER)
    assert parse_terms(to_builtins(full)) == full


@pytest.mark.parametrize("name", ["max_reads", "case", "context", "on_behalf_of"])
def test_null_is_not_a_second_spelling_of_absent(name: str) -> None:
    assert outcome(parse_terms, {**PLAIN, name: None}) == "bad_terms"


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_no_member_may_be_missing(name: str) -> None:
    assert outcome(parse_terms, {key: value for key, value in PLAIN.items() if key != name}) == "bad_terms"


@pytest.mark.parametrize("value", [None, [], "terms", 7, {}, {**PLAIN, "extra": 1}])
def test_what_is_not_terms_is_outcome(value: Any) -> None:
    assert outcome(parse_terms, value) == "bad_terms"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("type", "urn:regie:terms:2"),
        ("log", ""),
        ("log", "log voorbeeld"),
        ("log", "log+key"),
        ("log", "l" * 129),
        ("lock", b64u_encode(bytes(31))),
        ("lock", b64u_encode(bytes(33))),
        ("lock", PLAIN["lock"][:-1] + "B"),
        ("lock", PLAIN["lock"] + "\n"),
        ("lock", PLAIN["lock"] + "="),
        ("tag_key", ""),
        ("recipient", "0000009900000000100"),
        ("recipient", "gemeente-voorbeeld-1"),
        ("recipient", "٠" * 20),
        ("service", "een dienst"),
        ("service", "s" * 129),
        ("service_version", -1),
        ("service_version", True),
        ("service_version", "1"),
        ("basis", "legitimate_interest"),
        ("claims", []),
        ("not_before", -1),
        ("not_before", 1.5),
        ("not_after", MAX_TIME + 1),
        ("not_after", NOW),
        ("retention", "1 year"),
        ("retention", "P"),
        ("retention", "PT"),
        ("retention", "P1Y\n"),
        ("mode", "copy"),
        ("request_hash", "x"),
        ("version", 0),
        ("version", 2**32),
        ("max_reads", 0),
        ("max_reads", MAX_READS + 1),
        ("case", "Z-2026-1"),
        ("context", {}),
        ("context", {"days": []}),
        ("context", {"days": [8]}),
        ("context", {"days": [0]}),
        ("context", {"days": [2, 1]}),
        ("context", {"days": [1, 1]}),
        ("context", {"hours": [9]}),
        ("context", {"hours": [17, 9]}),
        ("context", {"hours": [9, 9]}),
        ("context", {"hours": [0, 25]}),
        ("context", {"zone": "home"}),
        ("on_behalf_of", "999990019"),
    ],
)
def test_log_refuses_terms_with_a_bad_member(name: str, value: Any) -> None:
    assert outcome(parse_terms, {**PLAIN, name: value}) == "bad_terms"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2**32 - 1),
        ("max_reads", 1),
        ("max_reads", MAX_READS),
        ("not_after", MAX_TIME),
        ("not_after", NOW + 1),
        ("retention", "P0D"),
        ("retention", "PT5M"),
        ("retention", "P1Y6M2W10DT1H"),
        ("log", "l" * 128),
        ("context", {"days": [1, 2, 3, 4, 5, 6, 7], "hours": [0, 24], "zone": "remote"}),
    ],
)
def test_limits_of_members_are_inclusive(name: str, value: Any) -> None:
    assert to_builtins(parse_terms({**PLAIN, name: value}))[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("credential", "a b"),
        ("vct", "urn:regie:nl:geheim:1"),
        ("path", []),
        ("path", ["straat", "naam"]),
        ("path", ["schoenmaat"]),
        ("path", [1]),
        ("path", [None]),
        ("digest", "x"),
        ("size", 512),
        ("size", 1024),
        ("share", "x"),
        ("value", "1234AB"),
    ],
)
def test_log_refuses_terms_with_a_bad_claim(name: str, value: Any) -> None:
    claims = [{**PLAIN["claims"][0], name: value}, *PLAIN["claims"][1:]]
    assert outcome(parse_terms, {**PLAIN, "claims": claims}) == "bad_terms"


def test_no_attribute_and_no_digest_stands_twice() -> None:
    first, second, *rest = TERMS.claims
    assert outcome(check_terms, change(TERMS, claims=[first, *TERMS.claims])) == "bad_terms"
    twice = change(first, digest=OTHER)
    assert outcome(check_terms, change(TERMS, claims=[first, twice, second, *rest])) == "bad_terms"
    same = change(second, digest=first.digest)
    assert outcome(check_terms, change(TERMS, claims=[first, same, *rest])) == "bad_terms"


def test_one_credential_id_is_one_type() -> None:
    """Else a digest of one credential could be sought in the other."""
    mixed = with_flags([POSTCODE, Place("adres", PERSOON, "geslachtsnaam")])
    claims = [
        Claim(place.credential, place.vct, [place.name], b64u_encode(sha256(repr(place).encode())), size, OTHER)
        for place in mixed
        for size in [CREDENTIAL_TYPES[place.vct].by_name[place.name].size]
    ]
    assert outcome(check_terms, change(TERMS, claims=claims)) == "bad_terms"


def _many(count: int) -> list[dict[str, Any]]:
    """`count` claims over as many credential ids as it takes, each with its flags first."""
    claims = []
    for copy in range(8):
        for vct, kind in CREDENTIAL_TYPES.items():
            for attribute in reversed(kind.attributes):
                seed = sha256(f"{copy}{vct}{attribute.name}".encode())
                claims.append(
                    {
                        "credential": f"c{copy}-{kind.configuration_id}",
                        "vct": vct,
                        "path": [attribute.name],
                        "digest": b64u_encode(seed),
                        "size": attribute.size,
                        "share": OTHER,
                    }
                )
    return claims[:count]


def test_number_of_claims_is_limited() -> None:
    parse_terms({**PLAIN, "claims": _many(MAX_CLAIMS)})
    assert outcome(parse_terms, {**PLAIN, "claims": _many(MAX_CLAIMS + 1)}) == "bad_terms"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=50),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from([*sorted(PLAIN), "max_reads", "case", "context", "on_behalf_of"]),
)
def test_no_value_of_a_member_breaks_the_reader(value: Any, name: str) -> None:
    """Either the same terms come back when written, or they are refused."""
    changed = {**PLAIN, name: value}
    code = outcome(parse_terms, changed)
    assert code in ("bad_terms", "flags_missing") or to_builtins(parse_terms(changed)) == changed


@pytest.mark.parametrize("flag", ["geheimhouding", "inOnderzoek", "opschorting"])
def test_wallet_cannot_leave_out_a_register_flag(flag: str) -> None:
    claims = [claim for claim in TERMS.claims if (claim.credential, claim.path) != ("adres", [flag])]
    assert outcome(check_terms, change(TERMS, claims=claims)) == "flags_missing"


def test_flags_of_one_credential_do_not_serve_for_another() -> None:
    claims = [c for c in TERMS.claims if c.credential == "adres" or c.path == ["geslachtsnaam"]]
    assert outcome(check_terms, change(TERMS, claims=claims)) == "flags_missing"


def test_flags_are_added_once_and_after_what_was_chosen() -> None:
    places = with_flags([POSTCODE, HUISNUMMER, POSTCODE])
    assert places[:2] == [POSTCODE, HUISNUMMER]
    assert {place.name for place in places[2:]} == set(builders.flags(ADRES))
    assert with_flags(places) == places
    assert with_flags([]) == []


def test_flags_of_an_unknown_type_are_outcome() -> None:
    assert outcome(with_flags, [Place("x", "urn:regie:nl:geheim:1", "naam")]) == "unknown_vct"


def test_read_names_the_flags_of_the_credentials_it_touches_only() -> None:
    digest = {place: claim.digest for claim, place in zip(TERMS.claims, places_of(TERMS), strict=True)}
    named = with_flag_digests(TERMS, [digest[POSTCODE]])
    assert named[0] == digest[POSTCODE]
    assert {place for place in digest if digest[place] in named} == set(with_flags([POSTCODE]))
    with pytest.raises(ValueError):
        with_flag_digests(TERMS, [OTHER])


def test_element_comes_back() -> None:
    asked = element(max_reads=3, case=OTHER, context=Context(zone="office"))
    assert parse_element(encoded(asked)) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "urn:regie:consent:2"},
        {"credential_ids": []},
        {"credential_ids": ["adres", "persoon"]},
        {"credential_ids": ["gezin"]},
        {"claims": []},
        {"claims": [ElementClaim("adres", ["postcode"], True)] * 2},
        {"claims": [ElementClaim("adres", ["a"] * 2, True)]},
        {"recipient": "1"},
        {"max_not_after": -1},
        {"max_reads": 0},
        {"kem_key": b64u_encode(bytes(1215))},
        {"inbox": "ftp://agency"},
        {"inbox": "https://agency\n"},
        {"inbox": "https://" + "a" * 505},
        {"log": LogReference("log", "javascript:alert(1)")},
        {"ticket": "t" * 8193},
        {"context": Context()},
        {"context": Context(hours=[5, 4])},
    ],
)
def test_wallet_refuses_an_element_of_bad_form(changes: dict[str, Any]) -> None:
    assert outcome(parse_element, encoded(element(**changes))) == "invalid_transaction_data"


@pytest.mark.parametrize("text", ["", "=", "e30", "W10", "bnVsbA", "A" * (MAX_ELEMENT_BYTES * 2)])
def test_wallet_refuses_what_is_no_element(text: str) -> None:
    assert outcome(parse_element, text) == "invalid_transaction_data"


def test_wallet_refuses_an_unknown_member_of_the_element() -> None:
    plain = {**to_builtins(element()), "transaction_data_hashes_alg": ["sha-512"]}
    assert outcome(parse_element, b64u_encode(canonical_bytes(plain))) == "invalid_transaction_data"


@given(st.binary(max_size=300))
def test_no_bytes_break_the_element_reader(data: bytes) -> None:
    assert outcome(parse_element, b64u_encode(data)) == "invalid_transaction_data"


@given(st.integers(0, 3000), st.integers(1, 255))
def test_no_changed_byte_breaks_the_element_reader(place: int, change_by: int) -> None:
    data = bytearray(canonical_bytes(element()))
    data[place % len(data)] ^= change_by
    assert outcome(parse_element, b64u_encode(bytes(data))) in (None, "invalid_transaction_data")
