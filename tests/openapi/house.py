"""An app in one process with everything behind it, and requests that it would take.

Import as `from tests.openapi.house import House, Request`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask

from protocol.canonical import to_builtins
from service.operations import FORM, JSON, Api


@dataclass(frozen=True)
class Request:
    """One true request. `body`: a Struct or builtins for JSON, members or bytes for a form, bytes for all else."""

    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    media_type: str = JSON

    def content(self) -> Any:
        """The body as schemathesis takes it: an object for JSON and for forms, else bytes."""
        if isinstance(self.body, bytes) and self.media_type == FORM:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return self.body if isinstance(self.body, bytes | dict | list) else to_builtins(self.body)


Make = Callable[[], Request]
"""Makes a request when it is asked for: most are good for one time only."""


@dataclass
class House:
    """`truths` by operation id; `close` ends its threads."""

    name: str
    api: Api
    app: Flask
    truths: Mapping[str, Sequence[Make]] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None
