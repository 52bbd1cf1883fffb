"""Codes of the desk as sentences, in the language of the page."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from babel.dates import format_date, format_skeleton
from flask import Flask

from protocol.trust_list import Words
from service.ui.words import language, locale
from service.ui.words import lazy as _l
from verifier.alarm import words as alarm_words
from verifier.alarm.facts import Alert
from verifier.ui.shown import Datum, card_label, label
from verifier.verdict import WORDS

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")

REQUEST_STATES: Mapping[str, tuple[str, Any]] = {
    "waiting": ("wait", _l("Waiting for the resident")),
    "elsewhere": ("wait", _l("Waiting for the browser of the resident")),
    "declined": ("stopped", _l("The resident did not share")),
    "expired": ("stopped", _l("The time to answer is over")),
    "agreed": ("ok", _l("The resident agreed")),
    "ended": ("stopped", _l("The resident agreed; it is over now")),
    "copy": ("ok", _l("Shared once, not fetched yet")),
    "taken": ("info", _l("Shared once, handed over")),
    "coming_back": ("wait", _l("Waiting for the wallet to come back")),
    "broken": ("wrong", _l("Thrown away: the answer came back in another browser")),
    "second": ("wait", _l("Waiting for a second officer")),
}
"""Kind of `ui/parts.html` state, and words."""
LINE_STATES: Mapping[str, tuple[str, Any]] = {
    "open": ("wait", _l("Open")),
    "expired": ("stopped", _l("Over")),
    "answered": ("ok", _l("Answered")),
    "declined": ("stopped", _l("Not shared")),
}
GRANT_STATES: Mapping[str, tuple[str, Any]] = {
    "stands": ("ok", _l("You may read")),
    "not_yet": ("wait", _l("Not yet")),
    "expired": ("stopped", _l("The term is over")),
    "stopped": ("stopped", _l("Read no more")),
    "active": ("ok", _l("You may read")),
    "revoked": ("stopped", _l("Read no more")),
    "unsure": ("unsure", _l("Not known now")),
}
RIGHT_STATES: Mapping[str, tuple[str, Any]] = {
    "late": ("wrong", _l("Too late")),
    "soon": ("wait", _l("Answer this week")),
    "in_time": ("wait", _l("To answer")),
    "erased": ("ok", _l("Answered: erased")),
    "kept": ("ok", _l("Answered: kept under a law")),
    "access_answered": ("ok", _l("Answered: shown")),
    "access_refused": ("ok", _l("Answered: not shown under a law")),
    "rectified": ("ok", _l("Answered: corrected")),
    "rectification_refused": ("ok", _l("Answered: not corrected under a law")),
}
RIGHTS_ASKED: Mapping[str, Any] = {
    "erasure": _l("Erase the data"),
    "access": _l("See the data"),
    "rectification": _l("Correct the data"),
}
STEP_STATES: Mapping[str, tuple[str, Any]] = {
    "passed": ("ok", _l("Right")),
    "failed": ("wrong", _l("Not right")),
    "undetermined": ("unsure", _l("Nobody can tell")),
    "not_reached": ("stopped", _l("Not looked at")),
}
BASES: Mapping[str, Any] = {
    "consent": _l("The resident agrees"),
    "legal_obligation": _l("A law obliges us"),
    "public_task": _l("It is our task by law"),
}
FREE_CONSENT: Mapping[str, Any] = {
    "interest": _l("It is in the interest of the resident"),
    "request": _l("The resident asks for it"),
    "no_downside": _l("Saying no has no downside"),
    "no_imbalance": _l("Nobody is put under pressure"),
}
"""The questions of the test of free consent, in the words of the desk."""
MODES: Mapping[str, Any] = {
    "view": _l("Only looked at, not copied"),
    "store": _l("Copied into our own records"),
}
CONCERNS: Mapping[str, Any] = {
    "no_law": _l("No law is named, and the resident is not asked to agree."),
    "no_test": _l("Nobody answered whether the resident is free to say no."),
    "not_free": _l("By your own answers the resident is not free to say no."),
    "bsn_law": _l("It asks the BSN and names no law for that. You cannot ask it."),
    "nothing_optional": _l("Nothing may be left out. Is all of it really needed?"),
    "much": _l("This asks much at once. Can it be less?"),
    "long_term": _l("The term is longer than a year."),
    "kept_longer": _l("Data are kept more than a year after the term."),
}
REASONS: Mapping[str, Any] = {
    "application": _l("To handle an application"),
    "still_entitled": _l("To see whether a right still exists"),
    "objection": _l("To handle an objection or a complaint"),
    "correction": _l("To put our records right"),
    "asked_by_resident": _l("Because the resident asks for it"),
}
OUTCOMES: Mapping[str, Any] = {
    "done": _l("Read"),
    "begun": _l("Not known: the answer never came"),
    "revoked": _l("Refused: the resident stopped it"),
    "no_share": _l("Refused: the resident stopped it"),
    "expired": _l("Refused: the term is over"),
    "not_yet": _l("Refused: not yet"),
    "reads_spent": _l("Refused: read as often as agreed"),
    "out_of_context": _l("Refused: not at this time or place"),
    "out_of_scope": _l("Refused: this was not agreed"),
    "other_case": _l("Refused: agreed for another case"),
    "second_officer": _l("Refused: no second officer yet"),
    "credential_revoked": _l("Refused: the card was taken back"),
    "status_undetermined": _l("Refused: nobody can tell whether the card counts"),
    "no_copy": _l("Nothing there any more"),
}

ALARM_OUTCOMES: Mapping[str, Any] = {
    "explained": _l("There was a good reason"),
    "talked": _l("Spoken to the officer"),
    "reported": _l("Reported further"),
}


def text_of(words: Words) -> str:
    """A text of the trust list in the language of the page."""
    return words.nl if language() == "nl" else words.en


def datum_label(datum: Datum) -> str:
    """An attribute in words."""
    return label(datum.vct, datum.name, language())


def card_name(vct: str) -> str:
    """A type of card in words."""
    return card_label(vct, language())


def step_words(name: str) -> str:
    """What a step of a verdict establishes."""
    return WORDS[name].nl if language() == "nl" else WORDS[name].en


def step_clause(name: str) -> str:
    """Where that is laid down."""
    return WORDS[name].clause


def rule_name(rule: str) -> str:
    """A rule of the alarm bell."""
    return alarm_words.rule_name(rule, language())


def alarm_sentence(alert: Alert) -> str:
    """Why it rang."""
    return alarm_words.sentence(alert, language())


def register_text(text: str) -> str:
    """A text of a register: dates of whatever precision are written out, all else stays as it is."""
    whole, month = _DATE.fullmatch(text), _MONTH.fullmatch(text)
    try:
        if whole:
            return str(format_date(date(*map(int, whole.groups())), "d MMMM y", locale=locale()))
        if month:
            first = date(int(month[1]), int(month[2]), 1)
            return str(format_skeleton("yMMMM", first, locale=locale()))
    except ValueError:
        pass  # a text that only looks like a date
    return text


def install(app: Flask) -> None:
    """The words for the templates."""
    app.jinja_env.filters.update(
        words=text_of,
        datum=datum_label,
        card_name=card_name,
        step_words=step_words,
        step_clause=step_clause,
        register_text=register_text,
    )
    app.jinja_env.globals.update(
        request_states=REQUEST_STATES,
        line_states=LINE_STATES,
        grant_states=GRANT_STATES,
        right_states=RIGHT_STATES,
        rights_asked=RIGHTS_ASKED,
        step_states=STEP_STATES,
        bases=BASES,
        modes=MODES,
        concerns=CONCERNS,
        free_consent=FREE_CONSENT,
        reasons=REASONS,
        outcomes=OUTCOMES,
        alarm_outcomes=ALARM_OUTCOMES,
        alarm_sentence=alarm_sentence,
        rule_name=rule_name,
    )
