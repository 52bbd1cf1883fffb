"""The pages of the agency that a resident sees: begin here, open the wallet, it has arrived, it went wrong."""

from flask import Response, render_template_string

from protocol.errors import Rejected

_PAGE = """<!doctype html>
<html lang="nl">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} – {{ name }}</title>
<style>
:root{color-scheme:light dark}
body{font:1.125rem/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}
button,a{font:inherit}
</style></head>
<body><main>
<h1>{{ title }}</h1>
<p>{{ name }} {{ nl }}</p>
<p lang="en">{{ name }} {{ en }}</p>
{% if link %}<p><a href="{{ link }}">Open je wallet <span lang="en">(open your wallet)</span></a></p>{% endif %}
{% if asks %}<form method="post"><button>Verder <span lang="en">(continue)</span></button></form>{% endif %}
</main></body>
</html>
"""
_REFUSALS = {
    "other_session": (
        "kreeg je antwoord in een andere browser dan waarin je begon, en heeft het weggegooid. Begin opnieuw.",
        "received your answer in another browser than you began in, and threw it away. Please begin again.",
    ),
    "start_used": (
        "ziet dat dit adres al in een andere browser is geopend. Begin opnieuw.",
        "sees that this address was opened in another browser. Please begin again.",
    ),
    "request_ended": (
        "wacht niet meer op dit antwoord. Begin opnieuw.",
        "no longer waits for this answer. Please begin again.",
    ),
}
_UNKNOWN = ("kent dit adres niet. Begin opnieuw.", "does not know this address. Please begin again.")


def _page(
    name: str, title: str, nl: str, en: str, *, link: str = "", asks: bool = False, status: int = 200
) -> Response:
    text = render_template_string(_PAGE, name=name, title=title, nl=nl, en=en, link=link, asks=asks)
    response = Response(text, status=status, content_type="text/html; charset=utf-8")
    target = "'self'" if asks else "'none'"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none';"
        f" form-action {target}"
    )
    return response


def start_page(name: str) -> Response:
    """The resident goes on by a button, so that nothing that merely fetches the address begins a session."""
    return _page(
        name, "Delen met je wallet", "vraagt gegevens uit je wallet.", "asks for data from your wallet.", asks=True
    )


def wallet_page(name: str, link: str) -> Response:
    """The link that opens the wallet, for the browser that now holds the session."""
    return _page(
        name,
        "Open je wallet",
        "wacht op je antwoord. Je wallet brengt je daarna hier terug.",
        "waits for your answer. Your wallet then brings you back here.",
        link=link,
    )


def answered_page(name: str) -> Response:
    """It has arrived; the page holds nothing of what was shared."""
    return _page(
        name,
        "Gelukt",
        "heeft je antwoord ontvangen. Je kunt deze pagina sluiten.",
        "has received your answer. You can close this page.",
    )


def refused_page(name: str, error: Rejected) -> Response:
    """What went wrong, in words; the status is that of the error."""
    nl, en = _REFUSALS.get(error.code, _UNKNOWN)
    return _page(name, "Niet gelukt", nl, en, status=error.status)
