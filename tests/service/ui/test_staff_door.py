"""The door of the staff: who comes in by the organisation's provider, as what, and for how long."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from examples.identity_provider import Client, Provider
from protocol.errors import Rejected
from service.fetch import Fetcher
from service.openid import ClientCredentials, OpenIdClient, Registration
from service.staff import MAX_NAME, Member, StaffConfig, decide_member
from service.staff_sessions import IDLE_SECONDS, LONGEST_SECONDS, MAX_SESSIONS, WARN_SECONDS, Sessions
from service.ui.app import make_ui
from service.ui.staff import LIVE_HEADER, PROBLEMS, StaffDoor, has_role, member, needs
from service.ui.staff_login import LOGIN_SECONDS
from tests.service.ui.staff import ORIGIN, ROLES, Page, choose, enter, get, sign_in, staff_provider

NOW = 1_790_000_000
CALLBACK = "/sign-in/callback"


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return float(self.time)


class Random:
    """Distinct bytes, the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, length: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(4, "big") * (length // 4) + bytes(length % 4)


def staff_config(provider: str, **changes: Any) -> StaffConfig:
    return StaffConfig(provider=provider, client_id="desk", role_claim="roles", roles=ROLES, **changes)


def make_face(provider: Provider, clock: Clock, **changes: Any) -> tuple[Flask, StaffDoor]:
    """A face with three pages, one of them for managers, and something that changes."""
    provider.now = clock.now
    config = staff_config(provider.url, client_auth="client_secret_basic", **changes)
    registration = Registration(config.provider, config.client_id, ORIGIN + CALLBACK, config.scope)
    client = OpenIdClient(
        "desk", registration, ClientCredentials(secret="geheim"), Fetcher(loopback=True), clock, Random()
    )
    app = make_ui("desk", "service.ui.app", name="Desk", nav=[], problems=PROBLEMS)
    changed: list[str] = []
    app.changed = changed  # type: ignore[attr-defined]
    app.add_url_rule("/", "start", lambda: f"start of {member().name}")
    app.add_url_rule("/case/<name>", "case", lambda name: f"case {name}: {has_role('manager')}")

    @app.get("/lead")
    @needs("manager", "privacy")
    def lead() -> str:
        return "for managers"

    @app.post("/change")
    def change() -> str:
        changed.append(member().id)
        return "changed"

    door = StaffDoor("desk", config, client, random=Random(), clock=clock)
    door.install(app)
    return app, door


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with staff_provider() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def face(provider: Provider, clock: Clock) -> tuple[Flask, StaffDoor]:
    return make_face(provider, clock)


# ---- the whole way


def test_clerk_signs_in_and_comes_to_the_page_that_was_asked_for(
    provider: Provider, face: tuple[Flask, StaffDoor]
) -> None:
    browser = face[0].test_client()
    asked = browser.get("/case/x1")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/sign-in?back=/case/x1")
    page = get(browser, asked.headers["Location"])
    assert "Aanmelden" in page.text
    away = browser.get("/sign-in/go?back=/case/x1").headers["Location"]
    arrived = browser.get(choose(provider, away, "b.bakker"))
    assert (arrived.status_code, arrived.headers["Location"]) == (303, "/sign-in/welcome?back=/case/x1")
    welcome = get(browser, arrived.headers["Location"])
    assert 'content="0; url=/case/x1"' in welcome.text
    assert browser.get("/case/x1").text == "case x1: False"
    assert browser.get("/").text == "start of Bente Bakker"


def test_cookie_of_a_session_goes_nowhere_else(provider: Provider, face: tuple[Flask, StaffDoor]) -> None:
    cookies = sign_in(face[0].test_client(), provider).headers.getlist("Set-Cookie")
    (ours,) = [cookie for cookie in cookies if cookie.startswith(f"{face[1].cookie}=")]
    assert "HttpOnly" in ours
    assert "SameSite=Strict" in ours


def test_request_to_the_provider_names_language_and_what_is_wanted(face: tuple[Flask, StaffDoor]) -> None:
    away = face[0].test_client().get("/sign-in/go", headers={"Accept-Language": "en"}).headers["Location"]
    for part in ("prompt=login", "ui_locales=en", "code_challenge_method=S256", "scope=openid+profile"):
        assert part in away


# ---- roles


def test_manager_may_what_a_clerk_may_not(provider: Provider, face: tuple[Flask, StaffDoor]) -> None:
    clerk, manager = face[0].test_client(), face[0].test_client()
    sign_in(clerk, provider)
    sign_in(manager, provider, "m.mulder")
    refused = get(clerk, "/lead")
    assert refused.answer.status_code == 403
    assert "hoort niet bij je rol" in refused.text
    assert manager.get("/lead").text == "for managers"


def test_account_without_a_role_stays_outside(provider: Provider, face: tuple[Flask, StaffDoor]) -> None:
    browser = face[0].test_client()
    refused = sign_in(browser, provider, "s.smit")
    assert refused.status_code == 403
    assert browser.get("/").status_code == 303


def test_who_cancels_stays_outside(provider: Provider, face: tuple[Flask, StaffDoor]) -> None:
    browser = face[0].test_client()
    assert sign_in(browser, provider, "").status_code == 403
    assert browser.get("/").status_code == 303


def test_way_of_signing_in_that_is_not_accepted_stays_outside(provider: Provider, clock: Clock) -> None:
    app, _ = make_face(provider, clock, levels=["urn:example:two-factors"])
    browser = app.test_client()
    assert sign_in(browser, provider).status_code == 403
    assert browser.get("/").status_code == 303


# ---- attacks


def test_nobody_changes_anything_without_a_session(face: tuple[Flask, StaffDoor]) -> None:
    app, _ = face
    page = get(app.test_client(), "/sign-in").post("/change")
    assert page.answer.status_code == 403
    assert app.changed == []  # type: ignore[attr-defined]


def test_login_csrf_answer_that_another_browser_began_is_refused(
    provider: Provider, face: tuple[Flask, StaffDoor]
) -> None:
    attacker, victim = face[0].test_client(), face[0].test_client()
    back = choose(provider, attacker.get("/sign-in/go").headers["Location"], "b.bakker")
    victim.get("/sign-in/go")
    assert victim.get(back).status_code == 403
    assert victim.get("/").status_code == 303


def test_answer_comes_once(provider: Provider, face: tuple[Flask, StaffDoor]) -> None:
    browser = face[0].test_client()
    back = choose(provider, browser.get("/sign-in/go").headers["Location"], "b.bakker")
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403


def test_preview_by_head_uses_nothing_up(provider: Provider, face: tuple[Flask, StaffDoor]) -> None:
    browser = face[0].test_client()
    back = choose(provider, browser.get("/sign-in/go").headers["Location"], "b.bakker")
    assert browser.head(back).status_code == 405
    assert browser.get(back).status_code == 303


@pytest.mark.parametrize(
    ("later", "status"), [(0, 303), (LOGIN_SECONDS - 1, 303), (LOGIN_SECONDS, 403), (-1, 403)]
)
def test_login_has_its_time(
    provider: Provider, face: tuple[Flask, StaffDoor], clock: Clock, later: int, status: int
) -> None:
    browser = face[0].test_client()
    away = browser.get("/sign-in/go").headers["Location"]
    clock.time += later
    assert browser.get(choose(provider, away, "b.bakker")).status_code == status


@pytest.mark.parametrize(
    "back",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "", "/%0d%0aX: y\n"],
)
def test_open_redirect_no_sign_in_leads_elsewhere(
    provider: Provider, face: tuple[Flask, StaffDoor], back: str
) -> None:
    browser = face[0].test_client()
    away = browser.get("/sign-in/go", query_string={"back": back}).headers["Location"]
    arrived = browser.get(choose(provider, away, "b.bakker")).headers["Location"]
    assert arrived.startswith("/sign-in/welcome?back=/")
    assert "evil" not in arrived
    for page in (
        get(browser, arrived),
        Page(browser, browser.get("/sign-in/welcome", query_string={"back": back})),
    ):
        assert 'content="0; url=/' in page.text
        for start in ("url=", 'href="'):
            assert all(
                not part.startswith(("//", "/\\", "http", "javascript")) for part in page.text.split(start)[1:]
            )


