"""Every word goes through the catalogue, every message has its Dutch, and consent is asked in short sentences."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment

from tests.faces import catalogue, literals

ROOMS = [room for room in catalogue.ROOMS if catalogue.folder(room).exists()]
JINJA = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"])
NOT_SHOWN = {
    ("service/ui/npm.py", "The faces keep their plain look: "),  # to who sets the program up
    ("wallet/ui/pwa.py", "any maskable"),  # for the browser
}
"""(file, text): sentences in Python that people never see, or that are data."""
LONGEST_SENTENCE = 15
"""Words in a Dutch sentence that asks for a consent: B1, one thought at a time (faces.md)."""
CONSENT = re.compile(r"wallet/ui/templates/wallet/(request|consent|legal|supply|share)[\w-]*\.html")
LONGER: set[str] = set()
"""Dutch sentences of more than 15 words on those pages, each with its reason beside it."""


@pytest.mark.parametrize("room", ROOMS)
def test_every_message_has_dutch_with_the_same_placeholders(room: str) -> None:
    assert [str(fault) for fault in catalogue.faults(room)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_word_of_a_page_goes_past_the_catalogue(room: str) -> None:
    found = []
    for path in sources(room):
        name = str(path.relative_to(catalogue.ROOT))
        found += [
            f"{name}:{line}: {text}"
            for line, text in literals.of_file(path, JINJA)
            if (name, text) not in NOT_SHOWN
        ]
    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_catalogue_is_as_make_words_leaves_it(room: str) -> None:
    ours = {str(message.id) for message in catalogue.messages(catalogue.dutch(room))}
    theirs = {str(message.id) for message in catalogue.messages(catalogue.extracted(room))}
    assert theirs <= ours | {str(m.id) for m in catalogue.messages(catalogue.dutch(catalogue.GROUND))}
    assert sorted(ours - theirs) == []


def test_dutch_of_the_consent_pages_is_in_short_sentences() -> None:
    long = []
    for message in catalogue.messages(catalogue.extracted("wallet")):
        if any(CONSENT.fullmatch(place) for place, _line in message.locations):
            kept = catalogue.dutch("wallet").get(message.id)
            for form in catalogue.forms(kept.string if kept else None):
                long += [text for text in sentences(form) if len(text.split()) > LONGEST_SENTENCE]
    assert [text for text in long if text not in LONGER] == []


def test_finders_see_what_they_are_for() -> None:
    page = '{% extends "ui/base.html" %}<p>Dag</p><img alt="een hond">{{ button("Niet delen") }}{{ _("Share") }}'
    assert {text for _, text in literals.in_html(page, JINJA)} == {"een hond", "Dag"}
    assert [text for _, text in literals.in_expressions(page, JINJA)] == ["Niet delen"]
    assert list(literals.in_html("{% trans %}Dag {{ name }}{% endtrans %}{{ x }}", JINJA)) == []
    assert [
        text for _, text in literals.in_python('"""A doc string."""\nflash("Het is klaar")\n_("It is done")')
    ] == ["Het is klaar"]


def sentences(text: str) -> list[str]:
    """Split at full stops, question and exclamation marks; placeholders count as one word."""
    return [part.strip() for part in re.split(r"(?<=[.!?:])\s+", re.sub(r"%\(\w+\)s", "X", text)) if part.strip()]


def sources(room: str) -> list[Path]:
    """Templates and modules of a face."""
    folder = catalogue.folder(room)
    return sorted([*folder.rglob("*.html"), *folder.rglob("*.py")])
