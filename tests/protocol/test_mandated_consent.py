"""An agency looks at a grant on behalf of somebody: it refuses alone, whatever wallet and log let through."""

from typing import Any

import pytest

from protocol.consent import check_status, verify_consent
from protocol.standing import verify_refresh
from protocol.terms import Terms
from tests.protocol import builders, granting
from tests.protocol import mandates as m
from tests.protocol.builders import ADRES, DAY, NOW, TRUST
from tests.protocol.granting import ALL, POSTCODE, Town, outcome
from tests.protocol.test_mandate import STRETCHED

OPEN = m.token()
NARROW = m.token(
    claims=[{"vct": ADRES, "names": ["postcode"]}],
    services=[{"recipient": builders.AGENCY_ID, "service": builders.SERVICE_ID}],
    until=NOW + 100 * DAY,
)
BOTH = m.token(signers=[[1], [2]])
OTHER = m.token(id="AQ" + 20 * "A")
"""Another mandate for the same person."""


def terms(token: str = OPEN, places: Any = ALL, **changes: Any) -> Terms:
    own = {"lock": m.lock(), "on_behalf_of": m.behalf(token), "not_after": NOW + 50 * DAY, **changes}
    return granting.terms(places, cards=m.cards(OPEN), **own)


def town(token: str = OPEN, *, cards: Any = None, party: int = 1, beside: Any = None, **changes: Any) -> Town:
    """A grant by this party; `changes` are members of the terms."""
    cards = cards or m.cards(token, party=party)
    members = {"lock": m.lock(), "on_behalf_of": m.behalf(token), "not_after": NOW + 50 * DAY, **changes}
    return granting.town(
        cards=cards,
        holders=dict.fromkeys(granting.VCTS, m.HOLDERS[party]),
        beside={"mandate": m.shown(token), **(beside or {})},
        **members,
    )


def with_cosigned(mandated: Town, *texts: str) -> str | None:
    return outcome(mandated.accept, answer=mandated.with_sealed(cosigned=list(texts)))


def test_grant_on_behalf_of_somebody_is_accepted_and_read() -> None:
    mandated = town()
    consent = mandated.accept().consent
    assert consent.mandate is not None
    assert (consent.mandate.token, consent.cosigners) == (OPEN, {})
    read = mandated.make_read(POSTCODE)
    assert mandated.open(read, *mandated.release(read)).values[POSTCODE] == "1234AB"


@pytest.mark.parametrize("changes", STRETCHED.values(), ids=STRETCHED)
def test_attack_mandate_is_stretched_and_the_log_looks_away(changes: dict[str, Any]) -> None:
    mandated = town(NARROW, **{"places": (POSTCODE,), **changes})
    assert outcome(verify_consent, mandated.answer, mandated.asked, trust=TRUST, now=NOW, fresh=True) in {
        "mandate_widened",
        "wrong_nonce",
    }  # a version 2 answers no request
    assert outcome(mandated.accept) is not None
    assert outcome(town(NARROW, places=(POSTCODE,)).accept) is None


def test_attack_mandate_of_another_issuer() -> None:
    """A second register, listed too, mandates over the credentials of the first."""
    second = builders.party("second", san_uri="https://second.example")
    trust = builders.trust_list(
        issuers=[builders.issuer(), builders.issuer(id="https://second.example", roots=second.roots)]
    )
    token = m.token(second, iss="https://second.example")
    mandated = town(token)
    assert outcome(mandated.accept, trust=trust) == "mandate_mismatch"
    own = m.cards(token, signer=second, issuer="https://second.example")
    assert outcome(town(token, cards=own).accept, trust=trust) is None
    assert outcome(town(token, cards=own).accept) == "not_listed"


def test_attack_credential_of_a_mandate_is_used_as_ones_own() -> None:
    """Without `on_behalf_of` the holder would pass for the person whose data they are."""
    mandated = town(on_behalf_of=None)
    assert outcome(mandated.accept) == "bad_mandate"
    bare = mandated.with_sealed(mandate=None)
    assert outcome(mandated.accept, answer=bare) == "mandate_mismatch"


def test_attack_own_credential_is_used_under_a_mandate() -> None:
    mandated = town(cards=granting.CARDS)
    own = granting.town(
        signed=mandated.terms, cards=granting.CARDS, beside={"mandate": m.shown(OPEN)}
    )  # fmt: skip
    assert outcome(own.accept) == "mandate_mismatch"


def test_credentials_of_another_mandate_or_of_two() -> None:
    assert outcome(town(cards=m.cards(OTHER)).accept) == "mandate_mismatch"
    mixed = {**m.cards(OPEN), "persoon": m.cards(OTHER)["persoon"]}
    assert outcome(town(cards=mixed).accept) == "mandate_mismatch"


