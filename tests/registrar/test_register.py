"""What may enter the trust list: each refusal, and that it changed nothing."""

from typing import Any

import msgspec
import pytest

from protocol import x509
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.policy import parse_policy
from protocol.service_law import FreeConsent, TestAnswer
from protocol.trust_list import ServiceClaim, TrustedLog, TrustedWitness, Words, sign_trust_list, verify_trust_list
from registrar.draft import Draft, new_draft
from registrar.register import (
    DAY,
    MAX_LIST_DAYS,
    MAX_TERM_SECONDS,
    MIN_TERM_SECONDS,
    add_agency,
    add_issuer,
    add_log,
    add_service,
    add_witness,
    close_log,
    next_list,
    remove,
)
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY_ID, LOG_ORIGIN, NOW, PERSOON

OTHER = builders.party("other agency", san_dns="other.voorbeeld.example")
BSN = ServiceClaim(vct=PERSOON, path=["burgerservicenummer"], needed=True)


def free_consent_of(**texts: str) -> FreeConsent:
    answer = TestAnswer(**{"yes": True, "nl": "Daarom.", "en": "Because.", **texts})
    return FreeConsent(interest=answer, request=answer, no_downside=answer, no_imbalance=answer)


def log(**changes: Any) -> TrustedLog:
    return msgspec.structs.replace(builders.trust_list().logs[0], **{"policy": "", **changes})


def witness(name: str = "w.example", *, auditing: bool = False, **changes: Any) -> TrustedWitness:
    members: dict[str, Any] = {
        "name": name,
        "url": f"https://{name}",
        "vkey": builders.vkey(name, builders.ed25519(name), 0x04),
        "auditing": auditing,
        "receipt_vkey": builders.vkey(f"{name}/receipts", builders.ed25519(f"{name}/r")) if auditing else None,
    }
    return TrustedWitness(**{**members, **changes})


def listed() -> Draft:
    """A registrar with the agency and its service."""
    return add_agency(new_draft("Registrar"), builders.agency(), NOW)


def code(act: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(Rejected) as caught:
        act(*arguments, **options)
    return caught.value.code


def test_town_is_registered_and_its_list_verifies() -> None:
    draft = add_issuer(listed(), builders.issuer(), NOW)
    draft = add_log(draft, log())
    for entry in (witness("w1.example"), witness("a1.example", auditing=True)):
        draft = add_witness(draft, entry)
    token = sign_trust_list(next_list(draft, version=1, now=NOW, days=30), builders.REGISTRAR)
    trust = verify_trust_list(token, builders.REGISTRAR.public, NOW + 30 * DAY - 1)
    assert trust.agency(AGENCY_ID).services == [builders.service()]
    assert trust.issuer(builders.ISSUER_ID).vcts == list(CREDENTIAL_TYPES)
    assert parse_policy(trust.log(LOG_ORIGIN).policy).quorum == "quorum"
    assert code(verify_trust_list, token, builders.REGISTRAR.public, NOW + 30 * DAY) == "expired_trust_list"


def test_old_draft_is_never_changed() -> None:
    empty = new_draft("Registrar")
    draft = add_agency(empty, builders.agency(), NOW)
    add_service(draft, AGENCY_ID, builders.service(version=2))
    assert empty == Draft("Registrar")
    assert [service.version for service in draft.agencies[0].services] == [1]


@pytest.mark.parametrize("name", ["", " ", " Registrar", "Regi\nstrar", "Regi\x1b[31mstrar", "a\u202eb"])
def test_blank_or_disguised_name_is_refused(name: str) -> None:
    assert code(new_draft, name) == "bad_text"
    if name:
        assert code(add_issuer, new_draft("R"), builders.issuer(name=name), NOW) == "bad_text"
        assert code(add_agency, new_draft("R"), builders.agency(name=name), NOW) == "bad_text"
        assert code(add_agency, new_draft("R"), builders.agency(erasure_contact=name), NOW) == "bad_text"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "http://issuer.example"}, "bad_url"),
        ({"id": "https://issuer.example:25"}, "bad_url"),
        ({"vcts": []}, "no_vct"),
        ({"vcts": [PERSOON, PERSOON]}, "duplicate_vct"),
        ({"vcts": ["urn:regie:nl:persoon:2"]}, "unknown_vct"),
        ({"roots": ["AAAA"]}, "bad_certificate"),
        ({"roots": builders.ISSUER.roots * 2}, "bad_root"),
        ({"roots": builders.ISSUER.x5c}, "bad_root"),
        ({"roots": builders.AGENCY.roots}, "root_taken"),
        ({"roots": [*builders.ISSUER.roots, *builders.AGENCY.roots]}, "root_taken"),
    ],
)
def test_issuer_is_refused(changes: dict[str, Any], expected: str) -> None:
    draft = listed()
    assert code(add_issuer, draft, builders.issuer(**changes), NOW) == expected
    assert draft == listed()


