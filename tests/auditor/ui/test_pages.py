"""The console shows what the home keeps: figures, verdicts, findings; each page in both languages."""

import pytest

from tests.auditor.ui.conftest import Console

PATHS = ("/", "/?weeks=52", "/attention", "/services/", "/log/", "/findings/", "/agreements/", "/report/")
PATHS += ("/agreements/open", "/agreements/register")


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_page_is_there(console: Console, language: str) -> None:
    for path in PATHS:
        assert "<h1" in console.page(path, language=language)