def test_mandate_left_out_swapped_or_added() -> None:
    mandated = town()
    for sealed, code in (
        ({"mandate": None}, "bad_mandate"),
        ({"mandate": m.shown(OTHER)}, "bad_mandate"),
        ({"mandate": m.shown(m.token(builders.STRANGER))}, "bad_mandate"),
    ):
        assert outcome(mandated.accept, answer=mandated.with_sealed(**sealed)) == code
    plain = granting.town()
    assert outcome(plain.accept, answer=plain.with_sealed(mandate=m.shown(OPEN))) == "bad_mandate"
    assert outcome(plain.accept, answer=plain.with_sealed(cosigned=["x~y"])) == "mandate_mismatch"


def test_mandate_that_has_ended_refuses_every_read() -> None:
    """The terms cannot outlive it; an agency whose grant says otherwise still reads nothing."""
    token = m.token(until=NOW + DAY)
    mandated = town(token)
    assert outcome(mandated.accept) == "mandate_widened"
    found = outcome(verify_consent, mandated.answer, mandated.asked, trust=TRUST, now=NOW + DAY, fresh=False)
    assert found == "mandate_ended"


def test_somebody_whom_the_mandate_does_not_name() -> None:
    assert outcome(town(party=3).accept) == "mandate_mismatch"


# Several who agree.


def test_both_parents_agree() -> None:
    mandated = town(BOTH)
    text = m.cosigned(BOTH, mandated.terms, party=2)
    accepted = mandated.accept(answer=mandated.with_sealed(cosigned=[text]))
    assert set(accepted.consent.everybody) == {"adres", "persoon", "cosigned.1"}


def test_attack_one_parent_grants_what_both_have_to() -> None:
    mandated = town(BOTH)
    own = m.cosigned(BOTH, mandated.terms, party=1)
    assert outcome(mandated.accept) == "mandate_signature_missing"
    assert with_cosigned(mandated, own) == "mandate_signature_missing"
    assert with_cosigned(mandated, own, own) == "mandate_signature_missing"
    assert with_cosigned(mandated, m.cosigned(BOTH, mandated.terms, party=2)) is None


def test_attack_parents_go_round_a_child_of_fourteen() -> None:
    token = m.token(signers=[[0], [1, 2]])
    mandated = town(token)
    assert with_cosigned(mandated, m.cosigned(token, mandated.terms, party=2)) == "mandate_signature_missing"
    assert with_cosigned(mandated, m.cosigned(token, mandated.terms, party=0)) is None


def test_agreement_to_other_terms_or_by_somebody_else() -> None:
    mandated = town(BOTH)
    assert with_cosigned(mandated, m.cosigned(BOTH, terms(BOTH, (POSTCODE,)), party=2)) == "wrong_nonce"
    thief = m.cosigned(BOTH, mandated.terms, party=2, holder=m.HOLDERS[1])
    assert with_cosigned(mandated, thief) == "bad_signature"
    assert with_cosigned(mandated, m.cosigned(OPEN, mandated.terms, party=2)) == "mandate_mismatch"
    assert with_cosigned(mandated, m.cosigned(BOTH, mandated.terms, party=3)) == "mandate_mismatch"
    old = m.cosigned(BOTH, mandated.terms, party=2, now=NOW - 3601)
    assert with_cosigned(mandated, old) == "stale_key_binding"
    short = m.cosigned(BOTH, mandated.terms, party=2, exp=NOW + DAY)
    assert with_cosigned(mandated, short) == "outlives_credential"


def test_agreement_shows_no_data_and_is_signed() -> None:
    mandated = town(BOTH)
    jwt = m.card(BOTH, party=2).partition("~")[0]
    assert with_cosigned(mandated, f"{jwt}~") == "key_binding_missing"
    shown = m.card(BOTH, party=2) + m.cosigned(BOTH, mandated.terms, party=2).rpartition("~")[2]
    assert with_cosigned(mandated, shown) == "disclosures_present"


def test_revoked_credential_of_any_party_refuses() -> None:
    mandated = town(BOTH)
    answer = mandated.with_sealed(cosigned=[m.cosigned(BOTH, mandated.terms, party=2)])
    consent = mandated.accept(answer=answer).consent
    for name in consent.everybody:
        statuses = dict.fromkeys(consent.everybody, "valid") | {name: "revoked"}
        assert outcome(check_status, consent, statuses, True) == "credential_revoked"


# A later version.


def refreshed(**changes: Any) -> Town:
    own = terms(BOTH, version=2, **{"lock": m.lock(2), **changes})
    binding = {"nonce": granting.refresh_nonce_of(own)}
    return granting.town(
        signed=own,
        cards=m.cards(BOTH),
        holders=dict.fromkeys(granting.VCTS, m.HOLDERS[1]),
        beside={"mandate": m.shown(BOTH, version=2)},
        kb=binding,
    )


def test_refresh_needs_no_second_agreement_and_stays_in_the_mandate() -> None:
    first = town(BOTH)
    old = first.accept(answer=first.with_sealed(cosigned=[m.cosigned(BOTH, first.terms, party=2)]))
    verify_refresh(old, refreshed().accept())


def test_attack_refresh_moves_to_a_lock_that_the_others_cannot_open() -> None:
    assert outcome(refreshed(lock=m.lock(2, granting.CODE)).accept) == "mandate_widened"
