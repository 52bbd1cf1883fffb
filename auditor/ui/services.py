"""What agencies ask: on which ground, how much of what they registered, and how quickly they erase."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template

from auditor.ui import figures
from auditor.ui.desk import desk
from auditor.ui.told import attribute_name
from protocol.names import visible
from service.ui.words import language

pages = Blueprint("services", __name__, url_prefix="/services")
_FAMILIES = ("service", "given", "read", "right")


@dataclass(frozen=True)
class ServiceCard:
    """A service in the language of the page. `parts`: read, given and not read, registered and not given."""

    row: figures.ServiceRow
    title: str
    parts: tuple[float, float, float]
    never_given: str
    never_read: str


def service_cards() -> list[ServiceCard]:
    """All services that were used."""
    kept = desk()
    rows = kept.once("services", (), lambda _: figures.services(kept.cells(*_FAMILIES), kept.services()))
    return [
        ServiceCard(row, _title(row), _parts(row), _names(row.never_given), _names(row.never_read)) for row in rows
    ]


def _title(row: figures.ServiceRow) -> str:
    listed = desk().services().get((row.agency, row.service, row.version))
    name = row.service if listed is None else listed.name.nl if language() == "nl" else listed.name.en
    return f"{visible(name)} ({row.version})"


def _parts(row: figures.ServiceRow) -> tuple[float, float, float]:
    """They add up to what is registered, however little of it is ever read."""
    read = min(row.read, row.given)
    return read, round(row.given - read, 1), round(max(0.0, (row.registered or row.given) - row.given), 1)


def _names(rows: Sequence[figures.AttributeRow]) -> str:
    return ", ".join(attribute_name(row.vct, row.name) for row in rows)


@pages.get("/")
def page() -> str:
    """Services with their grounds and attributes; requests about rights."""
    kept, cards = desk(), service_cards()
    return render_template(
        "auditor/services.html",
        cards=cards,
        grounds=figures.grounds([card.row for card in cards]),
        rights=figures.rights(kept.cells(*_FAMILIES), kept.view.asked(), kept.now()),
        health=kept.health(),
    )
