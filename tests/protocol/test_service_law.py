"""What a service version says of its lawfulness: the test of free consent, the law, and a cohort's question."""

from typing import Any

import pytest

from protocol import trust_list as tl
from protocol.canonical import canonical_bytes, to_builtins
from protocol.errors import Rejected
from protocol.service_law import MAX_CONDITIONS, Condition, FreeConsent, TestAnswer
from tests.protocol import builders as b

ASKER = "00000099000000009000"
POSTCODE = Condition(vct=b.ADRES, path=["postcode"], op="equal", value="1011AB")


def answer(yes: bool = True) -> TestAnswer:
    return TestAnswer(yes=yes, nl="Omdat u het vraagt.", en="Because you ask for it.")


def free_consent(**answers: bool) -> FreeConsent:
    names = ("interest", "request", "no_downside", "no_imbalance")
    return FreeConsent(**{name: answer(answers.get(name, True)) for name in names})


def cohort(**changes: Any) -> tl.Service:
    members = {"mode": "view", "answers": "yes_no", "question": [POSTCODE], "asked_by": ASKER}
    return b.service(**{**members, **changes})


def listed(service: tl.Service) -> tl.Service:
    """The service as a reader of the signed list gets it."""
    token = b.trust_list_token(agencies=[b.agency(services=[service])])
    trust = tl.verify_trust_list(token, b.REGISTRAR.public, b.NOW)
    return trust.agencies[0].services[0]


def refused(code: str, service: tl.Service) -> None:
    with pytest.raises(Rejected) as caught:
        listed(service)
    assert caught.value.code == code


def test_service_of_an_old_list_says_nothing_of_these_and_stays_the_same_bytes() -> None:
    old = b.service()
    assert set(to_builtins(old)) == {
        "id", "version", "name", "purpose", "basis", "claims", "longest_term", "retention", "mode",
        "privacy_policy",
    }  # fmt: skip
    read = listed(old)
    assert (read.free_consent, read.bsn_law, read.answers, read.question, read.asked_by) == (
        None,
        None,
        "values",
        [],
        None,
    )
    assert canonical_bytes(read) == canonical_bytes(old)


def test_law_test_and_retention_result_reach_every_reader() -> None:
    service = b.service(
        law="Artikel 225 Gemeentewet",
        law_url="https://wetten.overheid.nl/jci1.3:c:BWBR0005416&artikel=225",
        upl="parkeervergunning",
        selectielijst="11.1",
        free_consent=free_consent(),
        bsn_law="Wabb artikel 10",
    )
    assert listed(service) == service


def test_test_is_passed_with_four_times_yes_only() -> None:
    assert free_consent().is_passed
    for name, _ in free_consent().answers:
        assert not free_consent(**{name: False}).is_passed


@pytest.mark.parametrize(
    "changes",
    [
        {"law_url": "https://wetten.overheid.nl/BWBR0005416"},
        {"basis": "public_task", "law": "Gemeentewet 225", "free_consent": free_consent()},
    ],
)
def test_link_without_a_law_and_a_test_without_consent_are_refused(changes: dict[str, Any]) -> None:
    refused("bad_service", b.service(**changes))


@pytest.mark.parametrize("number", ["1", "1.2.3.4", "11.1\n", "a.b", ""])
def test_result_of_another_form_is_refused(number: str) -> None:
    refused("bad_form", b.service(selectielijst=number))


def test_every_new_member_is_immutable_in_a_listed_version() -> None:
    old = b.trust_list(agencies=[b.agency(services=[cohort()])])
    for changes in (
        {"law": "Gemeentewet 225"},
        {"law": "Gemeentewet 225", "law_url": "https://wetten.overheid.nl/BWBR0005416"},
        {"selectielijst": "11.1"},
        {"free_consent": free_consent()},
        {"bsn_law": "Wabb 10"},
        {"upl": "parkeervergunning"},
        {"answers": "count"},
        {"question": [POSTCODE, POSTCODE]},
        {"asked_by": "00000099000000009001"},
        {"answers": "values", "question": [], "asked_by": None},
    ):
        new = b.trust_list(version=2, agencies=[b.agency(services=[cohort(**changes)])])
        with pytest.raises(Rejected, match="service_changed"):
            tl.check_successor(old, new)


def test_question_of_another_party_is_listed() -> None:
    for answers in ("yes_no", "count"):
        assert listed(cohort(answers=answers)).answers == answers
    assert len(listed(cohort(question=[POSTCODE] * MAX_CONDITIONS)).question) == MAX_CONDITIONS


@pytest.mark.parametrize(
    "changes",
    [
        {"answers": "values"},
        {"answers": "values", "question": []},
        {"answers": "values", "asked_by": None},
        {"question": []},
        {"asked_by": None},
        {"asked_by": b.AGENCY_ID},
        {"mode": "store"},
        {"question": [Condition(vct=b.ADRES, path=["straat"], op="equal", value="Kerkstraat")]},
        {"question": [POSTCODE, Condition(vct=b.PERSOON, path=["postcode"], op="equal", value="1011AB")]},
        {"question": [Condition(vct=b.ADRES, path=["postcode"], op="less", value=True)]},
        {"question": [Condition(vct=b.ADRES, path=["postcode"], op="at_least", value="1011AB")]},
        {"question": [Condition(vct=b.ADRES, path=["postcode"], op="more", value="20260101")]},
    ],
)
def test_question_that_could_not_be_answered_as_said_is_refused(changes: dict[str, Any]) -> None:
    refused("bad_question", cohort(**changes))


@pytest.mark.parametrize("value", [5, -5, "2026-01-31"])
@pytest.mark.parametrize("op", ["less", "at_most", "more", "at_least", "equal", "unequal"])
def test_numbers_and_dates_are_put_in_order(op: Any, value: Any) -> None:
    assert listed(cohort(question=[Condition(vct=b.ADRES, path=["postcode"], op=op, value=value)]))


@pytest.mark.parametrize("value", [2**53 + 1, 1.5, "", None, [1]])
def test_value_of_another_kind_is_refused(value: Any) -> None:
    refused("bad_form", cohort(question=[Condition(vct=b.ADRES, path=["postcode"], op="equal", value=value)]))


def test_bsn_needs_the_agency_and_the_service_both() -> None:
    for allowed in (True, False):
        for law in ("Wabb artikel 10", None):
            agency = b.agency(bsn_allowed=allowed)
            assert tl.may_use_bsn(agency, b.service(bsn_law=law)) is (allowed and law is not None)
