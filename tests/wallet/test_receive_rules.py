"""What the wallet decides about issuers, as values: limits at n and n + 1."""

from typing import Any

import pytest

from protocol.anchors import StrangerIssuer, with_anchors
from protocol.errors import Rejected
from protocol.issuer_metadata import (
    AuthorizationServerMetadata,
    BatchIssuance,
    CredentialConfiguration,
    IssuerMetadata,
)
from protocol.oauth import AuthorizationDetail, TokenResponse
from protocol.openid4vci import AuthorizationCodeGrant, CredentialOffer, OfferGrants, PreAuthorizedGrant, TxCode
from tests.protocol import strangers
from tests.protocol.builders import ISSUER_ID, NOW, TRUST
from wallet.errand_receive import MAX_IDENTIFIERS, named
from wallet.errand_refill import LOW, RENEW_SECONDS, runs_low
from wallet.receive import (
    MAX_COPIES,
    MAX_TITLE,
    Batch,
    choose_grant,
    choose_server,
    find_source,
    plan_batches,
    wants_attestation,
)
from wallet.records import Access, Copy

TRUSTED = strangers.trust()
UNIVERSITY = find_source(strangers.UNIVERSITY_ID, TRUSTED)
PROOFS = {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}}
ACCESS = Access("https://a.example", "https://a.example", "x", None, False, ["diploma"], "t", "DPoP", 0,
                signed_by=["https://a.example"])  # fmt: skip


def metadata(issuer: str = strangers.UNIVERSITY_ID, **changes: Any) -> IssuerMetadata:
    configuration = CredentialConfiguration(
        "dc+sd-jwt",
        strangers.DIPLOMA,
        proof_types_supported=PROOFS,
        cryptographic_binding_methods_supported=["jwk"],
        **{name: changes.pop(name) for name in ("credential_metadata", "scope") if name in changes},
    )
    return IssuerMetadata(issuer, f"{issuer}/credential", {"diploma": configuration}, **changes)


def copies(count: int, *, exp: int = NOW + 2 * RENEW_SECONDS, spent: int = 0, received: int = NOW) -> list[Copy]:
    return [
        Copy("https://a.example", "diploma", "v", "", "b", n, "c", NOW, exp, received,
             agency="x" if n < spent else None)
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "low"),
    [
        (copies(20, spent=20 - LOW), False),
        (copies(20, spent=21 - LOW), True),
        (copies(4, spent=1), False),
        (copies(4, spent=2), True),
        (copies(1), False),
        (copies(1, spent=1), True),
        (copies(20, exp=NOW + RENEW_SECONDS), True),
        (copies(20, exp=NOW + RENEW_SECONDS + 1), False),
        (copies(20, spent=20, received=NOW - 1) + copies(4), False),
        ([], False),
    ],
)
def test_card_runs_low(held: list[Copy], low: bool) -> None:
    assert runs_low(ACCESS, held, NOW) is low


def test_copies_of_another_issuer_do_not_fill_a_card() -> None:
    elsewhere = [Copy("https://b.example", "diploma", "v", "", "b", 0, "c", NOW, NOW * 2, NOW)] * 20
    assert runs_low(ACCESS, [*copies(4, spent=4), *elsewhere], NOW)


def token(*names: str, configuration: str = "diploma") -> TokenResponse:
    detail = AuthorizationDetail("openid_credential", configuration, list(names))
    return TokenResponse("a", "DPoP", authorization_details=[detail])


def test_identifiers_of_a_token_have_a_limit() -> None:
    batch = Batch("diploma", strangers.DIPLOMA, 4)
    names = [str(n) for n in range(MAX_IDENTIFIERS)]
    assert named(token(*names), batch) == names
    assert named(token(), batch) == [None]
    assert named(TokenResponse("a", "DPoP"), batch) == [None]
    for refused in (token(*names, "one more"), token(configuration="minor")):
        with pytest.raises(Rejected):
            named(refused, batch)


@pytest.mark.parametrize(("size", "asked"), [(None, 1), (2, 2), (MAX_COPIES, 20), (MAX_COPIES + 1, 20)])
def test_copies_to_ask(size: int | None, asked: int) -> None:
    offered = metadata(batch_credential_issuance=None if size is None else BatchIssuance(size))
    (batch,) = plan_batches(offered, ["diploma"], UNIVERSITY)
    assert batch.copies == asked