def test_issuer_on_this_machine_is_accepted() -> None:
    draft = add_issuer(new_draft("R"), builders.issuer(id="http://127.0.0.1:8001"), NOW)
    assert draft.issuers[0].id == "http://127.0.0.1:8001"


@pytest.mark.parametrize(("now", "is_good"), [(NOW - 31 * DAY, False), (NOW + 401 * DAY, False), (NOW, True)])
def test_root_is_in_force_when_it_is_listed(now: int, is_good: bool) -> None:
    if is_good:
        assert add_issuer(new_draft("R"), builders.issuer(), now).issuers
    else:
        assert code(add_issuer, new_draft("R"), builders.issuer(), now) == "bad_root"


def test_certificate_in_a_roots_name_that_does_not_sign_itself_is_refused() -> None:
    dates = {"not_before": NOW - DAY, "not_after": NOW + DAY}
    real, forger = builders.es256("real"), builders.es256("forger")
    root = x509.make_root(real, "Real root", serial=1, **dates)
    forged = x509.make_leaf(forger.public, "Real root", forger, root, san_dns="x.example", serial=2, **dates)
    assert code(add_issuer, new_draft("R"), builders.issuer(roots=x509.x5c([forged])), NOW) == "bad_root"
    alone = x509.make_leaf(real.public, "Real root", real, root, san_dns="x.example", serial=2, **dates)
    assert code(add_issuer, new_draft("R"), builders.issuer(roots=x509.x5c([alone])), NOW) == "bad_root"


def test_new_roots_replace_old_ones_and_services_stay() -> None:
    draft = add_agency(listed(), builders.agency(roots=OTHER.roots, services=[], name="Nieuwe naam"), NOW)
    (agency,) = draft.agencies
    assert (agency.roots, agency.name, agency.services) == (OTHER.roots, "Nieuwe naam", [builders.service()])


def test_two_agencies_cannot_share_a_root() -> None:
    second = builders.agency(id="00000099000000002000", services=[])
    assert code(add_agency, listed(), second, NOW) == "root_taken"


def test_agency_cannot_lose_its_right_to_the_bsn_while_a_service_uses_it() -> None:
    draft = add_service(listed(), AGENCY_ID, builders.service(id="bsn", claims=[BSN], bsn_law="Wabb 10"))
    assert code(add_agency, draft, builders.agency(bsn_allowed=False, services=[]), NOW) == "bsn_not_allowed"


def test_services_of_an_entry_are_checked_too() -> None:
    entry = builders.agency(services=[builders.service(version=7)])
    assert code(add_agency, new_draft("R"), entry, NOW) == "bad_version"


def test_service_of_an_unlisted_agency_is_refused() -> None:
    assert code(add_service, new_draft("R"), AGENCY_ID, builders.service()) == "not_listed"


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": Words(nl="Iets anders", en="Something else")},
        {"longest_term": 366 * DAY},
        {"claims": [ServiceClaim(vct=ADRES, path=["straat"], needed=True)]},
        {"mode": "view"},
        {"law": "Wet X, artikel 1"},
    ],
)
def test_listed_service_version_never_changes(changes: dict[str, Any]) -> None:
    draft = listed()
    assert code(add_service, draft, AGENCY_ID, builders.service(**changes)) == "service_changed"
    assert (
        code(add_agency, draft, builders.agency(services=[builders.service(**changes)]), NOW) == "service_changed"
    )
    assert draft == listed()


