"""What the rules allow and a registrar should still look at twice: remarks, never refusals."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from protocol.names import skeleton
from protocol.trust_list import Service
from registrar.draft import Draft
from registrar.register import DAY

LONG_CONSENT_DAYS = 366
"""A consent for longer than a year is easily forgotten."""
MANY_ATTRIBUTES = 12
LONG_SENTENCE_WORDS = 20
"""Longer sentences are hard to read at language level B1."""


@dataclass(frozen=True)
class Remark:
    """`place`: the entry, as `agency/service@version` or the party's id."""

    code: str
    place: str
    text: str


def remarks_on(draft: Draft) -> list[Remark]:
    """All remarks, in the order of the draft."""
    return [
        *_parties(draft),
        *(w for agency in draft.agencies for s in agency.services for w in _service(agency.id, s)),
    ]


def _parties(draft: Draft) -> Iterator[Remark]:
    if draft.logs and not draft.witnesses:
        yield Remark("no_witness", "witnesses", "no witness is listed: no agency can check how fresh a log is")
    if draft.logs and not any(witness.auditing for witness in draft.witnesses):
        yield Remark("no_auditor", "witnesses", "no auditing cosigner is listed: a stop needs the log to be up")
    for log in draft.logs:
        if log.operators is not None and log.operators.needed == 1:
            yield Remark("one_operator", log.origin, "one operator alone can release: with the agency it sees all")
        if log.operators is not None and log.operators.needed == len(log.operators.members):
            yield Remark("no_spare_operator", log.origin, "nobody can read while one operator is down")
    for agency in draft.agencies:
        if not agency.services:
            yield Remark("no_service", agency.id, "this agency can ask nothing: it has no service")
    looks = Counter(skeleton(agency.name) for agency in draft.agencies)
    for agency in draft.agencies:
        if looks[skeleton(agency.name)] > 1:
            yield Remark("look_alike", agency.id, "another agency has a name that looks like this one's")
    urls = [(entry.id, entry.id) for entry in draft.issuers]
    urls += [(entry.id, entry.id) for entry in draft.wallet_providers]
    urls += [(entry.origin, entry.url) for entry in draft.logs]
    urls += [(entry.name, entry.url) for entry in draft.witnesses]
    for place, url in urls:
        if url.startswith("http:"):
            yield Remark("no_tls", place, "reachable on this machine only: its URL is not https")


def _service(agency_id: str, service: Service) -> Iterator[Remark]:
    place = f"{agency_id}/{service.id}@{service.version}"
    for what, words in (("name", service.name), ("purpose", service.purpose)):
        if words.nl == words.en:
            yield Remark("same_text", place, f"the {what} is the same in Dutch and in English")
        if any(
            len(part.split()) > LONG_SENTENCE_WORDS for text in (words.nl, words.en) for part in text.split(".")
        ):
            yield Remark(
                "long_sentence", place, f"the {what} has a sentence of more than {LONG_SENTENCE_WORDS} words"
            )
    if service.basis == "consent" and service.longest_term > LONG_CONSENT_DAYS * DAY:
        yield Remark("long_consent", place, f"consent for more than {LONG_CONSENT_DAYS} days")
    if len(service.claims) > MANY_ATTRIBUTES:
        yield Remark("many_attributes", place, f"asks more than {MANY_ATTRIBUTES} attributes")
    if not any(claim.needed for claim in service.claims):
        yield Remark("nothing_needed", place, "no attribute is needed: then why ask?")
    if service.basis == "consent" and all(claim.needed for claim in service.claims) and len(service.claims) > 3:
        yield Remark("all_needed", place, "every attribute is needed: the resident can leave nothing out")
