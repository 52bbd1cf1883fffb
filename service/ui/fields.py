"""Which texts describe a field of a form: for screen readers, tied by id."""

from typing import Any

from flask import Flask


def described(name: str, hint: Any, error: Any) -> dict[str, str]:
    """The attributes of a field whose hint and error, where it has them, are `NAME-hint` and `NAME-error`."""
    parts = [f"{name}-{part}" for part, text in (("hint", hint), ("error", error)) if text]
    attributes = {"aria-describedby": " ".join(parts)} if parts else {}
    return {**attributes, "aria-invalid": "true"} if error else attributes


def install(app: Flask) -> None:
    """`described` for the templates."""
    app.jinja_env.globals["described"] = described