def test_equal_version_again_changes_nothing() -> None:
    assert add_service(listed(), AGENCY_ID, builders.service()) == listed()
    assert add_agency(listed(), builders.agency(), NOW) == listed()


def test_versions_follow_each_other() -> None:
    assert code(add_service, listed(), AGENCY_ID, builders.service(version=3)) == "bad_version"
    assert code(add_service, listed(), AGENCY_ID, builders.service(id="new", version=2)) == "bad_version"
    draft = add_service(listed(), AGENCY_ID, builders.service(version=2, mode="view"))
    draft = add_service(draft, AGENCY_ID, builders.service(version=3))
    assert [service.version for service in draft.agencies[0].services] == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "Parkeren"}, "bad_service_id"),
        ({"id": "a b"}, "bad_service_id"),
        ({"id": "-a"}, "bad_service_id"),
        ({"id": "a" * 65}, "bad_service_id"),
        ({"name": Words(nl=" ", en="Parking")}, "bad_text"),
        ({"name": Words(nl="Parkeren", en="\t")}, "bad_text"),
        ({"purpose": Words(nl="Waarom", en="Why\u200b\n")}, "bad_text"),
        ({"claims": [BSN, BSN]}, "duplicate_claim"),
        ({"claims": [ServiceClaim(vct="urn:regie:nl:adres:2", path=["postcode"], needed=True)]}, "unknown_vct"),
        ({"claims": [ServiceClaim(vct="diploma\n", path=["awarded"], needed=True)]}, "bad_text"),
        ({"claims": [ServiceClaim(vct=ADRES, path=["bsn"], needed=True)]}, "unknown_attribute"),
        ({"claims": [ServiceClaim(vct=ADRES, path=["burgerservicenummer"], needed=True)]}, "unknown_attribute"),
        ({"claims": [ServiceClaim(vct=ADRES, path=["postcode", "x"], needed=True)]}, "unknown_attribute"),
        ({"law": "Gemeentewet\u202e 225"}, "bad_text"),
        ({"bsn_law": "Wabb\x1b[2J"}, "bad_text"),
        ({"upl": "parkeer\nvergunning"}, "bad_text"),
        ({"free_consent": free_consent_of(nl=" ")}, "bad_text"),
        ({"free_consent": free_consent_of(en="Because\0")}, "bad_text"),
        ({"law": "Gemeentewet 225", "law_url": "http://wetten.example/225"}, "bad_url"),
        ({"law_url": "https://wetten.example/225"}, "bad_service"),
        ({"answers": "count"}, "bad_question"),
        ({"basis": "public_task"}, "law_missing"),
        ({"claims": [BSN]}, "bsn_law_missing"),
        ({"claims": [BSN], "bsn_law": " "}, "bsn_law_missing"),
        ({"basis": "legal_obligation", "law": " "}, "law_missing"),
        ({"longest_term": MIN_TERM_SECONDS - 1}, "bad_term"),
        ({"longest_term": MAX_TERM_SECONDS + 1}, "bad_term"),
        ({"retention": "P0D"}, "bad_retention"),
        ({"retention": "P0Y0M0DT0S"}, "bad_retention"),
        ({"privacy_policy": "http://agency.example/privacy"}, "bad_url"),
    ],
)
def test_service_is_refused(changes: dict[str, Any], expected: str) -> None:
    draft = listed()
    assert code(add_service, draft, AGENCY_ID, builders.service(**{"id": "new", **changes})) == expected
    assert draft == listed()