@pytest.mark.parametrize(
    ("display", "title"),
    [
        (None, ""),
        ([], ""),
        ("Diploma", ""),
        ([{"name": "Degree", "locale": "en-GB"}, {"name": "Diploma", "locale": "nl-NL"}], "Diploma"),
        ([{"name": "Urkunde", "locale": "de"}, {"name": "Degree", "locale": "en"}], "Degree"),
        ([{"name": "Urkunde"}], "Urkunde"),
        ([{"name": 5}, "x", {"locale": 7}], ""),
        ([{"name": "a" * MAX_TITLE}], "a" * MAX_TITLE),
        ([{"name": "a" * (MAX_TITLE + 1)}], "a" * MAX_TITLE),
        ([{"name": "Di\u202eplo\x1b[2Jma"}], "Diplo[2Jma"),
    ],
)
def test_title_of_a_card(display: Any, title: str) -> None:
    (batch,) = plan_batches(metadata(credential_metadata={"display": display}), ["diploma"], UNIVERSITY)
    assert batch.title == title


def test_server_is_the_issuer_unless_it_names_others() -> None:
    assert choose_server(metadata(), None, UNIVERSITY) == strangers.UNIVERSITY_ID
    two = metadata(authorization_servers=["https://one.example", "https://two.example"])
    assert choose_server(two, None, UNIVERSITY) == "https://one.example"
    assert choose_server(two, "https://two.example", UNIVERSITY) == "https://two.example"
    listed = find_source(ISSUER_ID, TRUSTED)
    assert choose_server(metadata(ISSUER_ID, authorization_servers=[f"{ISSUER_ID}/as"]), None, listed)
    for source, offered, wanted in ((UNIVERSITY, two, "https://evil.example"), (listed, two, None)):
        with pytest.raises(Rejected) as refusal:
            choose_server(offered, wanted, source)
        assert refusal.value.code == "bad_metadata"


def test_code_goes_before_a_login() -> None:
    code, login = PreAuthorizedGrant("c", TxCode()), AuthorizationCodeGrant("s")

    def offer(**grants: Any) -> CredentialOffer:
        return CredentialOffer(ISSUER_ID, ["adres"], OfferGrants(**grants))

    assert choose_grant(offer(pre_authorized=code, authorization_code=login), "1") == code
    assert choose_grant(offer(authorization_code=login), None) == login
    assert choose_grant(offer(), None) == AuthorizationCodeGrant()
    assert choose_grant(CredentialOffer(ISSUER_ID, ["adres"]), None) == AuthorizationCodeGrant()
    with pytest.raises(Rejected, match="need_tx_code"):
        choose_grant(offer(pre_authorized=code, authorization_code=login), None)


@pytest.mark.parametrize(
    ("members", "login", "wanted"),
    [
        ({}, True, False),
        ({"token_endpoint_auth_methods_supported": ["none"]}, True, False),
        ({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth", "none"]}, True, True),
        ({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"]}, False, True),
        ({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"],
          "pre_authorized_anonymous": True}, False, False),
        ({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"],
          "client_attestation_signing_alg_values_supported": ["EdDSA"]}, True, False),
        ({"token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"],
          "client_attestation_pop_signing_alg_values_supported": ["EdDSA"]}, True, False),
    ],
)  # fmt: skip
def test_when_the_wallet_shows_an_attestation(members: dict[str, Any], login: bool, wanted: bool) -> None:
    server = AuthorizationServerMetadata("https://a.example", **members)
    assert wants_attestation(server, login=login) is wanted


def test_listed_issuer_goes_before_an_anchor_of_its_name() -> None:
    entry = StrangerIssuer(id=ISSUER_ID, name="evil", roots=strangers.UNIVERSITY.roots, vcts=["*"])
    source = find_source(ISSUER_ID, with_anchors(TRUST, strangers.anchors(issuers=[entry])))
    assert source.is_listed
    assert source.name != "evil"
    with pytest.raises(Rejected, match="unknown_issuer"):
        find_source("https://nobody.example", TRUSTED)
