"""What the pages of the counter show: words and values made of what the office knows. No decision is made here."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from babel.dates import format_date

from issuer.counter import Acting, Document, Dossier
from issuer.dates import UNKNOWN
from issuer.finding import Found, birth_of, is_deceased, name_of
from issuer.mandate_caller import CALLER_CONFIGURATION
from issuer.offer import configuration
from issuer.store import Issuance
from issuer.store_counter import Act, ActKind
from protocol.mandate_api import RepresentationKind
from service.ui.words import _, language, lazy, locale

DOCUMENT_NAMES: Mapping[Document, Any] = {
    "passport": lazy("passport"),
    "identity_card": lazy("identity card"),
    "driving_licence": lazy("driving licence"),
    "residence_permit": lazy("residence permit"),
}
KINDS: Mapping[RepresentationKind, Any] = {
    "ouder": lazy("Parent"),
    "voogd": lazy("Guardian"),
    "curator": lazy("Curator"),
    "bewindvoerder": lazy("Administrator (bewindvoerder)"),
    "mentor": lazy("Mentor"),
    "helper": lazy("Helper"),
}
_ACTS: Mapping[ActKind, tuple[str, str, Any]] = {
    "found": ("read", "info", lazy("Page opened")),
    "offered": ("card", "ok", lazy("Cards offered")),
    "revoked": ("stopped", "stopped", lazy("Card taken back")),
    "held": ("wait", "wait", lazy("Held")),
    "released": ("ok", "ok", lazy("Held no longer")),
    "approved": ("ok", "ok", lazy("Approved")),
    "denied": ("stopped", "stopped", lazy("Refused")),
    "appointed": ("wait", "wait", lazy("Decision of a court written down")),
    "confirmed": ("ok", "ok", lazy("Decision of a court confirmed")),
    "ended": ("stopped", "stopped", lazy("Acting for this person ended")),
}


@dataclass(frozen=True)
class Card:
    """A kind of card that can be given."""

    id: str
    name: str
    about: str


@dataclass(frozen=True)
class IssuedCard:
    """What somebody was given at once: `state` is `ok`, `stopped` or `unsure` (a part was taken back)."""

    offer_id: str
    name: str
    issued: int
    state: str
    words: str
    can_be_revoked: bool
    is_acting: bool
    says_who: bool


@dataclass(frozen=True)
class ActingCard:
    """A mandate: who acts for whom, as what, and until when."""

    title: str
    kind: str
    until: int
    is_waiting: bool


@dataclass(frozen=True)
class PersonView:
    """The page of one resident."""

    name: str
    birth: str
    address: str
    bsn_end: str
    is_deceased: bool
    is_secret: bool
    acting: tuple[ActingCard, ...]
    issued: tuple[IssuedCard, ...]
    acts: tuple[dict[str, Any], ...]


def date_words(text: str) -> str:
    """12 april 1987, mei 2020, 1963 or unknown: as far as the register knows it."""
    parts = text.split("-")
    if text in ("", UNKNOWN):
        return str(_("unknown"))
    if len(parts) == 1:
        return text
    day = datetime.date(int(parts[0]), int(parts[1]), int(parts[2]) if len(parts) == 3 else 1)
    return str(format_date(day, "d MMMM y" if len(parts) == 3 else "MMMM y", locale=locale()))


def card_name(configuration_id: str) -> str:
    """The name of a kind of card, in the language of the page."""
    kind = configuration(configuration_id)
    return kind.label_nl if language() == "nl" else kind.label_en


def cards(made: Sequence[str]) -> list[Card]:
    """Every kind that this issuer gives."""
    about = {
        "persoon": _("Name, date of birth, age, nationality, BSN."),
        "adres": _("Street, number, postcode, town, since when."),
        "gezin": _("Marriage or partnership, partner, children, parents."),
        "gezag": _("Parental responsibility, and whether there is a guardian."),
        "woz": _("What the home is worth (WOZ), and whether the resident owns or uses it."),
    }
    return [Card(name, card_name(name), about.get(name, "")) for name in made]


def person_view(dossier: Dossier) -> PersonView:
    """What the page of a resident shows."""
    person = dossier.person
    lines = person.adressering
    address = ", ".join(line for line in (lines.adresregel1, lines.adresregel2) if line) if lines else ""
    return PersonView(
        name=name_of(person) or _("without a name"),
        birth=date_words(birth_of(person)),
        address=" ".join(address.split()) or _("unknown"),
        bsn_end=dossier.bsn[-3:],
        is_deceased=is_deceased(person),
        is_secret=person.geheimhoudingPersoonsgegevens,
        acting=tuple(map(_acting_card, dossier.acting)),
        issued=issued_cards(dossier.issued),
        acts=tuple(act_item(act) for act in dossier.acts),
    )


def issued_cards(issued: Sequence[Issuance]) -> tuple[IssuedCard, ...]:
    """What was given together stands together, for it is taken back together; the newest first."""
    found: dict[str, list[Issuance]] = {}
    for one in issued:
        found.setdefault(one.offer_id, []).append(one)
    return tuple(_issued_card(together) for together in reversed(found.values()))


def _issued_card(together: Sequence[Issuance]) -> IssuedCard:
    copies, revoked = sum(one.copies for one in together), sum(one.revoked for one in together)
    state, words = "ok", _("In use")
    if revoked >= copies:
        state, words = "stopped", _("Taken back")
    elif revoked:
        state, words = "unsure", _("Partly taken back")
    names = ", ".join(card_name(one.configuration) for one in together)
    is_acting = together[0].party is not None
    says_who = not is_acting and any(one.configuration == CALLER_CONFIGURATION for one in together)
    return IssuedCard(
        together[0].offer_id, names, together[0].issued, state, words, revoked < copies, is_acting, says_who
    )


def _acting_card(one: Acting) -> ActingCard:
    unknown = _("without a name")
    if one.party:
        title = _("Acts for %(name)s", name=one.represented or unknown)
    else:
        title = _("Represented by %(names)s", names=", ".join(name or unknown for name in one.delegates))
    return ActingCard(title, str(KINDS[one.mandate.kind]), one.mandate.until, not one.mandate.token)


def act_item(act: Act) -> dict[str, Any]:
    """For the macro `timeline`."""
    icon, kind, title = _ACTS[act.act]
    text = _("by %(officer)s", officer=act.officer)
    shown = next((str(name) for kind, name in DOCUMENT_NAMES.items() if kind == act.document), None)
    if shown is not None:
        text = _("by %(officer)s, who saw: %(document)s", officer=act.officer, document=shown)
    return {"icon": icon, "kind": kind, "title": title, "when": act.at, "text": text}


def spaced(code: str) -> str:
    """1234 5678: easier to read and to say."""
    return f"{code[:4]} {code[4:]}"


def found_rows(found: Iterable[Found]) -> list[Found]:
    """Dates as words, for a list of people to choose from."""
    return [Found(one.bsn, one.name or _("without a name"), date_words(one.birth), one.address) for one in found]
