"""Words: message ids are plain English (en-GB); each face has its Dutch beside it in `translations/nl.po`.

The catalogues are read and compiled in memory when the app is made, so that no `.mo` file can be older than its
text. A missing or fuzzy translation shows the English; `tests/faces` finds those before anybody else does.
"""

import io
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask
from flask_babel import Babel, Domain, get_locale, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from service.ui.view import current_view

__all__ = ["_", "install", "language", "lazy", "locale", "ngettext", "read_catalogue"]

DUTCH = "nl"
_LOCALES = {"nl": "nl", "en": "en_GB"}
GROUND = Path(__file__).parent


def read_catalogue(*folders: Path) -> Translations:
    """The Dutch of several faces as one catalogue: `FOLDER/translations/nl.po`, a later folder wins."""
    whole = Translations()
    for folder in folders:
        path = folder / "translations" / f"{DUTCH}.po"
        if path.exists():
            with path.open("rb") as stream:
                catalogue = read_po(stream, locale=DUTCH)
            compiled = io.BytesIO()
            write_mo(compiled, catalogue)
            compiled.seek(0)
            part = Translations(compiled)
            whole.plural = part.plural  # which `merge` forgets
            whole.merge(part)
    return whole


class _Catalogues(Domain):  # type: ignore[misc]
    """Translations from memory instead of from `.mo` files."""

    def __init__(self, catalogues: Mapping[str, Translations]) -> None:
        super().__init__()
        self._catalogues = catalogues

    def get_translations(self) -> Translations:
        """Those of the request's language; English ones are empty, as message ids are English."""
        return self._catalogues[locale()]


class _Babel(Babel):  # type: ignore[misc]
    def __init__(self, catalogues: Mapping[str, Translations]) -> None:
        super().__init__()
        self._catalogues = catalogues

    @cached_property
    def domain_instance(self) -> Domain:
        """The one domain of the app."""
        return _Catalogues(self._catalogues)


def install(app: Flask, folder: Path) -> None:
    """Have `app` speak the words of the ground and of the face in `folder`."""
    catalogues = {"nl": read_catalogue(GROUND, folder), "en_GB": Translations()}
    _Babel(catalogues).init_app(
        app, default_locale="nl", default_timezone="Europe/Amsterdam", locale_selector=_wanted_locale
    )


def _wanted_locale() -> str:
    return _LOCALES[current_view().language]


def locale() -> str:
    """The locale of this request: `nl` or `en_GB`; `nl` outside a request."""
    found: Any = get_locale()
    return _LOCALES[found.language] if found else DUTCH  # `str(found)` takes longer than all else in a message


def language() -> str:
    """The language of this request, for `lang`: `nl` or `en`."""
    return locale()[:2]
