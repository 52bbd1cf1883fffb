"""What a privacy officer would object to in the ground, the law and the terms of a service. Pure.

Remarks, never refusals: a lint knows words and numbers, and who runs the agency knows the rest.
"""

import re
from collections.abc import Iterator

from protocol.service_law import FreeConsent
from registrar.lists import is_kept_too_long, is_longer, longest_days
from registrar.remark import Case, Remark

DAY = 86_400
LONG_CONSENT_DAYS = 366
"""A consent for longer than a year is easily forgotten."""
_GDPR = re.compile(r"\b(AVG|GDPR|2016/679)\b|algemene verordening gegevensbescherming", re.IGNORECASE)
_NUMBER = re.compile(r"\d")
_VAGUE = re.compile(
    r"\b(diverse doeleinden|andere doeleinden|dienstverlening verbeteren|betere dienstverlening|various purposes|"
    r"other purposes|improve (?:our )?services?|etc|enzovoorts?|enz)\b",
    re.IGNORECASE,
)
_TEST_SAYS: dict[str, str] = {
    "interest": "it is not in the interest of the person alone",
    "request": "it answers no concrete request of the person",
    "no_downside": "who refuses is worse off",
    "no_imbalance": "use is made of an imbalance of power",
}
_FREE = "AVG article 7(4) and recital 43"


def ground_remarks(case: Case) -> Iterator[Remark]:
    """Ground, law, purpose, term and retention of one service version."""
    if case.service.basis == "consent":
        yield from _consent(case)
    else:
        yield from _task(case)
    yield from _product(case)
    yield from _purpose(case)
    yield from _retention(case)
    yield from _bsn(case)


def _consent(case: Case) -> Iterator[Remark]:
    service = case.service
    why = _why_a_task(case)
    if why is not None:
        text = f"asks consent where there is a task: {why}"
        yield case.objection("consent_for_task", text, "AVG article 6(1)(e) and recital 43")
    if service.free_consent is not None:
        yield from _failed(case, service.free_consent)
    elif case.is_public:
        text = "a public body asks consent and has not answered the test of free consent"
        yield case.objection("no_free_consent", text, _FREE)
    if service.mode == "store":
        text = "keeps what was given on consent: who stops cannot take back what is stored"
        yield case.objection("store_with_consent", text, "AVG articles 7(3) and 17(1)(b)")
    if service.longest_term > LONG_CONSENT_DAYS * DAY:
        text = f"consent for more than {LONG_CONSENT_DAYS} days"
        yield case.remark("long_consent", text, "AVG article 7(3)")
    if all(claim.needed for claim in service.claims) and len(service.claims) > 3:
        text = "every attribute is needed: the resident can leave nothing out"
        yield case.remark("all_needed", text, "AVG articles 7(4) and 25(2)")


def _why_a_task(case: Case) -> str | None:
    service = case.service
    if case.product is not None and case.product.is_ordered:
        return "a law orders municipalities to offer this product"
    for agency, other in case.others:
        if agency.id == case.agency.id and service.upl and other.upl == service.upl and other.basis != "consent":
            return f"{other.id} offers the same product as a task"
    if service.law is not None and _GDPR.search(service.law) is None:
        return "it names a law of its own"
    return None


def _failed(case: Case, test: FreeConsent) -> Iterator[Remark]:
    failed = [_TEST_SAYS[name] for name, answer in test.answers if not answer.yes]
    if failed:
        text = f"by its own test the consent is not free: {'; '.join(failed)}"
        yield case.objection("consent_not_free", text, _FREE)


