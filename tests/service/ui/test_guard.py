"""Nothing is changed by another site, and no page lets another in."""

from itertools import product

import pytest

from protocol.errors import Rejected
from service.ui.guard import check_same_site
from tests.service.ui.browser import Browser
from tests.service.ui.gallery.app import create

OURS = "http://localhost"


@pytest.mark.parametrize(
    ("origin", "site"),
    [(OURS, "same-origin"), (OURS, None), (None, "same-origin"), ("https://localhost", "same-origin")],
)
def test_form_of_our_own_page_is_taken(origin: str | None, site: str | None) -> None:
    check_same_site("localhost", origin, site)


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),
        ("null", None),
        ("null", "same-origin"),
        ("", "same-origin"),
        ("http://evil.example", None),
        ("http://localhost:81", "same-origin"),
        ("http://localhost.evil.example", "same-origin"),
        ("http://evil.example/localhost", None),
        ("http://user@localhost", None),
        ("file://localhost", None),
        ("localhost", None),
        (OURS, "cross-site"),
        (OURS, "same-site"),
        (OURS, "none"),
        (OURS, ""),
        (OURS, "Same-Origin"),
        (None, "cross-site"),
    ],
)
def test_cross_site_request_forgery_is_refused_by_what_the_browser_says(
    origin: str | None, site: str | None
) -> None:
    with pytest.raises(Rejected, match="other_site"):
        check_same_site("localhost", origin, site)


def test_cross_site_request_forgery_lacks_one_of_the_three(tmp_path: object) -> None:
    for has_site, has_token, has_session in product((True, False), repeat=3):
        browser = Browser(create())
        browser.get("/fields")
        token = browser.token
        sender = browser if has_session else Browser(browser._client.application)
        headers = {} if has_site else {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        fields = {"name": "A", "csrf_token": token if has_token else ""}
        answer = sender.post("/fields", fields, headers=headers, follow=False)
        whole = has_site and has_token and has_session
        assert answer.status_code == (303 if whole else 403)
        sender.get("/fields")
        assert ("Bewaard" in sender.page) == whole


def test_token_of_another_session_is_refused() -> None:
    app = create()
    mine, theirs = Browser(app), Browser(app)
    mine.get("/fields")
    theirs.get("/fields")
    assert theirs.post("/fields", {"name": "A", "csrf_token": mine.token}).status_code == 403
    assert theirs.title == "Sorry, dit formulier is niet meer geldig"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_no_method_that_changes_something_goes_past_the_guard(method: str) -> None:
    app = create()
    app.add_url_rule("/any", "any", lambda: "changed", methods=["GET", method])
    answer = app.test_client().open("/any", method=method, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/fields", "/nowhere", "/broken/new", "/assets/regie.css", "/healthz"])
def test_every_answer_keeps_other_sites_out(path: str) -> None:
    answer = create().test_client().get(path, headers={"Origin": "http://evil.example"})
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; ")
    assert "unsafe" not in policy
    assert "blob:" not in policy
    assert "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Permissions-Policy"].startswith("camera=(), ")
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118
    if not path.startswith("/assets/"):
        assert answer.headers["Cache-Control"] == "no-store"


def test_preflight_of_another_site_learns_nothing() -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Private-Network"] = "true"
    answer = create().test_client().options("/fields", headers=headers)
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_only_the_page_that_scans_may_use_the_camera() -> None:
    answer = create().test_client().get("/scan")
    assert "worker-src 'self' blob:" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Permissions-Policy"].startswith("camera=(self), ")


def test_session_cookie_is_for_this_face_only() -> None:
    answer = (
        create()
        .test_client()
        .get("/fields", base_url="https://localhost", environ_overrides={"SCRIPT_NAME": "/desk"})
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("regie-gallery-session=")
    for part in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/desk"):
        assert part in cookie


def test_cookies_are_for_https_only_behind_a_proxy_that_ends_tls() -> None:
    app = create()
    app.config["SESSION_COOKIE_SECURE"] = True
    browser = Browser(app)
    answer = browser.get("/fields", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]
    client, token = app.test_client(use_cookies=False), browser.token
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    sent = {"Origin": OURS, "Cookie": cookie}
    chosen = client.post("/view", data={"csrf_token": token, "language": "en"}, headers=sent)
    assert [text for text in chosen.headers.getlist("Set-Cookie") if "-view=" in text and "Secure" in text]
