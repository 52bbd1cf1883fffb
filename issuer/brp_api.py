"""BRP API Personen 2.7.0, seen from an issuer: what to ask of it, and what its answers say. Pure.

Asked is `RaadpleegMetBurgerservicenummer`, for at most 20 residents at a time, and of them the `fields` that the
credentials need and nothing else. Secrecy, suspension and investigations come along without being asked for, and
asking is refused there. The specification's `pattern`s are not held against answers (see `brp`).
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from issuer.brp import MAX_PERSON_BYTES, Bsn, parse_bsn
from protocol.canonical import parse_object
from protocol.errors import RegieError, Rejected, Unavailable

PATH = "/personen"
BY_BSN = "RaadpleegMetBurgerservicenummer"
MAX_BSNS = 20
MAX_ANSWER_BYTES = MAX_BSNS * MAX_PERSON_BYTES
_RELATIVE_NAME = ("voornamen", "voorvoegsel", "geslachtsnaam", "adellijkeTitelPredicaat")
_RELATIVES = ("partners", "kinderen", "ouders")


def _under(group: str, *members: str) -> tuple[str, ...]:
    return tuple(f"{group}.{member}" for member in members)


FIELDS: Mapping[str, tuple[str, ...]] = {
    "persoon": (
        "burgerservicenummer",
        *_under("naam", "voornamen", "voorvoegsel", "geslachtsnaam", "volledigeNaam"),
        *_under("geboorte", "datum", "plaats", "land"),
        "geslacht",
        "nationaliteiten.nationaliteit",
    ),
    "adres": (
        "burgerservicenummer",
        *_under("verblijfplaats", "datumVan", "functieAdres"),
        *_under(
            "verblijfplaats.verblijfadres",
            "officieleStraatnaam",
            "korteStraatnaam",
            "huisnummer",
            "huisletter",
            "huisnummertoevoeging",
            "postcode",
            "woonplaats",
            "land",
        ),
        "gemeenteVanInschrijving",
        *_under("adressering", "adresregel1", "adresregel2", "adresregel3"),
    ),
    "gezin": (
        "burgerservicenummer",
        *(path for group in _RELATIVES for path in _under(f"{group}.naam", *_RELATIVE_NAME)),
        *_under(
            "partners", "geslacht", "geboorte.datum", "soortVerbintenis", "ontbindingHuwelijkPartnerschap.datum"
        ),
        "kinderen.geboorte.datum",
        *_under("ouders", "geslacht", "geboorte.datum"),
    ),
    # Who is meant is found by BSN among the relatives, whose birth dates tell people of one name apart.
    "gezag": (
        "burgerservicenummer",
        "gezag",
        "indicatieCurateleRegister",
        *(
            path
            for group in ("kinderen", "ouders")
            for path in _under(group, "burgerservicenummer", "geboorte.datum")
        ),
    ),
    # Where the WOZ register is asked about: the home where the resident is registered.
    "woz": (
        "burgerservicenummer",
        "verblijfplaats.adresseerbaarObjectIdentificatie",
        *_under("verblijfplaats.verblijfadres", "huisnummer", "huisletter", "huisnummertoevoeging", "postcode"),
    ),
}
"""What each credential is made of (`register`), as paths that RvIG allows."""
FINDING_FIELDS = ("naam.geslachtsnaam", "geboorte.datum")
"""What a clerk finds somebody by at the counter, whatever cards there are."""
_PARAM = re.compile(r"[A-Za-z.]{1,60}(\[[0-9]{1,3}\])?")
_PARAM_CODES = frozenset(
    ("required", "minItems", "maxItems", "array", "pattern", "fields", "unknownParam", "value")
)


def fields_for(configurations: Iterable[str]) -> tuple[str, ...]:
    """The `fields` to ask for these credentials; none that another one of them covers is named twice."""
    wanted = dict.fromkeys((*(path for name in configurations for path in FIELDS.get(name, ())), *FINDING_FIELDS))
    return tuple(path for path in wanted if not any(path.startswith(f"{other}.") for other in wanted))


def batches(bsns: Iterable[Bsn]) -> Iterator[tuple[Bsn, ...]]:
    """At most as many as one request may name."""
    rest = iter(bsns)
    while batch := tuple(islice(rest, MAX_BSNS)):
        yield batch


def request_body(bsns: Collection[Bsn], fields: Collection[str]) -> bytes:
    """JSON of one request."""
    return json.dumps({"type": BY_BSN, "burgerservicenummer": list(bsns), "fields": list(fields)}).encode()


def parse_answer(body: bytes, asked: Collection[Bsn]) -> dict[Bsn, dict[str, Any]]:
    """The persons of an answer, as they came. Who was asked for and is not in it has no record there.

    Raises `Rejected`: `bad_source_answer` when it is of another type, of somebody who was not asked for, or of
    somebody twice; nothing of the answer is repeated.
    """
    try:
        answer = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    except Rejected as error:
        raise Rejected("bad_source_answer", "the source answered with something else than JSON") from error
    persons = answer.get("personen")
    if answer.get("type") != BY_BSN or not isinstance(persons, list):
        raise Rejected("bad_source_answer", "the source answered a question that was not asked")
    found: dict[Bsn, dict[str, Any]] = {}
    for person in persons:
        bsn = _bsn_of(person)
        if bsn is None or bsn not in asked or bsn in found:
            raise Rejected(
                "bad_source_answer", "the source answered about somebody who was not asked for, or twice"
            )
        found[bsn] = person
    return found


def _bsn_of(person: Any) -> Bsn | None:
    bsn = person.get("burgerservicenummer") if isinstance(person, dict) else None
    try:
        return parse_bsn(bsn) if isinstance(bsn, str) else None
    except Rejected:
        return None


def refusal_of(status: int, body: bytes, retry_after: int) -> RegieError:
    """A problem answer in our words: of its own text only the names of parameters and known codes are taken, for
    what else it says might name somebody.

    `Unavailable`: `source_unavailable` for 429 and 5xx, to be asked again after `retry_after` seconds. `Rejected`:
    `source_key` (401), `source_unauthorized` (403), `source_refused` for the rest.
    """
    if status == 429 or status >= 500:
        return Unavailable(
            "source_unavailable", f"the source cannot answer now ({status})", retry_after=retry_after
        )
    if status == 401:
        return Rejected("source_key", "the source does not know us: see the headers in the secret of this source")
    if status == 403:
        return Rejected("source_unauthorized", "our authorisation does not cover every field of these credentials")
    found = "; ".join(_wrong_params(body))
    return Rejected(
        "source_refused", f"the source refuses the request ({status})" + (f": {found}" if found else "")
    )


def _wrong_params(body: bytes) -> Iterator[str]:
    try:
        params = parse_object(body, max_bytes=MAX_ANSWER_BYTES).get("invalidParams")
    except Rejected:
        return
    for param in params if isinstance(params, list) else ():
        name, code = (
            (param.get(member) for member in ("name", "code")) if isinstance(param, dict) else (None, None)
        )
        if isinstance(name, str) and _PARAM.fullmatch(name) and code in _PARAM_CODES:
            yield f"{name} ({code})"
