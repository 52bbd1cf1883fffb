"""Why a rule rang, in a sentence (B1 Dutch and English): numbers of the alert, no name and no verdict."""

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.alarm.facts import Alert


@dataclass(frozen=True)
class Reason:
    """`nl`, `en`: with the numbers of an alert; `nl_name`, `en_name`: of the rule."""

    nl_name: str
    en_name: str
    nl: str
    en: str


REASONS: Mapping[str, Reason] = {
    "outside_hours": Reason(
        "Buiten werktijd", "Outside hours",
        "%(reads)d keer gelezen buiten de gewone uren, waarvan %(night)d keer in de nacht.",
        "%(reads)d readings outside the usual hours, %(night)d of them at night.",
    ),
    "weekend_home": Reason(
        "Vrije dag, van huis", "Day off, from home",
        "%(reads)d keer gelezen van huis, op een zaterdag, zondag of feestdag.",
        "%(reads)d readings from home on a Saturday, Sunday or holiday.",
    ),
    "mass": Reason(
        "Veel op één dag", "Many in a day",
        "%(residents)d inwoners gelezen op één dag. Gewoon zijn dat er %(usual)d.",
        "%(residents)d residents read in one day; usual for this officer are %(usual)d.",
    ),
    "own_street": Reason(
        "Eigen straat", "Own street",
        "%(residents)d inwoners gelezen uit de eigen straat van de medewerker.",
        "%(residents)d residents read who live in the officer's own street.",
    ),
    "relatives": Reason(
        "Familie", "Relatives",
        "%(reads)d keer gelezen bij familie van de medewerker.",
        "%(reads)d readings of a relative of the officer.",
    ),
    "many_residents": Reason(
        "Veel inwoners", "Many residents",
        "%(residents)d inwoners gelezen in deze weken. Gewoon zijn dat er %(usual)d in vier weken.",
        "%(residents)d residents read in these weeks; usual are %(usual)d in four weeks.",
    ),
    "no_open_case": Reason(
        "Geen zaak", "No case",
        "%(reads)d keer gelezen met een zaaknummer dat niet bestaat, of toen nog niet bestond.",
        "%(reads)d readings under a case number that does not exist, or did not yet.",
    ),
    "burst": Reason(
        "Snel achter elkaar", "Burst",
        "%(residents)d inwoners gelezen in %(minutes)d minuten.",
        "%(residents)d residents read in %(minutes)d minutes.",
    ),
    "many_officers": Reason(
        "Eén inwoner, veel medewerkers", "One resident, many officers",
        "%(officers)d medewerkers lazen in korte tijd bij dezelfde inwoner.",
        "%(officers)d officers read the same resident within days.",
    ),
    "no_follow_up": Reason(
        "Niets mee gedaan", "No follow-up",
        "%(reads)d keer gelezen zonder dat er daarna iets in de zaak gebeurde. Gewoon is dat %(usual)d keer.",
        "%(reads)d readings after which nothing was done in the case; usual are %(usual)d.",
    ),
    "after_closed": Reason(
        "Zaak was al dicht", "Case was closed",
        "%(reads)d keer gelezen lang nadat de zaak dicht was.",
        "%(reads)d readings long after the case was closed.",
    ),
    "same_resident": Reason(
        "Steeds dezelfde inwoner", "Same resident again",
        "%(reads)d keer gelezen bij dezelfde inwoner, met %(cases)d verschillende zaken.",
        "%(reads)d readings of the same resident, under %(cases)d different cases.",
    ),
}  # fmt: skip


def sentence(alert: Alert, language: str) -> str:
    """Why it rang."""
    reason = REASONS[alert.rule]
    return (reason.nl if language == "nl" else reason.en) % alert.numbers


def rule_name(rule: str, language: str) -> str:
    """The rule in two or three words."""
    return REASONS[rule].nl_name if language == "nl" else REASONS[rule].en_name