def _task(case: Case) -> Iterator[Remark]:
    service = case.service
    if not case.is_public and service.basis == "public_task":
        text = "a party that is no public body claims a task of public interest"
        yield case.objection("task_of_nobody", text, "AVG article 6(1)(e) and 6(3)")
    if service.law is not None and _NUMBER.search(service.law) is None:
        text = "names a law and no article of it: nobody can look up what it may"
        yield case.objection("no_article", text, "AVG articles 6(3) and 13(1)(c)")
    if service.law is not None and _GDPR.search(service.law):
        text = "the AVG itself gives nobody a task: name the law that does"
        yield case.objection("law_gives_no_task", text, "AVG article 6(3)")
    if service.law_url is None:
        yield case.remark("no_law_url", "the resident cannot look up the law: add law_url", "AVG article 12(1)")
    product = case.product
    if product is not None and product.laws and service.law not in [law.label for law in product.laws]:
        text = f"the product list names another law: {'; '.join(law.label for law in product.laws)}"
        yield case.remark("other_law", text, "AVG article 6(3)")


def _product(case: Case) -> Iterator[Remark]:
    service = case.service
    if service.upl is None:
        if case.is_public:
            text = "no uniform product name: residents and other bodies cannot tell which product this is"
            yield case.remark("no_upl", text, "AVG article 5(1)(b)")
    elif case.lists.products is not None and case.product is None:
        yield case.objection("unknown_upl", "the list of product names has no such product", "AVG article 5(1)(b)")
    elif case.product is not None and not case.product.for_residents:
        text = "the product is not one for residents, by the list of product names"
        yield case.remark("not_for_residents", text, "AVG article 5(1)(b)")


def _purpose(case: Case) -> Iterator[Remark]:
    service = case.service
    if any(_VAGUE.search(text) or len(text.split()) < 3 for text in (service.purpose.nl, service.purpose.en)):
        text = "the purpose says not enough to tell what does not belong to it"
        yield case.objection("vague_purpose", text, "AVG article 5(1)(b)")
    if service.longest_term > longest_days(service.retention) * DAY:
        text = "may look for longer than it keeps anything: the purpose ends before the permission does"
        yield case.objection("term_beyond_purpose", text, "AVG article 5(1)(b) and (e)")
    if service.asked_by is not None and service.asked_by not in {agency.id for agency, _ in case.others}:
        text = "who hears the outcome is no listed agency with a service of its own"
        yield case.objection("asker_not_listed", text, "AVG article 13(1)(e)")


def _retention(case: Case) -> Iterator[Remark]:
    service, results = case.service, case.lists.results
    if service.selectielijst is None:
        if case.is_public:
            text = "no result of the retention list: nothing shows why this retention"
            yield case.remark("no_result", text, "AVG article 5(1)(e); Archiefwet 1995 article 5")
        return
    result = (results or {}).get(service.selectielijst)
    if result is None:
        if results is not None:
            text = "the retention list has no result of this number"
            yield case.objection("unknown_result", text, "Archiefwet 1995 article 5")
        return
    if is_kept_too_long(service, result):
        text = f"keeps {service.retention}, where the retention list says {result.retention} ({result.name})"
        yield case.objection("retention_too_long", text, "AVG article 5(1)(e); Archiefwet 1995 article 5")
    elif service.mode == "store" and result.retention and is_longer(result.retention, service.retention):
        text = f"keeps {service.retention}, where the retention list wants {result.retention} ({result.name})"
        yield case.remark("retention_too_short", text, "Archiefwet 1995 article 3")


def _bsn(case: Case) -> Iterator[Remark]:
    service = case.service
    if not case.asks_bsn:
        if service.bsn_law is not None:
            text = "names a law for the burgerservicenummer and does not ask it"
            yield case.remark("bsn_law_unused", text, "AVG article 5(1)(c)")
        return
    if not (case.agency.bsn_allowed and service.bsn_law):
        text = "asks the burgerservicenummer without a law that allows it: no wallet gives it"
        yield case.objection("bsn_without_law", text, "Wabb article 10; UAVG article 46")
    elif service.basis == "consent":
        text = "asks the burgerservicenummer on consent: it may be used for a task only"
        yield case.objection("bsn_on_consent", text, "Wabb article 10; UAVG article 46")
