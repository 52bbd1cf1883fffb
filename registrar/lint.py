"""What the rules allow and a registrar should still look at twice: remarks, never refusals."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from protocol.names import skeleton
from protocol.trust_list import Agency, Service
from registrar.draft import Draft
from registrar.lint_data import data_remarks
from registrar.lint_ground import ground_remarks
from registrar.lists import Lists
from registrar.remark import Case, Remark

LONG_SENTENCE_WORDS = 20
"""Longer sentences are hard to read at language level B1."""


def remarks_on(draft: Draft, lists: Lists = Lists()) -> list[Remark]:  # noqa: B008 - frozen
    """All remarks, in the order of the draft; `lists`: what the services are held against besides."""
    return [*_parties(draft), *_services(draft, lists)]


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


def _services(draft: Draft, lists: Lists) -> Iterator[Remark]:
    """What there is to say of the latest version of each service, and of older ones that can still be used."""
    latest = [(agency, service) for agency in draft.agencies for service in _latest(agency)]
    for agency, service in latest:
        others = [pair for pair in latest if pair != (agency, service)]
        case = Case(agency, service, others, lists)
        yield from _words(case)
        yield from ground_remarks(case)
        yield from data_remarks(case)
        yield from _older(case)


def _latest(agency: Agency) -> Iterator[Service]:
    versions = {service.id: service for service in sorted(agency.services, key=lambda entry: entry.version)}
    yield from versions.values()


def _older(case: Case) -> Iterator[Remark]:
    """A version never changes and never goes: what was wrong with it is said once, and cannot be mended."""
    for older in case.agency.services:
        if older.id != case.service.id or older.version == case.service.version:
            continue
        old = replace(case, service=older)
        codes = [found.code for found in (*ground_remarks(old), *data_remarks(old)) if found.is_objection]
        if codes:
            text = f"an older version that can still be asked under, with: {', '.join(codes)}"
            yield old.remark("older_version", text, "AVG article 5(2)")


def _words(case: Case) -> Iterator[Remark]:
    service, article = case.service, "AVG article 12(1)"
    for what, words in (("name", service.name), ("purpose", service.purpose)):
        if words.nl == words.en:
            yield case.remark("same_text", f"the {what} is the same in Dutch and in English", article)
        if any(
            len(part.split()) > LONG_SENTENCE_WORDS for text in (words.nl, words.en) for part in text.split(".")
        ):
            text = f"the {what} has a sentence of more than {LONG_SENTENCE_WORDS} words"
            yield case.remark("long_sentence", text, article)
