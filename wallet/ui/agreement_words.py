"""How an agreement reads on a page: its state, its terms, what was read, and what may be kept after a stop."""

from datetime import date
from typing import Any

from babel.dates import format_date
from flask import Flask

from protocol.attributes import short_name
from protocol.names import visible
from protocol.rights import Right
from protocol.terms import places_of
from service.ui.context_words import context_words
from service.ui.format import day, duration, moment
from service.ui.words import _, language, locale, ngettext
from service.ui.words import lazy as _l
from wallet.errand_joint import Waiting
from wallet.records import Activity, GrantRecord
from wallet.state import State
from wallet.ui import evidence_words, line_words, names
from wallet.ui.book import Agreement

RIGHT_WORDS = {
    "erasure": _l("Erase your data"),
    "access": _l("See your data"),
    "rectification": _l("Correct your data"),
}
STATES: dict[State, tuple[str, Any]] = {
    "intended": ("wait", _l("Not in the log yet")),
    "logged": ("wait", _l("Not with the organisation yet")),
    "delivering": ("unsure", _l("May have failed")),
    "active": ("ok", _l("Active")),
    "renewing": ("wait", _l("New data are on their way")),
    "uncertain": ("unsure", _l("May have failed")),
    "failed": ("wrong", _l("Did not succeed")),
    "stopping": ("wait", _l("Stopped, not yet confirmed")),
    "stopped": ("stopped", _l("Stopped")),
    "ended": ("stopped", _l("Over")),
}
"""Kind of the sign and words of each state."""
BASES = {
    "consent": _l("Yes, because you agree. You are free to say no."),
    "legal_obligation": _l("Yes, the law demands it."),
    "public_task": _l("Yes, it is a public task."),
}


def state_words(agreement: Agreement) -> tuple[str, str]:
    """Kind of the sign, and words."""
    kind, text = STATES[agreement.state]
    return kind, str(text)


def right_words(right: Right) -> str:
    """What is asked of a right."""
    return str(RIGHT_WORDS[right])


def service_of(record: GrantRecord | Activity) -> str:
    """What it is for, in the language of the page."""
    return names.service_name(record, language())


def purpose_of(record: GrantRecord | Activity) -> str:
    """The purpose as it was listed; empty in records of before."""
    return names.purpose(record, language())


def labels_of(attributes: tuple[str, ...]) -> list[str]:
    """The attributes in words, the register's warnings as one."""
    tongue = language()
    chosen = [names.label_of(each, tongue) for each in attributes if not names.is_flag(each)]
    if any(map(names.is_flag, attributes)):
        chosen.append(str(_("Warnings of the register")))
    return chosen


def reads_in_words(agreement: Agreement) -> str:
    """How often they looked, and when last."""
    count, last = agreement.reads, agreement.last_read
    if not count:
        return str(_("Never viewed, as far as your wallet knows."))
    often = str(ngettext("Viewed %(num)d time", "Viewed %(num)d times", count))
    return str(_("%(often)s, last on %(when)s.", often=often, when=moment(last))) if last else f"{often}."


def kept_in_words(agreement: Agreement) -> str:
    """What the agency may do with what it has seen, by the terms that both sides signed."""
    terms = agreement.record.body.terms
    time = _term(terms.retention)
    if terms.mode == "store":
        return str(_("They may keep what they already have: %(time)s.", time=time))
    return str(_("What they have seen, they keep no longer than %(period)s.", period=time))


def _term(text: str) -> str:
    try:
        return duration(text)
    except ValueError:  # of hours and minutes: as it was signed
        return text


def week(monday: date) -> str:
    """3 nov."""
    return str(format_date(monday, "d MMM", locale=locale()))


def terms_of(agreement: Agreement) -> list[tuple[str, str]]:
    """The terms as question and answer."""
    terms, about = agreement.record.body.terms, agreement.record.about
    law = f" {visible(about.law, 2000)}." if about and about.law else ""
    rows = [
        (_("What for?"), service_of(agreement.record)),
        (_("May they?"), f"{BASES[terms.basis]}{law}"),
        (_("Begins on"), day(terms.not_before)),
        (_("Ends on"), day(terms.not_after)),
        (_("How long do they keep it?"), kept_in_words(agreement)),
        (_("How often may they look?"), _often(terms.max_reads)),
        (_("When may they look?"), context_words(terms.context)),
        (_("Number of the agreement"), agreement.number),
    ]
    if terms.case is not None:
        rows.insert(1, (_("For which case?"), _("For one case only. The log holds its code.")))
    if agreement.record.renewed_at is not None:
        rows.insert(3, (_("Renewed on"), day(agreement.record.renewed_at)))
    return [(str(key), str(value)) for key, value in rows]


def _often(limit: int | None) -> str:
    if limit is None:
        return str(_("As often as needed. You see every time."))
    return str(ngettext("%(num)d time at most", "%(num)d times at most", limit))


def proposal_rows(waiting: Waiting) -> list[tuple[str, str]]:
    """What another party asks the resident to sign too, as question and answer."""
    terms, request = waiting.terms, waiting.request
    about = request.service
    data = tuple(f"{short_name(place.vct)}.{place.name}" for place in places_of(terms))
    rows = [
        (_("Who asks?"), visible(request.asker.name)),
        (_("What for?"), names.in_language(about.name, language()) if about else visible(terms.service)),
        (_("May they?"), str(BASES[terms.basis])),
        (_("Which data"), ", ".join(labels_of(data))),
        (_("Ends on"), day(terms.not_after)),
        (_("How often may they look?"), _often(terms.max_reads)),
        (_("When may they look?"), context_words(terms.context)),
    ]
    return [(str(key), str(value)) for key, value in rows]


def install(app: Flask) -> None:
    """All of this for the templates of looking back."""
    app.jinja_env.globals.update(
        evidence_words=evidence_words.words_of,
        kept_in_words=kept_in_words,
        labels_of=labels_of,
        right_words=right_words,
        proposal_rows=proposal_rows,
        line_words=line_words.words_of,
        purpose_of=purpose_of,
        reads_in_words=reads_in_words,
        service_of=service_of,
        state_words=state_words,
        terms_of=terms_of,
    )
    app.jinja_env.filters.update(visible=visible, week=week)
