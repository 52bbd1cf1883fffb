"""Apps of which most addresses are never built: werkzeug writes and compiles two functions for each route.

The faces have hundreds of routes and thousands of tests make an app of their own, which builds a few addresses at
most. Here the functions of a route are compiled, by werkzeug, when one is called for the first time.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

_compile_builder = Rule._compile_builder


def install() -> None:
    """For this process."""
    Rule._compile_builder = _later  # type: ignore[method-assign]


def _later(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
    made: list[Callable[..., Any]] = []

    def build(bound: Rule, **values: Any) -> Any:
        if not made:
            made.append(_compile_builder(rule, append_unknown))
        return made[0](bound, **values)

    return build
