"""Strangers by configuration: who comes in, for what, and that nobody listed is changed by it."""

import json
from typing import Any

import pytest

from protocol import x509
from protocol.anchors import (
    NO_ANCHORS,
    Anchors,
    StrangerIssuer,
    parse_anchors,
    verify_stranger_issuer,
    with_anchors,
)
from protocol.canonical import to_builtins
from protocol.errors import Rejected
from protocol.trust_list import agency_of_leaf
from tests.protocol import builders as b
from tests.protocol.builders import DAY, NOW

CARD = "urn:example:card"
ELSEWHERE = b.party("elsewhere", san_dns="id.elsewhere.example", san_uri="https://id.elsewhere.example/a")
BY_NAME = b.party("by name", san_dns="cards.example")
SHOP = b.party("shop", san_dns="shop.example")


def issuer(**changes: Any) -> dict[str, Any]:
    return {"name": "Elsewhere", "roots": ELSEWHERE.roots, "vcts": ["*"], **changes}


def parsed(**members: Any) -> Anchors:
    return parse_anchors(json.dumps(members).encode())


def code_of(**members: Any) -> str:
    with pytest.raises(Rejected) as caught:
        parsed(**members)
    return caught.value.code


def refusal(anchors: Anchors, chain: list[bytes], iss: str | None, vct: str = CARD, now: int = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        verify_stranger_issuer(anchors, chain, iss=iss, vct=vct, now=now)
    return caught.value.code


def test_home_without_the_file_trusts_nobody_besides() -> None:
    assert parsed() == NO_ANCHORS
    assert refusal(NO_ANCHORS, [ELSEWHERE.leaf], None) == "not_listed"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"issuers": [issuer(), {**issuer(), "surprise": 1}]}, "bad_form"),
        ({"issuer": []}, "bad_form"),
        ({"issuers": [issuer(roots=[])]}, "bad_form"),
        ({"issuers": [issuer(vcts=[])]}, "bad_form"),
        ({"issuers": [issuer(id="ftp://x")]}, "bad_form"),
        ({"issuers": [issuer(vcts=["*", CARD])]}, "bad_vcts"),
        ({"issuers": [issuer(roots=["AAAA"])]}, "bad_certificate"),
        ({"issuers": [issuer(id=b.ISSUER_ID), issuer(id=b.ISSUER_ID)]}, "duplicate_entry"),
        ({"verifiers": [{"name": "Shop", "roots": ["AAAA"]}]}, "bad_certificate"),
        ({"verifiers": [{"roots": SHOP.roots}]}, "bad_form"),
        ({"wallet_providers": [{"id": b.ISSUER_ID, "name": "W", "roots": SHOP.roots}] * 2}, "duplicate_entry"),
        ({"registration_roots": ["AAAA"]}, "bad_certificate"),
        ({"agencies": [to_builtins(b.agency())]}, "bad_form"),
        (
            {"verifiers": [{"name": "Self-registered", "roots": SHOP.roots}], "registration_roots": SHOP.roots},
            "root_taken",
        ),
    ],
)
def test_file_that_is_not_what_it_should_be_is_refused(members: dict[str, Any], code: str) -> None:
    assert code_of(**members) == code


def test_stranger_is_known_by_iss_by_uri_or_by_host() -> None:
    anchors = parsed(issuers=[issuer(), issuer(roots=BY_NAME.roots)])
    for party, iss, known_as in (
        (ELSEWHERE, "https://id.elsewhere.example/a", "https://id.elsewhere.example/a"),
        (ELSEWHERE, "https://id.elsewhere.example/b", "https://id.elsewhere.example/b"),  # its host is a dNSName
        (ELSEWHERE, None, "https://id.elsewhere.example/a"),
        (BY_NAME, "https://cards.example/x", "https://cards.example/x"),
        (BY_NAME, None, "https://cards.example"),
    ):
        found = verify_stranger_issuer(anchors, [party.leaf], iss=iss, vct=CARD, now=NOW)
        assert found.id == known_as
        assert found.leaf.der == party.leaf


def test_certificate_that_does_not_speak_for_iss_is_refused() -> None:
    anchors = parsed(issuers=[issuer()])
    for iss in ("https://issuer.voorbeeld.example", "https://id.elsewhere.example.evil.example", "https://[", ""):
        assert refusal(anchors, [ELSEWHERE.leaf], iss) == "wrong_issuer"


