"""The one page of the agency that a resident sees: the answer has arrived."""

from flask import Response, render_template_string

_PAGE = """<!doctype html>
<html lang="nl">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gelukt – {{ name }}</title>
<style>
:root{color-scheme:light dark}
body{font:1.125rem/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}
</style></head>
<body><main>
<h1>Gelukt</h1>
<p>{{ name }} heeft je antwoord ontvangen. Je kunt deze pagina sluiten.</p>
<p lang="en">{{ name }} has received your answer. You can close this page.</p>
</main></body>
</html>
"""


def answered_page(name: str) -> Response:
    """The page; it holds nothing of what was shared."""
    response = Response(render_template_string(_PAGE, name=name), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'"
    )
    return response