def test_session_fixation_every_sign_in_gets_a_token_of_its_own(
    provider: Provider, face: tuple[Flask, StaffDoor]
) -> None:
    browser = face[0].test_client()
    sign_in(browser, provider)
    before = browser.get_cookie(face[1].cookie)
    sign_in(browser, provider, "m.mulder")
    after = browser.get_cookie(face[1].cookie)
    assert before is not None
    assert after is not None
    assert before.value != after.value
    old = face[0].test_client()
    old.set_cookie(face[1].cookie, before.value)
    assert old.get("/").status_code == 303


def test_made_up_cookies_open_nothing(face: tuple[Flask, StaffDoor]) -> None:
    for value in ("", "x", "A" * 43, "é", "A" * 4000):
        browser = face[0].test_client()
        browser.set_cookie(face[1].cookie, value)
        assert browser.get("/").status_code == 303


def test_page_that_does_not_exist_is_not_told_to_strangers(face: tuple[Flask, StaffDoor]) -> None:
    assert face[0].test_client().get("/none").status_code == 303


# ---- staying and leaving


def test_sign_out_ends_the_session_and_not_only_the_cookie(face: tuple[Flask, StaffDoor]) -> None:
    app, door = face
    browser = enter(app, door, "clerk")
    kept = browser.get_cookie(door.cookie)
    assert kept is not None
    left = get(browser, "/none").post("/sign-out")
    assert left.answer.headers["Location"] == "/sign-in"
    browser.set_cookie(door.cookie, kept.value)
    assert browser.get("/").status_code == 303