def test_a_service_may_ask_for_credentials_of_strangers() -> None:
    """Whatever their attributes are: nobody here knows the type."""
    claim = ServiceClaim(vct="https://diploma.example/diploma", path=["name", "family"], needed=True)
    draft = add_service(listed(), AGENCY_ID, builders.service(id="diploma", claims=[claim]))
    assert draft.agencies[0].services[-1].claims == [claim]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "a" * 64},
        {"longest_term": MIN_TERM_SECONDS},
        {"longest_term": MAX_TERM_SECONDS},
        {"basis": "public_task", "law": "Gemeentewet, artikel 225"},
        {"retention": "PT1S"},
        {"claims": [BSN], "bsn_law": "Wabb artikel 10"},
    ],
)
def test_service_at_the_limits_is_accepted(changes: dict[str, Any]) -> None:
    draft = add_service(listed(), AGENCY_ID, builders.service(**{"id": "new", **changes}))
    assert len(draft.agencies[0].services) == 2


def test_bsn_needs_the_law_behind_the_agency() -> None:
    draft = add_agency(new_draft("R"), builders.agency(bsn_allowed=False), NOW)
    assert code(add_service, draft, AGENCY_ID, builders.service(id="bsn", claims=[BSN])) == "bsn_not_allowed"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"url": "ftp://log.example"}, "bad_url"),
        ({"origin": "other.example/log"}, "wrong_origin"),
        ({"vkey": "x"}, "bad_vkey"),
        ({"vkey": builders.vkey(LOG_ORIGIN, builders.LOG_KEY, 0x04)}, "bad_vkey"),
        ({"receipt_vkey": builders.vkey("r", builders.LOG_RECEIPT_KEY, 0x04)}, "bad_vkey"),
        ({"receipt_vkey": builders.vkey(f"{LOG_ORIGIN}/receipts", builders.LOG_KEY)}, "same_key"),
        ({"deposit_key": "AAAA"}, "bad_key"),
        ({"deposit_key": "+"}, "bad_base64"),
        ({"deposit_key": b64u_encode(bytes(1217))}, "too_large"),
        ({"policy": "quorum none\n"}, "bad_policy"),
        ({"policy": "nonsense"}, "bad_policy"),
    ],
)
def test_log_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert code(add_log, new_draft("R"), log(**changes)) == expected


def test_policy_for_another_log_is_refused() -> None:
    text = builders.log_policy().replace(builders.vkey(LOG_ORIGIN, builders.LOG_KEY), witness().vkey)
    other = builders.vkey(LOG_ORIGIN, builders.ed25519("other log"))
    assert code(add_log, new_draft("R"), log(policy=text)) == "bad_policy"
    text = builders.log_policy().replace(builders.vkey(LOG_ORIGIN, builders.LOG_KEY), other)
    assert code(add_log, new_draft("R"), log(policy=text)) == "bad_policy"


def test_policy_of_the_logs_own_is_kept() -> None:
    draft = add_witness(add_log(new_draft("R"), log(policy=builders.log_policy())), witness())
    assert next_list(draft, version=1, now=NOW, days=1).logs[0].policy == builders.log_policy()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (witness(url="https://w.example/#x"), "bad_url"),
        (witness(vkey=builders.vkey("w.example", builders.ed25519("w"), 0x01)), "bad_vkey"),
        (witness(vkey=builders.vkey("other.example", builders.ed25519("w"), 0x04)), "wrong_name"),
        (witness(auditing=True, receipt_vkey=None), "receipt_key_missing"),
        (witness(auditing=True, receipt_vkey="x"), "bad_vkey"),
        (witness(vkey=builders.vkey("w.example", builders.ed25519("taken.example"), 0x04)), "same_key"),
    ],
)
def test_witness_is_refused(entry: TrustedWitness, expected: str) -> None:
    draft = add_witness(new_draft("R"), witness("taken.example"))
    assert code(add_witness, draft, entry) == expected
    assert [found.name for found in draft.witnesses] == ["taken.example"]


def test_witness_is_replaced_by_its_new_key() -> None:
    new = witness(vkey=builders.vkey("w.example", builders.ed25519("new"), 0x04))
    draft = add_witness(add_witness(new_draft("R"), witness()), new)
    assert draft.witnesses == [new]
    assert add_witness(draft, new) == draft


