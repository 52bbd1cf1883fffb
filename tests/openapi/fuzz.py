"""schemathesis over an app in this process: made requests, and true ones with a part spoiled.

What is made from a description alone is refused at the door by an app that checks signatures. So two
thirds of the requests are true ones (see `tests.openapi.house`), half of them with one member spoiled: the checks
behind the door are met too.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NOT_SET
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.overrides import Override
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from werkzeug.test import Client

from tests.openapi.house import House, Make, Request

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
MAX_TEXT, MAX_ITEMS = 256, 3
"""Longer texts and lists take minutes to make and meet nothing new: each limit has a test of its own."""
_FIXED = re.compile(r"\^\[A-Za-z0-9_-\]\{(\d+)\}(\[\w+\])?\$")
"""Keys, digests and secrets in base64url: one is as good as another, and a letter at a time they are dear."""
_PARTS = ("path", "query", "headers", "cookies")
_VALUES = (None, True, 0, -1, 2**53, 1.5, "", "x", "\0", "é~.", [], {}, [[]], "A" * 43)
_CHARACTERS = "Az0-_.~= \n\0é"


def resolved(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every path under one server, as a client resolves it."""
    paths = {}
    for path, item in document["paths"].items():
        [server] = item.get("servers", document["servers"])
        paths[urlsplit(server["url"]).path + path] = {
            key: value for key, value in item.items() if key != "servers"
        }
    return {**document, "servers": [{"url": "http://localhost"}], "paths": paths}


def shortened(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with short texts and lists in what is asked; what is answered keeps its forms."""
    schemas = document["components"]["schemas"]
    asked = {f"Asked{name}": _short(schema) for name, schema in schemas.items()}
    components = {**document["components"], "schemas": {**schemas, **asked}}
    paths = {
        path: {key: _short_request(value) if isinstance(value, dict) else value for key, value in item.items()}
        for path, item in document["paths"].items()
    }
    return {**document, "components": components, "paths": paths}


def _short_request(operation: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _short(value) if key == "requestBody" else value for key, value in operation.items()}


def _short(schema: Any) -> Any:
    if isinstance(schema, dict):
        if fixed := _FIXED.fullmatch(str(schema.get("pattern"))):
            return {"enum": [letter * int(fixed[1]) + ("A" if fixed[2] else "") for letter in "Aa0_"]}
        short = {key: _short(value) for key, value in schema.items()}
        for name, most in (("Length", MAX_TEXT), ("Items", MAX_ITEMS)):
            if isinstance(short.get(f"max{name}"), int):
                short[f"max{name}"] = max(min(short[f"max{name}"], most), short.get(f"min{name}", 0))
        if isinstance(short.get("$ref"), str):
            short["$ref"] = short["$ref"].replace("/schemas/", "/schemas/Asked")
        return short
    return [_short(value) for value in schema] if isinstance(schema, list) else schema


def operations(house: House) -> dict[str, APIOperation]:
    """What the app describes, by operation id."""
    document = Client(house.app).get("/v1/openapi.json").json
    schema = schemathesis.openapi.from_dict(shortened(resolved(document)), config=SchemathesisConfig())
    schema.app = house.app
    return {found.ok().definition.raw["operationId"]: found.ok() for found in schema.get_all_operations()}


def boundary_cases(operation: APIOperation) -> Iterator[Case]:
    """At the limits of the description and just beyond, other methods and media types, parts left out."""
    settings = operation.schema.config.generation_for(operation=operation, phase="coverage")
    yield from CoverageGenerator(
        operation=operation,
        generation_modes=settings.modes,
        generation_config=settings,
        auth_storage=None,
        override=Override(query={}, headers={}, cookies={}, path_parameters={}, body={}),
        feedback=FeedbackSources(),
        hooks=None,
    )


def cases(operation: APIOperation, truths: Sequence[Make]) -> st.SearchStrategy[tuple[Case, bool]]:
    """Requests as the description has them and as it does not, or true ones; and whether it is a made one."""
    made = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    return _aimed(operation, made, truths)


@st.composite
def _aimed(
    draw: Callable[..., Any], operation: APIOperation, made: st.SearchStrategy[Case], truths: Sequence[Make]
) -> tuple[Case, bool]:
    is_made = not truths or draw(st.integers(0, 2)) == 0
    if is_made:
        case = draw(made)
    else:
        make, is_whole, seed = draw(st.sampled_from(truths)), draw(st.booleans()), draw(st.integers(0, 2**32))
        # True requests are new every time: Hypothesis must not see them, so a generator of our own spoils them.
        case = _case(operation, make(), None if is_whole else Random(seed))
    if draw(st.integers(0, 3)) == 0:
        case.headers = {**(case.headers or {}), "Accept": "application/problem+json"}
    return case, is_made


def _case(operation: APIOperation, true: Request, random: Random | None) -> Case:
    """This request, one of whose parts `random` spoils."""
    parts = {name: getattr(true, name) for name in _PARTS if getattr(true, name)}
    if true.body is not None:
        parts["body"] = true.content()
    if random is not None:
        name = random.choice(["body", *parts] if "body" in parts else list(parts))
        parts[name] = spoiled(random, parts[name])
    return operation.Case(
        path_parameters={**dict.fromkeys(true.path, "x"), **_sendable(parts.get("path", {}))},
        query=dict(parts.get("query", {})),
        headers=_sendable(parts.get("headers", {})),
        cookies=_sendable(parts.get("cookies", {})),
        body=parts.get("body", NOT_SET),
        media_type=true.media_type if "body" in parts else None,
    )


def _sendable(values: Mapping[str, Any]) -> dict[str, str]:
    """Those that a client can put on the wire."""
    texts = {name: str(value) for name, value in values.items()}
    return {name: text for name, text in texts.items() if re.fullmatch(r"[!-~]([ -~]*[!-~])?", text)}


def spoiled(random: Random, body: Any) -> Any:
    """A true body with one member left out, replaced, or spoiled itself."""
    if isinstance(body, bytes):
        place = random.randrange(len(body) + 1)
        return body[:place] + random.randbytes(random.randrange(4)) + body[place + random.randrange(4) :]
    if isinstance(body, str) and body:
        place = random.randrange(len(body))
        return body[:place] + random.choice(_CHARACTERS) + body[place + random.randrange(2) :]
    if not isinstance(body, dict | list) or not body:
        return random.choice(_VALUES)
    key = random.choice(sorted(body) if isinstance(body, dict) else range(len(body)))
    changed = body.copy()
    match random.choice(("spoil", "spoil", "spoil", "replace", "leave out")):
        case "spoil":
            changed[key] = spoiled(random, body[key])
        case "replace":
            changed[key] = random.choice(_VALUES)
        case _:
            del changed[key]
    return changed


def check(case: Case, *, is_made: bool = True) -> int:
    """Send it and hold the answer against the description; its status. Raises what schemathesis raises.

    `is_made`: the request is what schemathesis made, so that it knows whether the description forbids it.
    """
    response = case.call()
    checks = [*CHECKS, negative_data_rejection] if is_made else CHECKS
    if response.headers.get("content-type") == ["application/jwt"]:
        # schemathesis takes it for JSON: of a compact JWS only the media type can be looked at.
        checks = [one for one in checks if one is not response_schema_conformance]
    case.validate_response(response, checks=checks)
    return int(response.status_code)
