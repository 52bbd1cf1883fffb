"""The table of what an app answers: `OPERATIONS` of a role's `openapi.py`, from which `service.openapi` writes.

The forms are the Structs that the endpoints read and write, so that the description cannot differ from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

Kind: TypeAlias = type[msgspec.Struct]
Schema: TypeAlias = tuple[Kind, ...] | Mapping[str, Any]
HEALTH = "/healthz"
JSON, FORM, TEXT = "application/json", "application/x-www-form-urlencoded", "text/plain"
OAUTH_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "RFC 6749 section 5.2, as the standard of this endpoint wants it.",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "pattern": "^[\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e]+$"},
        "error_description": {"type": "string"},
    },
}


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to ask about an API (/core/doc-openapi-contact); `contact` in a role's `config.json`."""

    name: str
    url: str
    email: str


PROJECT = Contact("Regie", "https://regie.example", "api@regie.example")
"""Where a home names nobody."""


@dataclass(frozen=True)
class Content:
    """A body of one media type; `schema`: the Structs of which it is one, a JSON Schema, or None for bytes."""

    media_type: str
    schema: Schema | None = field(default_factory=lambda: {"type": "string"})

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The Structs among its schemas."""
        return self.schema if isinstance(self.schema, tuple) else ()


@dataclass(frozen=True)
class Reply:
    """An answer below 400. `headers` are those that it always has, beside the version."""

    description: str
    content: tuple[Content, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """`place`: path, query, header or cookie. One of a path is always required."""

    name: str
    place: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One method of one path. `path` is a Flask rule without converters: `/v1/grants/{slot}`.

    `refusals`: statuses of problems, with their codes; `own_errors`: statuses for which the standard of this
    endpoint has a form of its own, which `Accept: application/problem+json` changes for that of RFC 9457.
    `security`: names of `Api.security`, any one of which will do. `standard`: what defines the endpoint.
    """

    id: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, Reply]
    refusals: Mapping[int, str] = field(default_factory=dict)
    own_errors: Mapping[int, tuple[str, Content]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    body: tuple[Content, ...] = ()
    is_body_required: bool = True
    security: tuple[str, ...] = ()
    standard: str = ""
    tag: str = "api"


@dataclass(frozen=True)
class Api:
    """All that an app answers. `security`: OpenAPI security schemes by name; `tags`: what its groups are."""

    title: str
    description: str
    operations: tuple[Operation, ...]
    security: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def json_of(*kinds: Kind) -> Content:
    """application/json of this form, or of one of these."""
    return Content(JSON, kinds)


def json_object(*required: str) -> Content:
    """application/json: an object that has these members."""
    return Content(JSON, {"type": "object", "required": list(required)})


def oauth_error(*codes: str) -> tuple[str, Content]:
    """A refusal as an OAuth error object with one of these codes."""
    return ", ".join(f"`{code}`" for code in codes), Content(JSON, OAUTH_SCHEMA)


def path_number(name: str, description: str, limit: int) -> Parameter:
    """A number in a path, 0 to below `limit`."""
    return Parameter(name, "path", description, {"type": "integer", "minimum": 0, "maximum": limit - 1})


COMMON = (
    Operation(
        "getDescription",
        "GET",
        "/v1/openapi.json",
        "This document",
        {200: Reply("OpenAPI 3.1.", (json_object("openapi", "info", "paths"),), ("Access-Control-Allow-Origin",))},
        tag="service",
    ),
    Operation(
        "getHealth",
        "GET",
        HEALTH,
        "Whether this service is well",
        {200: Reply("It is.", (json_object("status", "room"),))},
        tag="service",
    ),
)
