"""The services of the demo town, each with its ground in law: what a registrar is given by an agency.

UPL names and articles are those of the Uniforme Productnamenlijst (Logius), numbers of results those of the VNG
retention list for municipalities 2020; `upl.csv` and `selectielijst.csv` beside this file hold the rows used here.
"""

from typing import Any

ADDRESS = "urn:regie:nl:adres:1"
FAMILY = "urn:regie:nl:gezin:1"
PERSON = "urn:regie:nl:persoon:1"
CONSENT_LAW = {
    "law": "AVG artikel 6 lid 1 onder a",
    "law_url": "https://eur-lex.europa.eu/legal-content/NL/TXT/?uri=CELEX:32016R0679",
}


def yes(nl: str, en: str) -> dict[str, Any]:
    """An answer of the test that speaks for free consent, with its reason."""
    return {"yes": True, "nl": nl, "en": en}


PARKING: dict[str, Any] = {
    "id": "parkeervergunning",
    "version": 1,
    "name": {"nl": "Parkeervergunning", "en": "Parking permit"},
    "purpose": {
        "nl": "Controleren of je in de wijk woont waar je wilt parkeren.",
        "en": "Check that you live in the district where you want to park.",
    },
    "basis": "consent",
    **CONSENT_LAW,
    "upl": "parkeervergunning",
    "selectielijst": "11.1",
    "free_consent": {
        "interest": yes(
            "Je hoeft zelf geen bewijs van je adres op te sturen.",
            "You do not have to send proof of your address yourself.",
        ),
        "request": yes("Je vraagt zelf een vergunning aan.", "You apply for a permit yourself."),
        "no_downside": yes(
            "Je kunt ook aan de balie laten zien waar je woont. Dat kost niets extra.",
            "You can show at the counter where you live instead. That costs nothing extra.",
        ),
        "no_imbalance": yes(
            "Wij beslissen hetzelfde, hoe je je adres ook laat zien.",
            "We decide the same, however you show your address.",
        ),
    },
    "claims": [
        {"vct": ADDRESS, "path": ["postcode"], "needed": True},
        {"vct": ADDRESS, "path": ["huisnummer"], "needed": True},
        {"vct": PERSON, "path": ["volledigeNaam"], "needed": False},
    ],
    "longest_term": 366 * 86400,
    "retention": "P1Y",
    "mode": "view",
    "privacy_policy": "https://voorbeeldstad.example/privacy",
}
_OF_PARKING = ("upl", "selectielijst", "free_consent")


def service(like: dict[str, Any], /, **members: Any) -> dict[str, Any]:
    """Another service, with only what can be the same of one that there is: never its product, list or test."""
    return {**{name: value for name, value in like.items() if name not in _OF_PARKING}, **members}


DEBT_HELP = service(
    PARKING,
    id="schuldhulpverlening",
    name={"nl": "Schuldhulpverlening", "en": "Debt help"},
    purpose={
        "nl": "Een plan maken voor je schulden, samen met jou.",
        "en": "Make a plan for your debts, together with you.",
    },
    basis="public_task",
    law="Artikel 3 Wet gemeentelijke schuldhulpverlening",
    law_url="https://wetten.overheid.nl/jci1.3:c:BWBR0031331&artikel=3",
    upl="schuldhulpverlening",
    selectielijst="8.1.9",
    claims=[
        {"vct": PERSON, "path": ["volledigeNaam"], "needed": True},
        {"vct": FAMILY, "path": ["burgerlijkeStaat"], "needed": True},
        {"vct": FAMILY, "path": ["kinderen"], "needed": False},
    ],
    longest_term=3 * 365 * 86400,
    retention="P5Y",
)
