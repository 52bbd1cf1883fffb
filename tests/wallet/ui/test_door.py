"""Who stays outside: every page of the wallet, whoever wrote it, is behind the same door."""

from collections.abc import Iterator

import pytest

from tests.wallet.conftest import Resident
from tests.wallet.ui.face import PASSPHRASE, Face
from wallet.errand_grant import grant
from wallet.records import Choice
from wallet.ui.pwa import PUBLIC

VALUES = {"grant_id": 1, "slot": 1, "made_at": 1, "name": "regie.css", "kind": "csv", "path": "x"}
WITHOUT = {
    *("begin.page", "begin.new", "begin.make", "begin.restore", "begin.put_back", "begin.restored"),
    *("unlock.page", "unlock.unlock", "unlock.by_passkey", "unlock.lock", "unlock.awake", "unlock.stay"),
    *("lost.page", "lost.stop", "scan.page", "view", "pwa.manifest", "pwa.icon", "pwa.script"),
}
"""What needs no open wallet, and says nothing of it."""
OPEN = {"assets", "open", "healthz", "static"}


def routes(face: Face, method: str) -> Iterator[tuple[str, str]]:
    """Endpoint and a path of it, for every route that answers `method`."""
    adapter = face.app.url_map.bind("localhost")
    for rule in face.app.url_map.iter_rules():
        if method in (rule.methods or ()) and rule.endpoint not in OPEN:
            values = {name: VALUES.get(name, "x") for name in rule.arguments}
            yield rule.endpoint, adapter.build(rule.endpoint, values, method=method)


@pytest.fixture
def given(face: Face, holder: Resident) -> Face:
    """With an agreement."""
    with face.keeper.in_use() as wallet:
        grant(wallet, holder.neighbours.agency.ask(), Choice())
    return face


def counter(face: Face) -> int:
    with face.keeper.in_use() as wallet:
        return wallet.vault.counter


def test_nothing_is_shown_to_who_did_not_come_in(face: Face) -> None:
    stranger = face.app.test_client()
    for method in ("GET", "POST"):
        for endpoint, path in routes(face, method):
            if path in PUBLIC:
                continue
            answer = stranger.open(path, method=method, base_url=face.launch.origin)
            assert answer.status_code == 403, endpoint
            assert "regie-wallet-door" not in str(answer.headers.getlist("Set-Cookie")), endpoint


FORGED = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:5080"},
)


def test_attack_form_of_another_site_changes_nothing(given: Face) -> None:
    before, fields = counter(given), {"csrf_token": given.token(), "passphrase": PASSPHRASE}
    own = {"Sec-Fetch-Site": "same-origin", "Origin": given.launch.origin}
    attacks = [*((fields, own | forged) for forged in FORGED), ({}, own), ({"csrf_token": "x"}, own)]
    for endpoint, path in routes(given, "POST"):
        for data, headers in attacks:
            answer = given.client.post(path, base_url=given.launch.origin, data=data, headers=headers)
            assert answer.status_code == 403, (endpoint, headers)
    assert given.keeper.is_open
    assert counter(given) == before


def test_form_that_does_not_say_where_it_comes_from_is_refused(given: Face) -> None:
    before = counter(given)
    for endpoint, path in routes(given, "POST"):
        answer = given.client.post(path, base_url=given.launch.origin, data={"csrf_token": given.token()})
        assert answer.status_code == 403, endpoint
    assert counter(given) == before


def test_looking_at_a_page_changes_nothing(given: Face) -> None:
    before = counter(given)
    for endpoint, path in routes(given, "GET"):
        answer = given.get(path)
        assert answer.status_code < 500, endpoint
        assert counter(given) == before, endpoint
    assert given.keeper.is_open


def test_every_page_has_the_headers_that_keep_others_out(given: Face) -> None:
    for endpoint, path in routes(given, "GET"):
        headers = given.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, endpoint
        assert "unsafe" not in policy, endpoint
        assert "frame-ancestors 'none'" in policy, endpoint
        assert headers["X-Frame-Options"] == "DENY", endpoint
        assert headers["X-Content-Type-Options"] == "nosniff", endpoint
        assert not [name for name, _ in headers if name.startswith("Access-Control")], endpoint
        if path not in (*PUBLIC, "/passkey.js"):
            assert headers["Cache-Control"] == "no-store", endpoint


def test_locked_wallet_shows_nothing_and_does_nothing(given: Face) -> None:
    before = counter(given)
    assert "Voorbeeld" in given.get("/agreements").text
    given.post("/lock")
    for method in ("GET", "POST"):
        for endpoint, path in routes(given, method):
            if endpoint in WITHOUT:
                continue
            answer = given.get(path) if method == "GET" else given.post(path, page="/unlock")
            assert answer.status_code in (200, 303, 400, 404, 409, 422), (endpoint, answer.status_code)
            assert "Voorbeeld" not in answer.text, endpoint
    assert not given.keeper.is_open
    given.unlock()
    assert counter(given) == before


def test_attack_name_that_leads_here_by_dns_rebinding(given: Face) -> None:
    own = given.launch.origin.partition("://")[2]
    name = own.partition(":")[0]
    others = ("localhost:5080", "127.0.0.1:5080", "[::1]:5080", "evil.example", "")
    alike = (f"{own}.", f"{own}.evil.example", f"x.{own}", f"{own}:80", own.upper(), name, f"{name}:80", f" {own}")
    for host in (*others, *alike):
        answer = given.client.get("/", headers={"Host": host, "X-Forwarded-Host": own})
        assert answer.status_code == 421, host
        assert b"Regie" not in answer.data
