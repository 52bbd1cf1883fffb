"""WOZ bevragen 1.0.0: `GET /wozobjecten` and `/wozobjecten/{identificatie}`, from a file of objects."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

PREFIX = "/woz/v1"
_PATTERNS = {
    "rsin": r"[0-9]{9}",
    "kvkNummer": r"[0-9]{8}",
    "adresseerbaarObjectIdentificatie": r"[0-9]{16}",
    "nummeraanduidingIdentificatie": r"[0-9]{16}",
    "postcode": r"[1-9][0-9]{3}[A-Z]{2}",
    "huisnummer": r"[1-9][0-9]{0,4}",
    "huisnummertoevoeging": r"[0-9a-zA-Z]{1,4}",
    "huisletter": r"[a-zA-Z]",
}
_PAGE = {"page": r"[1-9][0-9]{0,5}", "pageSize": r"[1-9][0-9]?|100"}
_MEMBERS = (
    "identificatie",
    "aanduiding",
    "adresseerbaarObjectIdentificaties",
    "belanghebbendeEigenaar",
    "belanghebbendeGebruiker",
    "grondoppervlakte",
    "kadastraalOnroerendeZaken",
    "pandIdentificaties",
    "verantwoordelijkeGemeente",
    "waarden",
)
_HAL, _PROBLEM = "application/hal+json", "application/problem+json"
WozObject = dict[str, Any]


def read_objects(path: Path) -> list[WozObject]:
    """Objects from a file with one JSON a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def add_woz(app: Flask, objects: list[WozObject], is_known: Callable[[], bool]) -> None:
    """Both operations on `app`; `is_known`: whether a request is of a caller who may ask."""

    @app.get(f"{PREFIX}/wozobjecten")
    def search() -> Response:
        if not is_known():
            return _problem(401, "Niet correct geauthenticeerd.", "authentication")
        wrong = _wrong({**_PATTERNS, **_PAGE})
        asked = {name: request.args[name] for name in _PATTERNS if name in request.args}
        if wrong:
            return _problem(400, "Een of meerdere parameters zijn niet correct.", "paramsValidation", wrong)
        if not asked:
            return _problem(400, "Ten minste één parameter moet worden opgegeven.", "paramsRequired")
        if ("postcode" in asked) != ("huisnummer" in asked):
            return _problem(400, "Minimale combinatie van parameters moet worden opgegeven.", "paramsCombination")
        found = [_chosen(one) for one in objects if _matches(one, asked)]
        page, size = int(request.args.get("page", "1")), int(request.args.get("pageSize", "20"))
        part = found[(page - 1) * size : page * size]
        return _answer({"_links": _link(request.full_path), "_embedded": {"wozObjecten": part}}, 200, _HAL)

    @app.get(f"{PREFIX}/wozobjecten/<identification>")
    def one(identification: str) -> Response:
        if not is_known():
            return _problem(401, "Niet correct geauthenticeerd.", "authentication")
        wrong = _wrong({})
        if wrong:
            return _problem(400, "Een of meerdere parameters zijn niet correct.", "paramsValidation", wrong)
        found = next((one for one in objects if one["identificatie"] == identification), None)
        if found is None:
            return _problem(404, "Opgevraagde resource bestaat niet.", "notFound")
        return _answer(_chosen(found), 200, _HAL)


def _wrong(patterns: dict[str, str]) -> list[dict[str, str]]:
    """Parameters of another form or name, and members of `fields` that do not exist."""
    found = []
    for name, value in request.args.items():
        if name == "fields":
            unknown = [path for path in value.split(",") if path.split(".")[0] not in _MEMBERS]
            found += [_param("fields", name, "Deel van de parameterwaarde niet correct.")] if unknown else []
        elif name not in patterns:
            found.append(_param("unknownParam", name, "Parameter is niet verwacht."))
        elif not re.fullmatch(patterns[name], value):
            found.append(_param("pattern", name, "Waarde voldoet niet aan patroon."))
    return found


def _param(code: str, name: str, reason: str) -> dict[str, str]:
    return {"code": code, "name": name, "reason": reason}


def _matches(one: WozObject, asked: Mapping[str, str]) -> bool:
    place, owner = one.get("aanduiding", {}), one.get("belanghebbendeEigenaar", {})
    found = {
        "rsin": owner.get("rsin"),
        "kvkNummer": owner.get("kvkNummer"),
        **{name: place.get(name) for name in ("nummeraanduidingIdentificatie", "postcode", "huisnummer")},
        **{name: place.get(name) for name in ("huisletter", "huisnummertoevoeging")},
    }
    addressable = asked.get("adresseerbaarObjectIdentificatie")
    if addressable is not None and addressable not in one.get("adresseerbaarObjectIdentificaties", []):
        return False
    rest = {name: value for name, value in asked.items() if name in found}
    return all(str(found[name]) == value for name, value in rest.items())


def _chosen(one: WozObject) -> WozObject:
    """The members that `fields` names, all without it; its link goes along."""
    fields = request.args.get("fields")
    chosen = one if fields is None else {}
    for path in (fields or "").split(",") if fields else ():
        group, _, member = path.partition(".")
        if group in one and not member:
            chosen[group] = one[group]
        elif member in one.get(group, {}):
            chosen.setdefault(group, {})[member] = one[group][member]
    return {**chosen, "_links": _link(f"{PREFIX}/wozobjecten/{one['identificatie']}")}


def _link(path: str) -> dict[str, Any]:
    return {"self": {"href": path}}


def _problem(status: int, title: str, code: str, params: list[dict[str, str]] | None = None) -> Response:
    body: dict[str, Any] = {"title": title, "status": status, "code": code, "instance": request.path}
    return _answer(body | ({"invalidParams": params} if params else {}), status, _PROBLEM)


def _answer(body: dict[str, Any], status: int, content_type: str) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type=content_type)
