"""Moving house: one resident, three organisations, three agreements that differ, and one that is stopped early.

The housing association may look at the new address for a month and twice at most; the parking office for as long
as the permit runs; the moving company gets a copy once, and the wallet says that a copy cannot be taken back.
"""

import json
import time
from typing import Any

from examples import within
from examples.founding import PERSONS, Teller, Town, town_for_a_story, verdict_words
from examples.services import ADDRESS, PARKING, service

DAY = 86400


def _private(
    name: str, nl: str, en: str, purpose: tuple[str, str], claims: list[str], days: int
) -> dict[str, Any]:
    """A service of a private party: it asks for address attributes, all needed, on consent."""
    return service(
        PARKING,
        id=name,
        name={"nl": nl, "en": en},
        purpose={"nl": purpose[0], "en": purpose[1]},
        claims=[{"vct": ADDRESS, "path": [claim], "needed": True} for claim in claims],
        longest_term=days * DAY,
    )


SERVICES = [
    PARKING,
    _private(
        "huurwoning",
        "Inschrijving huurwoning",
        "Rental registration",
        ("Controleren dat je op het nieuwe adres woont.", "Check that you live at the new address."),
        ["straat", "huisnummer", "postcode", "woonplaats", "datumVan"],
        90,
    ),
    _private(
        "verhuisbericht",
        "Verhuisbericht",
        "Change of address",
        ("Je spullen naar het goede adres brengen.", "Bring your things to the right address."),
        ["straat", "huisnummer", "postcode", "woonplaats"],
        30,
    ),
]


def story(town: Town, tell: Teller) -> None:
    """The resident's month. Raises when a step does not go as told."""
    bsn = json.loads(PERSONS.read_text().splitlines()[0])["burgerservicenummer"]
    town.open_wallet("resident", bsn)
    tell.say("The resident has moved; the register has the new address and the wallet has the cards.")

    renting = town.regie("agency", "verifier", "ask", "huurwoning").answer
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * DAY))
    town.regie("resident", "wallet", "grant", renting["request"], "--until", until, "--max-reads", "2", "--yes")
    tell.say(f"Housing association: until {until} and twice at most, though it asked for 90 days.")

    parking = town.regie("agency", "verifier", "ask", "parkeervergunning").answer
    permit = town.regie(
        "resident", "wallet", "grant", parking["request"], "--without", "volledigeNaam", "--yes"
    ).answer
    tell.say("Parking office: the name was not needed and is left out.")

    moving = town.regie("agency", "verifier", "ask", "verhuisbericht", "--once").answer
    shared = town.regie("resident", "wallet", "present", moving["request"], "--yes")
    tell.say("Moving company: a copy, once. The wallet says that no log guards a copy.")
    if not shared.answer:
        raise AssertionError("sharing once must be answered")

    for attempt in (1, 2):
        town.regie("agency", "verifier", "read", renting["id"], "--only", "datumVan", "--case", f"H-{attempt}")
    spent = town.regie(
        "agency", "verifier", "read", renting["id"], "--only", "datumVan", "--case", "H-3", expect=1
    )
    tell.say(f"Housing association reads twice; the third time it is refused: {spent.code}.")

    town.regie("resident", "wallet", "revoke", permit["id"])
    refused = town.regie(
        "agency", "verifier", "read", parking["id"], "--only", "postcode", "--case", "P-1", expect=1
    )
    tell.say(f"The car is sold, the permit stopped: {refused.code}.")
    if (spent.code, refused.code) != ("reads_spent", "revoked"):
        raise AssertionError("a spent and a stopped agreement must be refused by name")
    verdict = town.audit().answer
    tell.say(f"Audit: {verdict_words(verdict)}.")


def main() -> None:
    """Found a town, tell the story, leave nothing behind."""
    tell = Teller()
    with town_for_a_story(tell, SERVICES, command=within.run) as town:
        story(town, tell)


if __name__ == "__main__":
    main()
