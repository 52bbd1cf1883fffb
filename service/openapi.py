"""What an app answers, as OpenAPI 3.1 at `/v1/openapi.json` (NLgov API Design Rules 2.2, /core/publish-openapi).

A role's `openapi.py` lists its operations, those that standards define among them; its `web.py` publishes them:

    OPERATIONS = (
        Operation(
            "read", "POST", "/v1/reads", "Read attributes of a grant",
            body=(json_of(ReadRequest),),
            answers={200: Reply("The shares.", (json_of(ReadAnswer),))},
            refusals={404: "`unknown_lock`", 410: "`revoked`, `expired`"},
        ),
    )
    publish(app, Api("Consent log", "What parties of a grant ask.", OPERATIONS), url=config.url)

The forms come from the Structs that the endpoints read and write, so that they cannot differ from them. What every
answer has (the version, the refusals of `service.edge`) is added here. `tests/openapi` holds each document against
its app, both ways, and against the ruleset of the design rules.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Flask, Response

from service.app import PROBLEM, json_response
from service.edge import API_VERSION
from service.operations import COMMON, HEALTH, PROJECT, Api, Contact, Content, Operation, Parameter

OPENAPI_VERSION = "3.1.0"
MAX_AGE = 300
_REFERENCES = "#/components/schemas/{name}"
_EDGE = {
    400: "`incomplete`: the body ended too early",
    408: "`too_slow`: the body took too long",
    413: "`too_large`",
    503: "a peer, a disk or a quorum is missing, or too many are waiting",
}
"""What `service.edge` may answer to any request, before the app sees it."""
_VERSION_PATTERN = r"^[0-9]+\.[0-9]+\.[0-9]+$"
PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "RFC 9457, with a stable `code` for programs. It never carries personal data.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"},
        "detail": {"type": "string"},
    },
}


_TAGS = {"service": "Of every service of Regie."}


def publish(app: Flask, api: Api, *, url: str, mount: str = "", contact: Contact | None = None) -> None:
    """Add `GET {mount}/v1/openapi.json`. `url`: where others reach the app; `mount`: what its rules begin with."""
    made: list[dict[str, Any]] = []

    def description() -> Response:
        if not made:  # at the first question: nobody waits for it at a start
            made.append(document(api, url=url, mount=mount, contact=contact))
        return json_response(made[0], headers={"Access-Control-Allow-Origin": "*"}, max_age=MAX_AGE)

    app.add_url_rule(f"{mount}/v1/openapi.json", "openapi", description)


def document(api: Api, *, url: str, mount: str = "", contact: Contact | None = None) -> dict[str, Any]:
    """The OpenAPI document of an app at `url`. Raises `ValueError` for two operations of one method and path."""
    operations = (*COMMON, *api.operations)
    schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        base, key = _placed(operation.path, url, mount)
        item = paths.setdefault(key, {} if base is None else {"servers": [{"url": base}]})
        if operation.method.lower() in item or item.get("servers", [{"url": None}])[0]["url"] != base:
            raise ValueError(f"{operation.method} {operation.path} is described twice")
        shared = [one for one in operation.parameters if _is_of_the_path(one, operation)]
        known = [one["name"] for one in item.get("parameters", ())]
        if added := [_parameter(one) for one in shared if one.name not in known]:
            item["parameters"] = [*item.get("parameters", ()), *added]
        item[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": api.title,
            "version": API_VERSION,
            "description": api.description,
            "contact": msgspec.to_builtins(contact or PROJECT),
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": f"{url}/v1"}],
        "tags": [{"name": name, "description": text} for name, text in {**_TAGS, **api.tags}.items()],
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM_SCHEMA, **schemas.components},
            "headers": {
                "ApiVersion": {
                    "description": "Full version of this API (/core/version-header).",
                    "required": True,
                    "schema": {"type": "string", "pattern": _VERSION_PATTERN},
                }
            },
            **({"securitySchemes": dict(api.security)} if api.security else {}),
        },
    }


def _placed(path: str, url: str, mount: str) -> tuple[str | None, str]:
    """The server of a path, None for the API's own, and the path under it.

    The design rules put a major version into the URL of every server; an endpoint that a standard puts elsewhere
    names a server of its own. RFC 8615 documents lie between host and path; the health of an app is its own.
    """
    if path.startswith("/v1/"):
        return None, path.removeprefix("/v1")
    if path.startswith("/.well-known/"):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}/.well-known", path.removeprefix("/.well-known") + mount
    return (url.removesuffix(mount) if path == HEALTH else url), path


def _is_of_the_path(parameter: Parameter, operation: Operation) -> bool:
    """Whether it stands at the path: all of a path, and queries that a standard names in its own way."""
    return parameter.place == "path" or (parameter.place == "query" and bool(operation.standard))


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required or parameter.place == "path",
        "schema": dict(parameter.schema),
    }


class _Schemas:
    """Each Struct once, under its name."""

    def __init__(self, kinds: Sequence[type[msgspec.Struct]]) -> None:
        made, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
        self._made = dict(zip(kinds, made, strict=True))
        self.components = _portable(components)

    def of(self, content: Content) -> dict[str, Any]:
        """The media type object."""
        if content.schema is None:
            return {}
        if isinstance(content.schema, Mapping):
            return {"schema": _portable(content.schema)}
        made = [self._made[kind] for kind in content.kinds]
        return {"schema": made[0] if len(made) == 1 else {"anyOf": made}}


def _portable(schema: Any) -> Any:
    """Patterns with the anchors of ECMA 262, which JSON Schema is written in."""
    if isinstance(schema, Mapping):
        return {
            key: _ecma(value) if key == "pattern" and isinstance(value, str) else _portable(value)
            for key, value in schema.items()
        }
    return [_portable(value) for value in schema] if isinstance(schema, list | tuple) else schema


def _ecma(pattern: str) -> str:
    return pattern.replace(r"\A", "^").replace(r"\Z", "$")


def _schemas(operations: Sequence[Operation]) -> _Schemas:
    contents = [
        content
        for operation in operations
        for group in (operation.body, *(reply.content for reply in operation.answers.values()))
        for content in group
    ]
    contents += [content for operation in operations for _, content in operation.own_errors.values()]
    return _Schemas(list(dict.fromkeys(kind for content in contents for kind in content.kinds)))


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    own = [_parameter(one) for one in operation.parameters if not _is_of_the_path(one, operation)]
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": _responses(operation, schemas),
    }
    if operation.standard:
        described["description"] = f"Defined by {operation.standard}."
    if own:
        described["parameters"] = own
    if operation.body:
        content = {one.media_type: schemas.of(one) for one in operation.body}
        described["requestBody"] = {"required": operation.is_body_required, "content": content}
    if operation.security:
        described["security"] = [{name: []} if name else {} for name in operation.security]
    return described


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    found = {}
    for status, reply in operation.answers.items():
        content = {one.media_type: schemas.of(one) for one in reply.content}
        found[str(status)] = _response(reply.description, content, reply.headers)
    refused = {status: [text] for status, text in _EDGE.items()}
    for status, text in operation.refusals.items():
        refused.setdefault(status, []).insert(0, text)
    for status in sorted({*refused, *operation.own_errors}):
        words, content = refused.get(status, []), {}
        if status in operation.own_errors:
            text, own = operation.own_errors[status]
            words, content = [text, *words], {own.media_type: schemas.of(own)}
        content[PROBLEM] = {"schema": {"$ref": _REFERENCES.format(name="Problem")}}
        found[str(status)] = _response("; ".join(words) + ".", content, ("Retry-After",) if status == 503 else ())
    return found


def _response(description: str, content: Mapping[str, Any], headers: Sequence[str]) -> dict[str, Any]:
    named = {name: {"required": True, "schema": {"type": "string"}} for name in headers}
    return {
        "description": description,
        "headers": {"API-Version": {"$ref": "#/components/headers/ApiVersion"}, **named},
        **({"content": dict(content)} if content else {}),
    }
