"""Every app answers where its description says, nowhere else, and as described: no 5xx, nothing undocumented."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import Case

from auditor.openapi import COSIGNER, OPERATOR
from consentlog.openapi import LOG, WITNESS
from issuer.openapi import ISSUER
from registrar.openapi import REGISTRAR
from service.edge import HOT_PATHS
from service.operations import COMMON, Api
from tests.figures import record
from tests.issuer.desk import open_desk
from tests.openapi import desks, fuzz, logs
from tests.openapi.house import House, Make
from verifier.openapi import AGENCY

EXAMPLES = int(os.environ.get("REGIE_OPENAPI_EXAMPLES", "50"))
HOUSES: dict[str, tuple[Callable[[Path], House], Api]] = {
    "issuer": (desks.issuer_house, ISSUER),
    "registrar": (desks.registrar_house, REGISTRAR),
    "agency": (desks.agency_house, AGENCY),
    "log": (logs.log_house, LOG),
    "witness": (logs.witness_house, WITNESS),
    "cosigner": (logs.cosigner_house, COSIGNER),
    "operator": (logs.operator_house, OPERATOR),
}
DESCRIBED = [(name, operation.id) for name, (_, api) in HOUSES.items() for operation in (*COMMON, *api.operations)]


Houses = Callable[[str], tuple[House, dict[str, Any]]]


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    """Each app with its operations, once for the whole file: what a request changes, others see."""
    built: dict[str, tuple[House, dict[str, Any]]] = {}

    def house(name: str) -> tuple[House, dict[str, Any]]:
        if name not in built:
            made = HOUSES[name][0](tmp_path_factory.mktemp(name))
            built[name] = made, fuzz.operations(made)
        return built[name]

    yield house
    for one, _ in built.values():
        one.close()


def routes(app: Flask) -> set[tuple[str, str]]:
    """Methods and path templates that Flask answers; those that it adds by itself left out."""
    return {
        (method, re.sub(r"<(?:[^<>]+:)?([a-z_]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def described(document: Any) -> set[tuple[str, str]]:
    """The same of a description."""
    return {
        (method.upper(), path)
        for path, item in fuzz.resolved(document)["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }


@pytest.mark.parametrize("name", HOUSES)
def test_every_route_is_described_and_every_described_path_is_a_route(houses: Houses, name: str) -> None:
    app = houses(name)[0].app
    answer = app.test_client().get("/v1/openapi.json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert described(answer.json) == routes(app)
    hot = set(app.extensions.get(HOT_PATHS, {}))
    assert hot <= routes(app)
    assert bool(hot) == (name == "log")


def test_issuer_under_a_path_describes_where_its_endpoints_are(tmp_path: Path) -> None:
    app = open_desk(tmp_path, url="https://voorbeeld.example/burgerzaken/issuer").client.application
    document = app.test_client().get("/burgerzaken/issuer/v1/openapi.json").json
    assert described(document) == routes(app)
    assert ("GET", "/.well-known/openid-credential-issuer/burgerzaken/issuer") in described(document)


@pytest.mark.parametrize(("name", "operation_id"), DESCRIBED)
def test_app_answers_as_described(houses: Houses, name: str, operation_id: str) -> None:
    house, operations = houses(name)
    answers = asked(operations[operation_id], house.truths.get(operation_id, ()))
    record(f"{name} {operation_id}", {str(status): count for status, count in sorted(answers.items())})


def test_reads_on_the_event_loop_are_answered_as_described(houses: Houses) -> None:
    house, _ = houses("log")
    loop = logs.OnLoop(house.app)
    operation = fuzz.operations(replace(house, app=loop))["read"]
    answers = asked(operation, house.truths["read"])
    assert loop.answered >= EXAMPLES
    assert answers[200]


def asked(operation: Any, truths: Sequence[Make]) -> Counter[int]:
    """How often each status was answered, at the boundaries of a description and within and beyond them."""
    answers: Counter[int] = Counter()
    for case in fuzz.boundary_cases(operation):
        answers[fuzz.check(case)] += 1

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(made=fuzz.cases(operation, truths))
    def answer(made: tuple[Case, bool]) -> None:
        case, is_made = made
        answers[fuzz.check(case, is_made=is_made)] += 1

    answer()
    return answers
