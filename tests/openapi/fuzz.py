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
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.overrides import Override
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.openapi.house import House, Make, Request

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
OF_JSON = (response_schema_conformance,)
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
    """What the app describes, by operation id; but its description, which schemathesis leaves out."""
    document = house.app.test_client().get("/v1/openapi.json").json
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


def cases(operation: APIOperation, truths: Sequence[Make]) -> st.SearchStrategy[Case]:
    """Requests as the description has them and as it does not, with true parts in places."""
    made = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    return _aimed(made, truths)


@st.composite
def _aimed(draw: Callable[..., Any], made: st.SearchStrategy[Case], truths: Sequence[Make]) -> Case:
    case = draw(made)
    if truths and draw(st.integers(0, 2)):
        make, is_whole, seed = draw(st.sampled_from(truths)), draw(st.booleans()), draw(st.integers(0, 2**32))
        # True requests are new every time: Hypothesis must not see them, so a generator of our own spoils them.
        _put(case, make(), None if is_whole else Random(seed))
    if draw(st.integers(0, 3)) == 0:
        case.headers = {**(case.headers or {}), "Accept": "application/problem+json"}
    return case


def _put(case: Case, true: Request, random: Random | None) -> None:
    """Make the case this request, one of whose parts `random` spoils."""
    parts = {name: getattr(true, name) for name in _PARTS if getattr(true, name)}
    if true.body is not None:
        parts["body"] = true.content()
    if random is not None:
        name = random.choice(["body", *parts] if "body" in parts else list(parts))
        parts[name] = spoiled(random, parts[name])
    if "body" in parts:
        case.body, case.media_type = parts["body"], true.media_type
    for name, container in (("path", "path_parameters"), ("headers", "headers"), ("cookies", "cookies")):
        setattr(case, container, {**(getattr(case, container) or {}), **_sendable(parts.get(name, {}))})
    case.query = {**(case.query or {}), **parts.get("query", {})}


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


def check(case: Case) -> int:
    """Send it and hold the answer against the description; its status. Raises what schemathesis raises."""
    response = case.call()
    # schemathesis takes application/jwt for JSON: of a compact JWS only the media type can be looked at.
    is_jws = response.headers.get("content-type") == ["application/jwt"]
    case.validate_response(response, checks=[one for one in CHECKS if not is_jws or one not in OF_JSON])
    return int(response.status_code)