def test_entry_with_an_id_is_for_that_issuer_alone() -> None:
    anchors = parsed(issuers=[issuer(id="https://id.elsewhere.example/a")])
    assert verify_stranger_issuer(anchors, [ELSEWHERE.leaf], iss=None, vct=CARD, now=NOW).id.endswith("/a")
    assert refusal(anchors, [ELSEWHERE.leaf], "https://id.elsewhere.example/b") == "not_listed"
    other = parsed(issuers=[issuer(id="https://other.example")])
    assert refusal(other, [ELSEWHERE.leaf], None) == "wrong_issuer"
    assert refusal(other, [ELSEWHERE.leaf], "https://other.example") == "wrong_issuer"


def test_stranger_cannot_issue_the_types_of_our_vocabulary_unless_the_home_names_them() -> None:
    anything = parsed(issuers=[issuer()])
    assert refusal(anything, [ELSEWHERE.leaf], None, b.PERSOON) == "vct_not_allowed"
    assert refusal(parsed(issuers=[issuer(vcts=[CARD])]), [ELSEWHERE.leaf], None, "urn:x") == "vct_not_allowed"
    named = parsed(issuers=[issuer(vcts=[b.PERSOON])])
    assert verify_stranger_issuer(named, [ELSEWHERE.leaf], iss=None, vct=b.PERSOON, now=NOW).issuer.vcts
    assert not StrangerIssuer(name="x", roots=ELSEWHERE.roots, vcts=["*"]).may_issue(b.ADRES)


def test_chain_to_a_root_of_somebody_else_is_refused() -> None:
    anchors = parsed(issuers=[issuer()], verifiers=[{"name": "Shops", "roots": SHOP.roots}])
    assert refusal(anchors, [BY_NAME.leaf], None) == "untrusted_chain"
    assert refusal(anchors, [ELSEWHERE.root], None) == "bad_chain"
    assert refusal(anchors, [], None) == "bad_chain"
    assert refusal(anchors, [ELSEWHERE.leaf], None, now=NOW + 500 * DAY) == "certificate_expired"


def test_leaf_without_names_is_nobody() -> None:
    key, root_key = b.es256("nameless"), b.es256("nameless root")
    root = x509.make_root(root_key, "nameless", serial=1, not_before=NOW - 1, not_after=NOW + DAY)
    leaf = x509.make_leaf(
        key.public, "x", root_key, root, san_uri="", serial=2, not_before=NOW - 1, not_after=NOW + DAY
    )
    anchors = parsed(issuers=[issuer(roots=x509.x5c([root]))])
    assert refusal(anchors, [leaf], None) == "wrong_issuer"


def test_anchors_add_to_the_list_and_change_nothing_in_it() -> None:
    provider = {"id": "https://wallet.example", "name": "Elsewhere's", "roots": ELSEWHERE.roots}
    anchors = parsed(
        issuers=[issuer(id=b.ISSUER_ID)],
        verifiers=[{"name": "Agency's own root", "roots": b.AGENCY.roots}],
        wallet_providers=[provider],
        registration_roots=SHOP.roots,
    )
    view = with_anchors(b.TRUST, anchors)
    assert view.issuer(b.ISSUER_ID) == b.TRUST.issuer(b.ISSUER_ID)
    assert agency_of_leaf(view, [b.AGENCY.leaf], NOW) == agency_of_leaf(b.TRUST, [b.AGENCY.leaf], NOW)
    assert view.wallet_provider("https://wallet.example").name == "Elsewhere's"
    assert view.registration_roots == SHOP.roots
    assert view.anchors is anchors
    assert b.TRUST.wallet_providers == []
    with pytest.raises(Rejected):
        agency_of_leaf(view, [SHOP.leaf], NOW)


def test_wallet_provider_of_the_list_is_not_replaced_by_one_of_the_same_id() -> None:
    listed = with_anchors(
        b.TRUST, parsed(wallet_providers=[{"id": "https://w", "name": "L", "roots": SHOP.roots}])
    )
    again = with_anchors(
        listed, parsed(wallet_providers=[{"id": "https://w", "name": "X", "roots": b.ISSUER.roots}])
    )
    assert again.wallet_provider("https://w").name == "L"
