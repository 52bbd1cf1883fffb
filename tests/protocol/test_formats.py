"""Credentials of strangers by the format registry: read, shown claim by claim, and checked by whoever asked."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import dcql, x509
from protocol.anchors import AnchoredTrust
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode
from protocol.credential import split_sd_jwt
from protocol.errors import Rejected
from protocol.formats import FORMATS, Challenge, VerifiedContent, credential_format
from protocol.issuer_jwt import NO_END
from protocol.keys import Es256Private
from protocol.trust_list import TrustList
from tests.protocol import builders as b
from tests.protocol import foreign as f

SD_JWT_VC = credential_format("dc+sd-jwt")
CHALLENGE = Challenge(b.AGENCY.client_id, b.NONCE)
ANCHORED = b.anchored()
PID = f.pid()


def received(text: str = PID, trust: TrustList = ANCHORED, now: int = b.NOW) -> VerifiedContent:
    return SD_JWT_VC.verify_issued(text, trust, now)


def show(*paths: Sequence[Any], text: str = PID, holder: Es256Private | None = b.HOLDER) -> str:
    return SD_JWT_VC.present(text, paths, holder, CHALLENGE, b.NOW)


def seen(presentation: str, trust: TrustList = ANCHORED, **changes: Any) -> VerifiedContent:
    return SD_JWT_VC.verify_presented(presentation, trust, CHALLENGE, b.NOW, **changes)


def refused(code: str, text: str, trust: TrustList = ANCHORED, now: int = b.NOW) -> None:
    """Refused, and refused again: nothing was remembered by the first try."""
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            received(text, trust, now)
        assert caught.value.code == code


def anchored(**changes: Any) -> AnchoredTrust:
    return b.anchored(**changes)


# The registry


def test_only_one_format_is_known() -> None:
    assert list(FORMATS) == [SD_JWT_VC.identifier] == [dcql.FORMAT]
    with pytest.raises(Rejected, match="unknown_format"):
        credential_format("mso_mdoc")


def test_own_credential_goes_through_the_same_functions() -> None:
    content = received(b.credential(), b.TRUST)
    assert content.is_listed
    assert (content.iss, content.issuer_name) == (b.ISSUER_ID, b.issuer().name)
    assert content.claims == b.attributes_of(b.ADRES)
    assert (content.loa, content.set_id) == ("high", b.set_id())
    assert len(set(content.marks)) == len(CREDENTIAL_TYPES[b.ADRES].names)
    assert SD_JWT_VC.read_card(b.credential()) == content.card
    shown = seen(show(["postcode"], ["huisnummer"], text=b.credential()), b.TRUST)
    assert shown.claims == {"postcode": "1234AB", "huisnummer": 12}
    assert shown.key_binding is not None
    assert shown.key_binding.iat == b.NOW


# Strangers


def test_nested_claims_of_a_stranger_are_read_whole() -> None:
    content = received()
    assert content.claims == f.CLAIMS
    assert (content.vct, content.iss, content.issuer_name) == (f.PID, b.FOREIGN_ID, "Elders")
    assert not content.is_listed
    assert content.holder == b.HOLDER.public
    assert content.status is not None
    assert content.status.idx == 7
    assert content.status_roots == (b.FOREIGN.root,)
    assert SD_JWT_VC.read_card(PID) == content.card


def test_stranger_is_nobody_without_an_anchor() -> None:
    refused("not_listed", PID, b.TRUST)
    refused("not_listed", f.pid(iss=None), b.TRUST)
    refused("not_listed", PID, anchored(id="https://other.example"))
    refused("untrusted_chain", PID, anchored(roots=b.STRANGER.roots))


def test_stranger_issues_only_the_types_of_its_anchor() -> None:
    assert received(trust=anchored(vcts=[f.PID]))
    refused("vct_not_allowed", PID, anchored(vcts=["urn:eudi:pid:1"]))


@pytest.mark.parametrize("vct", CREDENTIAL_TYPES)
def test_any_type_never_means_a_type_of_our_vocabulary(vct: str) -> None:
    refused("vct_not_allowed", b.credential(vct, issuer=b.FOREIGN_ID, signer=b.FOREIGN))


def test_stranger_cannot_issue_in_the_name_of_a_listed_issuer() -> None:
    """By `iss`, and by a certificate that its own authority gave it, with `iss` and without."""
    impostor = b.party("impostor", san_dns="issuer.voorbeeld.example", san_uri=b.ISSUER_ID)
    trust = anchored(roots=impostor.roots)
    refused("vct_not_allowed", f.pid(iss=b.ISSUER_ID), trust)
    refused("vct_not_allowed", f.pid(iss=b.ISSUER_ID, signer=impostor), trust)
    refused("wrong_issuer", f.pid(iss=None, signer=impostor), trust)
    refused("wrong_issuer", f.pid(iss="https://issuer.voorbeeld.example:444", signer=impostor), trust)


@pytest.mark.parametrize(
    "spelling",
    ["{}/", "{}.", "{}:443", "{}:443/", "{}/pid", "{}#pid", "{}:0443", "https://ISSUER.voorbeeld.example", "{}:x"],
)
def test_stranger_cannot_pass_for_a_listed_issuer_by_another_spelling(spelling: str) -> None:
    name = spelling.format(b.ISSUER_ID)
    impostor = b.party("impostor", san_uri=name)
    for iss in (name, None):
        refused("wrong_issuer", f.pid(iss=iss, signer=impostor), anchored(roots=impostor.roots))
    if spelling == "{}/pid":  # a home may name a further issuer of that host by itself
        told = received(f.pid(iss=name, signer=impostor), anchored(roots=impostor.roots, id=name))
        assert (told.iss, told.is_listed) == (name, False)


def test_stranger_cannot_pass_for_a_listed_issuer_by_a_dot() -> None:
    impostor = b.party("impostor", san_dns="issuer.voorbeeld.example.")
    for iss in (f"{b.ISSUER_ID}.", None):
        refused("wrong_issuer", f.pid(iss=iss, signer=impostor), anchored(roots=impostor.roots))


@pytest.mark.parametrize("name", [f"{b.ISSUER_ID}.evil.example", f"{b.ISSUER_ID}:8443", "urn:uuid:1", "did:web:x"])
def test_stranger_may_have_any_name_of_its_own(name: str) -> None:
    other = b.party("other", san_uri=name)
    assert received(f.pid(iss=name, signer=other), anchored(roots=other.roots)).iss == name


@pytest.mark.parametrize(
    ("names", "iss"),
    [
        ({"san_uri": b.FOREIGN_ID, "san_dns": "pid.elders.example"}, b.FOREIGN_ID),
        ({"san_dns": "pid.elders.example"}, "https://pid.elders.example"),
    ],
)
def test_certificate_says_who_issued_what_has_no_iss(names: dict[str, str], iss: str) -> None:
    signer = b.party("foreign", **names)
    content = received(f.pid(iss=None, signer=signer), anchored(roots=signer.roots))
    assert (content.iss, content.is_listed) == (iss, False)


def test_listed_issuer_may_leave_out_iss_too() -> None:
    trust = b.trust_list(issuers=[b.issuer(id="https://x.example"), b.issuer(vcts=[f.PID])])
    content = received(f.pid(iss=None, signer=b.ISSUER), trust)
    assert (content.iss, content.is_listed) == (b.ISSUER_ID, True)


def test_certificate_must_speak_for_iss() -> None:
    refused("wrong_issuer", f.pid(iss="https://elsewhere.example"))


def test_credential_without_end_needs_a_status() -> None:
    assert received(f.pid(exp=None)).exp == NO_END
    assert received(f.pid(status=None)).status is None
    refused("bad_credential", f.pid(exp=None, status=None))
    assert received(f.pid(exp=2**50)).exp == NO_END, "a date that no calendar has"


def test_dates_of_strangers_are_heeded() -> None:
    refused("expired_credential", f.pid(exp=b.NOW))
    refused("not_yet_valid", f.pid(nbf=b.NOW + 1))
    refused("not_yet_valid", f.pid(iat=b.NOW + 61))
    assert received(f.pid(iat=None)).iat == 0


def test_loa_and_set_of_strangers_are_their_own_claims() -> None:
    content = received(f.pid(loa="http://eidas.europa.eu/LoA/high", set=[1]))
    assert content.claims["loa"] == "http://eidas.europa.eu/LoA/high"
    assert content.claims["set"] == [1]
    assert (content.loa, content.set_id) == (None, None)


def test_status_without_a_list_is_refused() -> None:
    """HAIP 1.0 section 6.1: a `status` MUST contain `status_list`; another mechanism would go unchecked."""
    refused("bad_form", f.pid(status={"identifier_list": {"id": "1"}}))


def test_number_without_bound_is_refused() -> None:
    parts = f.pid().split("~")
    huge = b64u_encode(b'["c2FsdA","height",1e999]')
    with pytest.raises(Rejected, match="bad_json"):
        received("~".join((*parts[:-1], huge, "")))


def test_own_type_takes_no_fractions() -> None:
    with pytest.raises(Rejected, match="bad_json"):
        received(b.credential() + b64u_encode(b'["c2FsdA","height",1.5]') + "~", b.TRUST)


# Showing


@pytest.mark.parametrize(
    ("paths", "shown", "labels"),
    [
        ([], {"address": None}, []),
        ([["given_name"]], {"given_name": "Erika"}, ["given_name"]),
        (
            [["address", "locality"]],
            {"address": {"country": "DE", "locality": "Köln"}},
            ["locality", "address"],
        ),
        ([["address", "country"]], {"address": {"country": "DE"}}, ["address"]),
        ([["address"]], {"address": f.CLAIMS["address"]}, ["locality", "street_address", "address"]),
        ([["nationalities", 1]], {"nationalities": ["DE", "NL"]}, ["NL"]),
        ([["nationalities", 0]], {"nationalities": ["DE"]}, []),
        ([["nationalities", None]], {"nationalities": ["DE", "NL"]}, ["NL"]),
        ([["age_equal_or_over", "18"]], {"age_equal_or_over": {"18": True}}, ["18"]),
        (
            [["degrees", None, "type"]],
            {"degrees": [f.CLAIMS["degrees"][0], {"type": "MSc"}]},
            ["degree"],
        ),
        ([["degrees", 1, "university"]], {"degrees": f.CLAIMS["degrees"]}, ["university", "degree"]),
        ([["degrees"]], {"degrees": f.CLAIMS["degrees"]}, ["university", "degree"]),
    ],
    ids=str,
)
def test_exactly_what_was_asked_is_revealed(paths: Any, shown: dict[str, Any], labels: list[str]) -> None:
    """Parents go along and what lies within; nothing else (OpenID4VP 6.4, 7.3)."""
    presentation = show(*paths)
    revealed = [name for name, one in f.DISCLOSURES.items() if one in split_sd_jwt(presentation).disclosures]
    assert sorted(revealed) == sorted(labels)
    claims = seen(presentation).claims
    for name, value in shown.items():
        assert claims.get(name) == value
    always = {"nationalities", "age_equal_or_over", "degrees"}
    assert set(claims) <= always | set(shown)


@pytest.mark.parametrize(
    "path",
    [
        ["x"], ["address", "x"], ["nationalities", 2], ["given_name", 0], ["_sd"], ["address", None],
        ["age_equal_or_over", 18],
    ],
)  # fmt: skip
def test_path_that_selects_nothing_cannot_be_shown(path: list[Any]) -> None:
    with pytest.raises(Rejected, match="not_satisfiable"):
        show(["given_name"], path)


PATHS = [
    ["given_name"], ["height"], ["address"], ["address", "locality"], ["address", "country"], ["nationalities", 1],
    ["nationalities", None], ["age_equal_or_over", "65"], ["degrees", None, "university"], ["degrees", 1],
]  # fmt: skip


@settings(max_examples=30)
@given(st.lists(st.sampled_from(PATHS), max_size=4))
def test_what_is_shown_answers_what_was_asked(paths: list[Any]) -> None:
    claims = seen(show(*paths)).claims
    for path in paths:
        assert dcql.select(claims, path) == dcql.select(f.CLAIMS, path)


def test_authority_of_a_chain_is_found_by_its_key_id() -> None:
    """The root's SubjectKeyIdentifier is the leaf's AuthorityKeyIdentifier (DCQL `aki`)."""
    card = SD_JWT_VC.read_card(PID)
    root = x509.x509.load_der_x509_certificate(b.FOREIGN.root)
    digest = root.extensions.get_extension_for_class(x509.x509.SubjectKeyIdentifier).value.digest
    assert card.authorities == {b64u_encode(digest)}
    assert SD_JWT_VC.read_card(b.credential()).authorities.isdisjoint(card.authorities)


def test_transaction_data_hashes_come_along() -> None:
    presentation = SD_JWT_VC.present(
        PID, [], b.HOLDER, CHALLENGE, b.NOW, transaction_data_hashes=[bytes(range(32))]
    )
    binding = seen(presentation).key_binding
    assert binding is not None
    assert binding.transaction_data_hashes == (bytes(range(32)),)


# Bound to nobody


def test_credential_that_is_bound_to_no_key_is_taken_only_where_the_query_allows_it() -> None:
    loose = show(["given_name"], text=f.pid(cnf=None), holder=None)
    assert loose.endswith("~")
    content = seen(loose, allow_unbound=True)
    assert (content.holder, content.key_binding) == (None, None)
    assert content.claims["given_name"] == "Erika"
    with pytest.raises(Rejected, match="no_key_binding"):
        seen(loose)


def test_stripped_key_binding_is_refused_also_where_the_query_needs_none() -> None:
    stripped = show(["given_name"], holder=None)
    for allow_unbound in (False, True):
        with pytest.raises(Rejected, match="no_key_binding"):
            seen(stripped, allow_unbound=allow_unbound)


def test_key_binding_of_a_credential_without_a_key_proves_nothing() -> None:
    with pytest.raises(Rejected, match="no_holder"):
        seen(show(["given_name"], text=f.pid(cnf=None)), allow_unbound=True)


def test_own_type_is_always_bound() -> None:
    with pytest.raises(Rejected, match="bad_form"):
        received(f.pid(vct=b.ADRES, cnf=None, signer=b.ISSUER, iss=b.ISSUER_ID), b.TRUST)
