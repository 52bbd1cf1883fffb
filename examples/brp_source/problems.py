"""Requests that BRP API Personen 2.7.0 refuses, in the words of RvIG (application/problem+json). Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.brp_source.fields import PATHS, is_automatic

PATH = "/haalcentraal/api/brp/personen"
BY_BSN = "RaadpleegMetBurgerservicenummer"
MAX_FIELDS, MAX_BSNS = 130, 20
_RFC = "https://datatracker.ietf.org/doc/html/rfc7231#section-"
_JSON_ONLY = "Ondersteunde content type: application/json; charset=utf-8."
_FIELD, _BSN, _MUNICIPALITY = r"^[a-zA-Z0-9\._]{1,200}$", r"^[0-9]{9}$", r"^[0-9]{4}$"
_KNOWN = ("type", "fields", "burgerservicenummer", "gemeenteVanInschrijving")
Param = dict[str, str]


@dataclass(frozen=True)
class Problem:
    """A refusal: its HTTP status and its members in the order in which RvIG gives them."""

    status: int
    section: str
    title: str
    code: str
    detail: str | None = None
    params: tuple[Param, ...] = ()

    def members(self, instance: str = PATH) -> dict[str, Any]:
        """The body."""
        body: dict[str, Any] = {"type": _RFC + self.section, "title": self.title, "status": self.status}
        if self.detail is not None:
            body["detail"] = self.detail
        body |= {"code": self.code, "instance": instance}
        return body | {"invalidParams": list(self.params)} if self.params else body


NOT_ACCEPTABLE = Problem(
    406, "6.5.6", "Gevraagde content type wordt niet ondersteund.", "notAcceptable", _JSON_ONLY
)
UNSUPPORTED = Problem(415, "6.5.13", "Media Type wordt niet ondersteund.", "unsupportedMediaType", _JSON_ONLY)
UNAUTHORIZED_FIELD = Problem(
    403, "6.5.3", "U bent niet geautoriseerd voor één of meerdere opgegeven field waarden.", "unauthorizedField"
)
UNAUTHENTICATED = Problem(401, "6.5.2", "Niet correct geauthenticeerd.", "authentication")
TOO_MANY = Problem(429, "6.5", "Te veel gelijktijdige verzoeken.", "tooManyRequests")
NOT_NOW = Problem(503, "6.6.4", "Bronservice is tijdelijk niet beschikbaar.", "sourceUnavailable")


def refusal_of(headers: Mapping[str, str], body: Any, *, is_domestic_only: bool = False) -> Problem | None:
    """Why a request is refused; None for one that is answered. `headers` by lower-case names; `body` as parsed.

    `is_domestic_only`: who asks may not see addresses abroad, and has to name the aliases for that.
    """
    if not _takes_json(headers.get("accept", "")):
        return NOT_ACCEPTABLE
    if not _is_json(headers.get("content-type", "application/json")):
        return UNSUPPORTED
    found = tuple(_wrong_params(body if isinstance(body, dict) else {}))
    if found:
        names = ", ".join(param["name"] for param in found)
        detail = f"De foutieve parameter(s) zijn: {names}."
        title = "Een of meerdere parameters zijn niet correct."
        return Problem(400, "6.5.1", title, "paramsValidation", detail, found)
    if is_domestic_only and any(path.split(".")[0] == "verblijfplaats" for path in body["fields"]):
        return UNAUTHORIZED_FIELD
    return None


def _takes_json(accept: str) -> bool:
    ranges = [part.strip() for part in accept.split(",") if part.strip()]
    return not ranges or any(part.partition(";")[0].strip() == "*/*" or _is_json(part) for part in ranges)


def _is_json(media_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in media_type.split(";"))
    charsets = [part for part in parameters if part.startswith("charset=")]
    return kind == "application/json" and all(part in ("charset=utf-8", 'charset="utf-8"') for part in charsets)


def _param(code: str, name: str, reason: str) -> Param:
    return {"code": code, "name": name, "reason": reason}


def _wrong_params(body: dict[str, Any]) -> list[Param]:
    if "type" not in body:
        return [_param("required", "type", "Parameter is verplicht.")]
    if body["type"] != BY_BSN:
        return [_param("value", "type", "Waarde is geen geldig zoek type.")]
    found = _wrong_list(body, "burgerservicenummer", MAX_BSNS, lambda item: _mismatch(item, _BSN))
    found += _wrong_list(body, "fields", MAX_FIELDS, _wrong_field)
    municipality = body.get("gemeenteVanInschrijving")
    wrong = _mismatch(municipality, _MUNICIPALITY) if municipality is not None else None
    if wrong:
        found.append(_param(wrong[0], "gemeenteVanInschrijving", wrong[1]))
    return found + [
        _param("unknownParam", name, "Parameter is niet verwacht.") for name in body if name not in _KNOWN
    ]


def _wrong_list(
    body: dict[str, Any], name: str, most: int, wrong: Callable[[Any], tuple[str, str] | None]
) -> list[Param]:
    """A list of 1 to `most` items that are right each."""
    if name not in body:
        return [_param("required", name, "Parameter is verplicht.")]
    items = body[name]
    if not isinstance(items, list):
        return [_param("array", name, "Parameter is geen array.")]
    if not items:
        return [_param("minItems", name, "Array bevat minder dan 1 items.")]
    if len(items) > most:
        return [_param("maxItems", name, f"Array bevat meer dan {most} items.")]
    reasons = ((place, wrong(item)) for place, item in enumerate(items))
    return [_param(reason[0], f"{name}[{place}]", reason[1]) for place, reason in reasons if reason]


def _mismatch(item: Any, pattern: str) -> tuple[str, str] | None:
    if isinstance(item, str) and re.fullmatch(pattern.strip("^$"), item):
        return None
    return "pattern", f"Waarde voldoet niet aan patroon {pattern}."


def _wrong_field(item: Any) -> tuple[str, str] | None:
    wrong = _mismatch(item, _FIELD)
    if wrong or item in PATHS:
        return wrong
    kind = "toegestane" if is_automatic(item) else "bestaande"
    return "fields", f"Parameter bevat een niet {kind} veldnaam."