def members(count: int, auditing: int) -> list[TrustedWitness]:
    plain = [witness(f"w{n}.example") for n in range(count)]
    return plain + [witness(f"a{n}.example", auditing=True) for n in range(auditing)]


@pytest.mark.parametrize(
    ("plain", "auditing", "needed"),
    [
        (1, 0, (1, 0)),
        (0, 1, (0, 1)),
        (1, 1, (1, 1)),
        (2, 1, (2, 1)),
        (3, 2, (2, 2)),
        (4, 3, (3, 2)),
        (5, 5, (3, 3)),
    ],
)
def test_quorum_is_a_majority_of_witnesses_and_of_auditors(
    plain: int, auditing: int, needed: tuple[int, int]
) -> None:
    draft = add_log(new_draft("R"), log())
    for entry in members(plain, auditing):
        draft = add_witness(draft, entry)
    policy = parse_policy(next_list(draft, version=1, now=NOW, days=1).logs[0].policy)
    names = [found.name for found in policy.witnesses]
    witnesses, auditors = names[:plain], names[plain:]
    enough = dict.fromkeys([*witnesses[: needed[0]], *auditors[: needed[1]]], NOW)
    assert policy.quorum_time(enough) == NOW
    for name in enough:
        assert policy.quorum_time({key: NOW for key in enough if key != name}) is None


def test_log_without_any_witness_has_no_policy() -> None:
    assert next_list(add_log(new_draft("R"), log()), version=1, now=NOW, days=1).logs[0].policy == ""


@pytest.mark.parametrize(
    ("days", "is_good"), [(0, False), (1, True), (MAX_LIST_DAYS, True), (MAX_LIST_DAYS + 1, False)]
)
def test_list_is_in_force_for_a_bounded_time(days: int, is_good: bool) -> None:
    if is_good:
        assert next_list(new_draft("R"), version=1, now=NOW, days=days).exp == NOW + days * DAY
    else:
        assert code(next_list, new_draft("R"), version=1, now=NOW, days=days) == "bad_days"


def test_party_is_removed() -> None:
    draft = add_witness(add_log(add_issuer(listed(), builders.issuer(), NOW), log()), witness())
    for kind, entry_id in (
        ("issuer", builders.ISSUER_ID),
        ("agency", AGENCY_ID),
        ("log", LOG_ORIGIN),
        ("witness", "w.example"),
    ):
        draft = remove(draft, kind, entry_id)
        assert code(remove, draft, kind, entry_id) == "not_listed"
    assert draft == new_draft("Registrar")


def test_log_is_closed_once_and_stays_closed() -> None:
    draft = add_log(listed(), log())
    assert code(close_log, draft, "log.nobody.example", NOW, NOW) == "not_listed"
    draft = close_log(draft, LOG_ORIGIN, NOW + 10, NOW)
    draft = close_log(draft, LOG_ORIGIN, NOW + 20, NOW + 9)  # moved in time
    assert draft.logs[0].until == NOW + 20
    assert code(close_log, draft, LOG_ORIGIN, NOW + 30, NOW + 20) == "log_closed"
    assert add_log(draft, log(until=None)).logs[0].until == NOW + 20, "an entry does not open it again"
    assert add_log(listed(), log(until=5)).logs[0].until is None


@pytest.mark.parametrize("name", ["Gemeente Voorbееld", "Gemeente\u202eX", "Gemeente Ａmsterdam", "e\u0301"])
def test_homoglyph_name_of_mixed_scripts_is_not_listed(name: str) -> None:
    """A name that only looks like another's, or is written so that two spellings look the same."""
    draft = new_draft("R")
    for rule, entry in ((add_issuer, builders.issuer(name=name)), (add_agency, builders.agency(name=name))):
        assert code(rule, draft, entry, NOW) in ("misleading_name", "bad_text")
    assert draft == new_draft("R")