def test_session_ends_without_use_and_is_warned_of_before(face: tuple[Flask, StaffDoor], clock: Clock) -> None:
    app, door = face
    browser = enter(app, door, "clerk")
    clock.time += IDLE_SECONDS - WARN_SECONDS - 1
    poll = {LIVE_HEADER: "1"}
    assert "Ben je er nog?" not in browser.get("/sign-in/still-here", headers=poll).text
    clock.time += 1
    assert "Ben je er nog?" in browser.get("/sign-in/still-here", headers=poll).text
    clock.time += WARN_SECONDS - 1
    assert browser.get("/").status_code == 200  # and that was use
    clock.time += IDLE_SECONDS - 1
    assert browser.get("/sign-in/still-here", headers=poll).status_code == 200
    clock.time += 1
    assert browser.get("/sign-in/still-here", headers=poll).status_code == 403
    assert browser.get("/").status_code == 303


def test_somebody_who_is_still_there_stays(face: tuple[Flask, StaffDoor], clock: Clock) -> None:
    app, door = face
    browser = enter(app, door, "clerk")
    clock.time += IDLE_SECONDS - 1
    assert "/sign-in/stay" in browser.get("/sign-in/still-here", headers={LIVE_HEADER: "1"}).text
    assert "Je blijft aangemeld" in browser.get("/sign-in/stay").text
    clock.time += IDLE_SECONDS - 1
    assert browser.get("/").status_code == 200


def test_session_lasts_a_working_day_at_most(face: tuple[Flask, StaffDoor], clock: Clock) -> None:
    app, door = face
    browser = enter(app, door, "clerk")
    for _ in range(LONGEST_SECONDS // 1000):
        assert browser.get("/").status_code == 200
        clock.time += 1000
    assert browser.get("/").status_code == 303


def test_oldest_session_makes_room() -> None:
    sessions, one = Sessions(Random()), Member("x", "x", frozenset({"clerk"}))
    tokens = [sessions.start(one, NOW) for _ in range(3)]
    sessions.find(tokens[0], NOW + 1)
    for _ in range(MAX_SESSIONS - 3):
        sessions.start(one, NOW + 1)
    assert all(sessions.find(token, NOW + 1, use=False) for token in tokens)
    sessions.start(one, NOW + 2)
    assert [sessions.find(token, NOW + 2, use=False) is not None for token in tokens].count(False) == 1
    assert sessions.find(tokens[0], NOW + 2) is not None


# ---- who it is


CLAIMS = {"sub": "b.bakker", "name": "Bente Bakker", "roles": ["balie", "anders"]}


def test_groups_become_roles() -> None:
    assert decide_member(CLAIMS, staff_config("https://p.example")) == Member(
        "b.bakker", "Bente Bakker", frozenset({"clerk"})
    )


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("roles", {"roles": "balie"}),
        ("realm_access.roles", {"realm_access": {"roles": ["balie"]}}),
        ("https://x.example/groups", {"https://x.example/groups": ["balie"]}),
    ],
)
def test_role_claim_is_a_name_or_a_path(path: str, claims: dict[str, Any]) -> None:
    config = StaffConfig(provider="https://p.example", client_id="x", role_claim=path, roles=ROLES)
    assert decide_member({"sub": "x", **claims}, config) == Member("x", "x", frozenset({"clerk"}))


@pytest.mark.parametrize(
    "roles",
    [None, [], ["anders"], "anders", {"balie": True}, [["balie"]], [1], 7, ["Balie"], ["x"] * 500 + ["balie"]],
)
def test_no_group_that_is_known_is_no_role(roles: Any) -> None:
    with pytest.raises(Rejected) as caught:
        decide_member({"sub": "b.bakker", "roles": roles}, staff_config("https://p.example"))
    assert (caught.value.code, caught.value.status) == ("no_role", 403)
    assert "bakker" not in str(caught.value)


@pytest.mark.parametrize("sub", [None, "", 7, "x" * (MAX_NAME + 1), "a\nb", "\u202eab"])
def test_who_has_no_good_id_is_nobody(sub: Any) -> None:
    with pytest.raises(Rejected) as caught:
        decide_member({**CLAIMS, "sub": sub}, staff_config("https://p.example"))
    assert caught.value.code == "access_denied"


def test_claims_are_taken_from_userinfo_when_the_token_lacks_them(clock: Clock) -> None:
    with staff_provider(Client("desk", ORIGIN + CALLBACK, secret="geheim")) as provider:
        provider.bsn_in_userinfo = True
        app, _ = make_face(provider, clock)
        browser = app.test_client()
        sign_in(browser, provider)
        assert browser.get("/").text == "start of Bente Bakker"


def test_session_tells_templates_who_it_is(face: tuple[Flask, StaffDoor]) -> None:
    page = get(enter(face[0], face[1], "clerk", name="<Onbekend> & </Onbemind>"), "/none")
    assert "&lt;Onbekend&gt; &amp; &lt;/Onbemind&gt;" in page.text
    assert "<Onbekend>" not in page.text
    assert "Afmelden" in page.text
