"""The one page of the identity provider: who are you? A style of its own and no script."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape

_CSS = """
body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }
label { display: block; padding: .6rem .8rem; margin: .4rem 0; border: 1px solid #888; border-radius: .4rem }
button, select { font: inherit; padding: .6rem 1.2rem; min-height: 44px }
input { width: 1.2rem; height: 1.2rem }
:root { color-scheme: light dark }
"""
_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; base-uri 'none'"


def sign_in_page(login: str, people: Mapping[str, str], levels: Sequence[str]) -> str:
    """The page of the login called `login`: `people` by what they are known by, and `levels` to choose from."""
    choices = "".join(
        f'<label><input type="radio" name="bsn" value="{escape(who)}" required> {escape(name)}</label>'
        for who, name in people.items()
    )
    options = "".join(f"<option>{escape(level)}" for level in reversed(levels))
    level = f'<label>Betrouwbaarheidsniveau <select name="level">{options}</select></label>' if levels else ""
    return (
        '<!doctype html><html lang="nl"><meta charset="utf-8"><title>Inloggen (proef)</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_CSS}</style><main><h1>Wie bent u?</h1><p>Dit is een proef: hier logt niemand echt in."
        f'<form method="post" action="/login"><input type="hidden" name="login" value="{login}">{choices}{level}'
        '<p><button>Inloggen</button> <button name="bsn" value="" formnovalidate>Annuleren</button></form></main>'
    )
