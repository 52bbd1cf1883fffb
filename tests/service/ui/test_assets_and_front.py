"""What browsers load besides pages, and a face below a prefix of an API."""

import re

import pytest
from flask import Flask

from service.app import make_app
from service.ui import assets
from service.ui.front import Front
from tests.service.ui.browser import Browser
from tests.service.ui.gallery.app import create


def test_styles_and_scripts_are_kept_by_browsers_until_they_change() -> None:
    client = create().test_client()
    page = client.get("/").text
    found = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    assert len(found) >= 4
    for address in found:
        answer = client.get(address)
        assert answer.status_code == 200
        assert (
            "immutable" in answer.headers["Cache-Control"] or "max-age=31536000" in answer.headers["Cache-Control"]
        )
        assert "Set-Cookie" not in answer.headers
        again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    old = client.get("/assets/regie.css?v=older")
    assert old.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "%2e%2e%2fapp.py",
        "..%5capp.py",
        "app.py",
        "nl.po",
        "",
        "regie.css/",
        "REGIE.CSS",
        "package.json",
        ".",
        "%00",
    ],
)
def test_path_traversal_finds_nothing(name: str) -> None:
    assert create().test_client().get(f"/assets/{name}").status_code in (404, 308)


def test_no_asset_names_another_host() -> None:
    for name in sorted(assets._own_names()):
        text = (assets.GROUND / "static" / name).read_text()
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9.-]+\.[a-z]{2,}", text), name


def test_every_asset_that_a_style_or_script_of_ours_names_is_one() -> None:
    known = assets._own_names() | set(assets.FROM_NPM)
    for name in assets._own_names():
        text = (assets.GROUND / "static" / name).read_text()
        named = re.findall(r'url\("([^"]+)"\)|import\("\./([^"]+)"\)', text)
        assert {found for pair in named for found in pair if found} <= known


def test_pages_without_npm_use_the_plain_style(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MODULES", assets.GROUND / "nowhere")
    assets._find.cache_clear()
    try:
        client = create().test_client()
        page = client.get("/").text
        assert "/assets/plain.css?v=" in page
        assert client.get("/assets/qr-scanner.min.js").status_code == 404
    finally:
        assets._find.cache_clear()


@pytest.fixture
def front() -> Front:
    api = make_app("verifier")
    api.add_url_rule("/v1/things", "things", lambda: "things")
    api.add_url_rule("/desktop", "desktop", lambda: "not the desk")
    return Front(api, {"/desk": create("desk")})


def browser_of(front: Front) -> Browser:
    app = Flask("outer")
    app.wsgi_app = front  # type: ignore[method-assign]
    return Browser(app)


def test_face_below_a_prefix_stays_below_it(front: Front) -> None:
    browser = browser_of(front)
    browser.get("/desk/text?page=2")
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', browser.page)
    own = [address for address in addresses if not re.match(r"/(?:text|pictures|fields)?(?:\?|$)", address)]
    assert own
    assert all(address.startswith("/desk/") for address in own)
    assert 'name="back" value="/desk/text?page=2"' in browser.page
    browser.post("/desk/view", {"language": "en", "back": "/desk/text"})
    assert (browser.path, "Keyboard shortcuts" in browser.page) == ("/desk/text", True)


def test_api_beside_the_face_stays_what_it_is(front: Front) -> None:
    browser = browser_of(front)
    assert browser.get("/v1/things").text == "things"
    assert browser.get("/desktop").text == "not the desk"
    assert browser.get("/desk", follow=False).headers["Location"] == "/desk/"
    assert browser.post("/desk").status_code == 404
    missing = browser.get("/nowhere")
    assert missing.mimetype == "application/problem+json"
    assert front.extensions is not None


@pytest.mark.parametrize("path", ["/desk/../v1/things", "/desk//v1/things", "//desk/", "/Desk/", "/desk%2f"])
def test_no_way_of_writing_the_prefix_leads_past_it(front: Front, path: str) -> None:
    assert browser_of(front).get(path).text != "things"
