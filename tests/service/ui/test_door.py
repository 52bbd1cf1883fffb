"""Who may come in to a face on somebody's own machine, and at which address."""

import socket
import threading
from pathlib import Path

import pytest
from flask import Flask

from protocol.errors import Unavailable
from service.clock import Clock
from service.home import Home
from service.serve import SERVE_LOCK
from service.ui.app import make_ui
from service.ui.door import FILE, LAUNCH, LAUNCH_SECONDS, MAX_SESSIONS, SESSION_SECONDS, LocalDoor
from tests.service.ui.browser import Browser


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = 1_779_400_000

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return float(self.time)


def face(home: Path, clock: Clock | None = None) -> tuple[LocalDoor, Flask]:
    home.chmod(0o700)
    door = LocalDoor(home, "wallet", clock=clock)
    door.launch()
    app = make_ui("wallet", __name__, name="Wallet", nav=[])
    app.add_url_rule("/", "start", lambda: "the start page")
    app.add_url_rule("/back", "back", lambda: "back again")
    app.add_url_rule("/change", "change", lambda: app.extensions.setdefault("changed", "yes"), methods=["POST"])
    app.add_url_rule("/icon", "icon", lambda: "an icon")
    door.guard(app, closed="Start het programma opnieuw.", public=("/icon",), returns=("/back",))
    return door, app


def come_in(door: LocalDoor, app: Flask) -> Browser:
    launch = door.launch()
    browser = Browser(app, launch.origin)
    assert browser.get(launch.url.removeprefix(launch.origin)).status_code == 200
    return browser


