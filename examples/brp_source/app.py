"""The server: `POST /haalcentraal/api/brp/personen` as BRP API Personen 2.7.0, from a file; `woz` beside it."""

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from examples.brp_source.derive import person_of
from examples.brp_source.fields import select
from examples.brp_source.problems import (
    BY_BSN,
    NOT_NOW,
    PATH,
    TOO_MANY,
    UNAUTHENTICATED,
    Problem,
    refusal_of,
)
from examples.brp_source.woz import add_woz

MAX_BODY = 64 * 1024
KEY_HEADER = "X-API-KEY"


@dataclass
class Source:
    """What is served.

    `key`: what a caller shows in `X-API-KEY`, nothing without it; `is_domestic_only`: callers may not see
    addresses abroad; `homes`: WOZ objects; `trouble`: the statuses (429, 503) that the next requests about persons
    are answered with; `asked`: the body of each of these that was answered, for tests.
    """

    persons: dict[str, dict[str, Any]]
    key: str | None = None
    is_domestic_only: bool = False
    today: Callable[[], datetime.date] = lambda: datetime.datetime.now(datetime.UTC).date()
    homes: list[dict[str, Any]] = field(default_factory=list)
    trouble: list[int] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)


def read_persons(path: Path) -> dict[str, dict[str, Any]]:
    """Persons by BSN from a file with one JSON a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {person["burgerservicenummer"]: person for person in map(json.loads, filter(str.strip, lines))}


def make_brp(source: Source) -> Flask:
    """The app around `source`, which a test may change while it serves."""
    app = Flask("brp_source")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    add_woz(app, source.homes, lambda: source.key is None or request.headers.get(KEY_HEADER) == source.key)

    @app.post(PATH)
    def persons() -> Response:
        problem = _refused(source, {name.lower(): value for name, value in request.headers.items()})
        if problem is not None:
            return _answer(problem.members(), problem.status, "application/problem+json", problem.status >= 429)
        body: dict[str, Any] = _body()
        source.asked.append(body)
        found = [
            select(person_of(source.persons[bsn], source.today()), body["fields"])
            for bsn in dict.fromkeys(body["burgerservicenummer"])
            if bsn in source.persons and _is_of(source.persons[bsn], body.get("gemeenteVanInschrijving"))
        ]
        return _answer({"type": BY_BSN, "personen": found}, 200, "application/json; charset=utf-8")

    return app


def _body() -> Any:
    try:
        return json.loads(request.get_data())
    except ValueError:
        return None


def _refused(source: Source, headers: Mapping[str, str]) -> Problem | None:
    if source.key is not None and headers.get(KEY_HEADER.lower()) != source.key:
        return UNAUTHENTICATED
    if source.trouble:
        return TOO_MANY if source.trouble.pop(0) == 429 else NOT_NOW
    return refusal_of(headers, _body(), is_domestic_only=source.is_domestic_only)


def _is_of(person: dict[str, Any], municipality: str | None) -> bool:
    return municipality is None or (person.get("gemeenteVanInschrijving") or {}).get("code") == municipality


def _answer(body: dict[str, Any], status: int, content_type: str, is_later: bool = False) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status, content_type=content_type)
    if is_later:
        response.headers["Retry-After"] = "1"
    return response