def test_launch_address_opens_the_face_once(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    launch = door.launch()
    assert launch.origin.startswith("http://wallet-")
    assert launch.origin.endswith(f".localhost:{launch.port}")
    browser, path = Browser(app, launch.origin), launch.url.removeprefix(launch.origin)
    answer = browser.get(path, follow=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Domain" not in cookie
    assert browser.get("/").get_data(as_text=True) == "the start page"
    assert Browser(app, launch.origin).get(path).status_code == 403


def test_of_many_who_open_at_once_one_comes_in(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    launch = door.launch()
    path, statuses = launch.url.removeprefix(launch.origin), []

    def open_it() -> None:
        statuses.append(Browser(app, launch.origin).get(path, follow=False).status_code)

    threads = [threading.Thread(target=open_it) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [403] * 11


def test_program_on_this_machine_without_the_token_stays_out(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    stranger = Browser(app, door.launch().origin)
    for path in ("/", "/healthz", "/nowhere", "/back", f"/open/{'A' * 43}"):
        assert stranger.get(path).status_code == 403
        assert "the start page" not in stranger.page
    stranger.get("/")
    assert stranger.title == "Deze pagina is dicht"
    assert "Start het programma opnieuw." in stranger.page
    assert stranger.post("/change").status_code == 403
    assert "changed" not in app.extensions
    assert stranger.get("/icon").get_data(as_text=True) == "an icon"


def test_preview_by_head_or_prefetch_uses_no_token_up(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    launch = door.launch()
    path, client = launch.url.removeprefix(launch.origin), app.test_client()
    assert client.head(path, base_url=launch.origin).status_code == 405
    looked = client.get(path, base_url=launch.origin, headers={"Sec-Purpose": "prefetch"})
    assert looked.status_code == 403
    assert Browser(app, launch.origin).get(path).status_code == 200


def test_new_launch_ends_the_old_one_and_no_token_lasts_longer_than_a_day(tmp_path: Path) -> None:
    clock = Hands()
    door, app = face(tmp_path, clock)
    old, new = door.launch(), door.launch()
    assert Browser(app, new.origin).get(old.url.removeprefix(old.origin)).status_code == 403
    clock.time += LAUNCH_SECONDS + 1
    assert Browser(app, new.origin).get(new.url.removeprefix(new.origin)).status_code == 403
    clock.time -= 1
    assert Browser(app, new.origin).get(new.url.removeprefix(new.origin)).status_code == 200


def test_home_holds_no_secret_that_opens_the_door(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    launch = door.launch()
    token = launch.url.rpartition("/")[2]
    browser = Browser(app, launch.origin)
    kept = (tmp_path / LAUNCH).read_text()
    assert token not in kept
    answer = browser.get(f"/open/{token}", follow=False)
    session = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    assert session not in (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert not (tmp_path / LAUNCH).exists()


def test_session_outlives_a_restart_keeps_its_port_and_ends(tmp_path: Path) -> None:
    clock = Hands()
    door, app = face(tmp_path, clock)
    browser = come_in(door, app)
    cookie = browser._client.get_cookie("regie-wallet-door", domain=door.host.partition(":")[0])
    assert cookie is not None
    again = LocalDoor(tmp_path, "wallet", clock=clock)
    assert again.host == door.host
    assert browser.get("/").status_code == 200
    clock.time += SESSION_SECONDS
    assert browser.get("/").status_code == 403


def test_ninth_window_ends_the_first_and_closing_ends_all(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    windows = [come_in(door, app) for _ in range(MAX_SESSIONS)]
    assert [window.get("/").status_code for window in windows] == [200] * MAX_SESSIONS
    last = come_in(door, app)
    assert [windows[0].get("/").status_code, windows[1].get("/").status_code] == [403, 200]
    door.close()
    assert [last.get("/").status_code, windows[1].get("/").status_code] == [403, 403]


def hosts(good: str) -> list[str]:
    """Two hundred names that are not the one of this face."""
    name, _, port = good.partition(":")
    other = ["", " ", "localhost", "127.0.0.1", "[::1]", "0.0.0.0", "evil.example", "localhost.evil.example"]
    wrong = [f"{host}:{p}" for host in other for p in (port, "80", "0", "65536", "")] + other
    wrong += [name, f"{name}.", f"{name}.:{port}", f"{name}:{port}.", good.upper(), good.title(), f" {good}"]
    wrong += [f"{good} ", f"{good}\t", f"{good},{good}", f"{good}, evil.example", f"evil.example,{good}"]
    wrong += [f"{sub}.{good}" for sub in ("a", "www", "*", "", "evil.example")]
    wrong += [f"{name}:{int(port) + step}" for step in range(-40, 41) if step]
    wrong += [f"{name}:{zeros}{port}" for zeros in ("0", "00", "+", "-", " ", "0x")]
    wrong += [f"http://{good}", f"//{good}", f"user@{good}", f"user:x@{good}", f"{good}/", f"{good}?", f"{good}#"]
    wrong += [name.replace("wallet", x) + f":{port}" for x in ("WALLET", "wallеt", "wa11et", "walle", "wallets")]
    wrong += [f"{name[:cut]}:{port}" for cut in range(1, len(name))]
    wrong += [
        f"{name}{sign}:{port}"
        for sign in [
            "%00",
            "%2e",
            ".local",
            ".localhost",
            "@",
            "/",
            "\\",
            ";",
            "'",
            '"',
            "<",
            ">",
            "|",
            "~",
            "!",
            "$",
            "&",
            "(",
            ")",
        ]
    ]
    return wrong


def test_dns_rebinding_meets_421_for_two_hundred_hosts(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    browser = come_in(door, app)
    client, wrong = browser._client, hosts(door.host)
    assert len(set(wrong)) >= 200
    assert door.host not in wrong
    for host in wrong:
        for method in ("GET", "POST"):
            answer = client.open(
                "/change" if method == "POST" else "/",
                method=method,
                environ_overrides={"HTTP_HOST": host},
                headers={"X-Forwarded-Host": door.host, "Forwarded": f"host={door.host}"},
            )
            assert answer.status_code == 421, host
            assert "the start page" not in answer.text
            assert not [name for name in answer.headers if name[0].startswith("Access-Control")]
    assert "changed" not in app.extensions
    assert browser.get("/").status_code == 200


def test_name_that_was_allowed_besides_is_answered(tmp_path: Path) -> None:
    door = LocalDoor(tmp_path, "wallet")
    door.launch()
    app = make_ui("wallet", __name__, name="Wallet", nav=[])
    door.guard(app, closed="Dicht.", hosts=("192.0.2.7:8443",))
    client = app.test_client()
    assert client.get("/", base_url="https://192.0.2.7:8443").status_code == 403
    assert client.get("/", base_url="https://192.0.2.7:8444").status_code == 421


def test_browser_sent_back_by_another_site_loads_the_page_again_with_its_cookies(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    launch = door.launch()
    stranger = Browser(app, launch.origin)
    sent = {"Sec-Fetch-Site": "cross-site"}
    answer = stranger.get("/back?code=abc&state=%22%3E%3Cscript%3E", headers=sent)
    assert answer.status_code == 200
    assert 'content="0;url=/back?code=abc&amp;state=%22%3E%3Cscript%3E"' in stranger.page
    assert stranger.get("/", headers=sent).status_code == 403
    assert stranger.get("/back", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 403
    assert come_in(door, app).get("/back").get_data(as_text=True) == "back again"


@pytest.mark.parametrize("damage", ["{}", "", '{"digest": 3, "since": 1}'])
def test_damaged_launch_file_opens_nothing(tmp_path: Path, damage: str) -> None:
    door, app = face(tmp_path)
    launch = door.launch()
    (tmp_path / LAUNCH).write_text(damage)
    assert Browser(app, launch.origin).get(launch.url.removeprefix(launch.origin)).status_code == 403


def test_port_squatter_gets_neither_the_name_nor_the_sessions_of_later(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    come_in(door, app)
    name, _, port = door.host.partition(":")
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", int(port)))
        squatter.listen()
        launch = door.launch()
    assert launch.port != int(port)
    assert name not in launch.origin
    assert '"sessions": []' in (tmp_path / FILE).read_text()


def test_second_start_beside_a_running_one_changes_nothing(tmp_path: Path) -> None:
    door, app = face(tmp_path)
    browser = come_in(door, app)
    kept = (tmp_path / FILE).read_bytes()
    with Home(tmp_path).lock(SERVE_LOCK), socket.socket() as ours:
        ours.bind(("127.0.0.1", int(door.host.partition(":")[2])))
        ours.listen()
        for port in (None, 1):
            with pytest.raises(Unavailable, match="in_use"):
                door.launch(port)
        again = door.launch(int(door.host.partition(":")[2]))
    assert (tmp_path / FILE).read_bytes() == kept
    assert browser.get(again.url.removeprefix(again.origin)).status_code == 200
