"""The door of the wallet in a real browser: first use, a passkey, the lock, installing it, who stays outside."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, CDPSession, Page

from examples.processes import START_SECONDS, Server, free_ports
from tests.faces.accessible import shape_faults
from tests.faces.browser import PHONE, Visitor, visiting
from tests.faces.keyboard import keyboard_faults
from tests.faces.sweep import sweep
from tests.faces.town import LocalFace
from tests.protocol import builders

PASSPHRASE = "vier gele fietsen"
_OPEN = re.compile(r"http://wallet-\w+\.localhost:\d+/open/[\w-]+")
_AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "hasPrf": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFace]:
    """A wallet that is served, in a home without one."""
    folder = tmp_path_factory.mktemp("door")
    key = folder / "registrar.jwk"
    key.write_text(json.dumps(builders.REGISTRAR.public.jwk()))
    (port,) = free_ports(1)
    told = ("--trust-list", "https://trust.example/list.jwt", "--registrar", str(key))
    arguments = ("wallet", "serve", "--port", str(port), *told)
    server = Server("wallet", folder / "wallet", arguments, f"http://localhost:{port}", folder / "wallet.log")
    server.launch()
    try:
        yield LocalFace(server, wait_for_address(server))
    finally:
        server.stop()


def wait_for_address(server: Server) -> str:
    """What `serve` prints once it answers."""
    for _ in range(START_SECONDS * 20):
        found = _OPEN.search(server.log.read_text())
        if found:
            return found[0]
        assert server.process is not None
        assert server.process.poll() is None, server.log.read_text()
        time.sleep(0.05)
    raise AssertionError(server.log.read_text())


@pytest.fixture(scope="module")
def resident(browser: Browser, served: LocalFace) -> Iterator[Visitor]:
    """Somebody who came in by the address that was printed."""
    with visiting(browser, language="en", size=PHONE) as visitor:
        visitor.page.goto(served.launch)
        yield visitor
        assert visitor.complaints == []
        assert visitor.strangers == set()


@pytest.fixture(scope="module")
def page(resident: Visitor) -> Page:
    """With a wallet that was made in the browser."""
    page = resident.page
    page.get_by_role("link", name="Make a new wallet").click()
    page.get_by_label("New passphrase").fill(PASSPHRASE)
    page.get_by_label("The same passphrase again").fill(PASSPHRASE)
    page.get_by_role("button", name="Make my wallet").click()
    page.get_by_text("Your wallet is ready.").wait_for()
    return page


def faults_of(page: Page, name: str, pictures: Path) -> list[str]:
    """What is wrong with a page however it is looked at."""
    return shape_faults(page, "en") + keyboard_faults(page) + sweep(page, f"wallet-{name}", pictures)


@pytest.mark.parametrize("name", ["begin/restore"])
def test_first_use_is_whole_and_accessible(resident: Visitor, name: str, pictures: Path) -> None:
    page = resident.go(f"/{name}")
    assert faults_of(page, name.replace("/", "-"), pictures) == []


def test_first_use_says_what_is_wrong_accessibly(resident: Visitor, pictures: Path) -> None:
    page = resident.go("/begin/new")
    page.get_by_label("New passphrase").fill("short")
    page.get_by_label("The same passphrase again").fill("other")
    page.get_by_role("button", name="Make my wallet").click()
    assert page.evaluate("document.activeElement.id") == "summary"
    assert faults_of(page, "begin-new-wrong", pictures) == []
    resident.go("/")


def authenticator(page: Page) -> tuple[CDPSession, str]:
    """An authenticator that verifies its user and can do PRF."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})
    return devtools, str(made["authenticatorId"])


def test_passkey_opens_the_wallet(resident: Visitor, page: Page, pictures: Path) -> None:
    devtools, device = authenticator(page)
    resident.go("/settings/passkeys")
    page.get_by_label("A name for it").fill("my phone")
    page.get_by_label("Your passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("Your passkey opens this wallet now too.").wait_for()
    page.get_by_role("button", name="Lock").click()
    page.get_by_role("button", name="Open with your passkey").click()
    page.get_by_role("heading", name="Your data, your choice").wait_for()
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name="Lock").click()
    page.get_by_role("button", name="Open with your passkey").click()
    page.get_by_text("The passkey did not answer.").wait_for()
    assert faults_of(page, "unlock-passkey", pictures) == []
    page.get_by_label("Your passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Open", exact=True).click()
    page.get_by_role("heading", name="Your data, your choice").wait_for()
    devtools.send("WebAuthn.disable")


def test_browser_offers_to_install_the_wallet(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Every context of the tests is incognito, where nothing can be installed; there is nothing else against it.
    assert [error["errorId"] for error in errors] == ["in-incognito"]
    manifest = devtools.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/manifest.webmanifest")


def test_launch_address_opens_once(browser: Browser, served: LocalFace, page: Page) -> None:
    with visiting(browser, language="en") as stranger:
        answer = stranger.page.goto(served.launch)
        assert answer is not None
        assert answer.status == 403
        answer = stranger.page.goto(served.origin + "/settings")
        assert answer is not None
        assert answer.status == 403
        assert "regie wallet open" in stranger.page.content()


@pytest.mark.parametrize(
    "path", ["/unlock", "/lock", "/lost/everything", "/settings/idle", "/settings/passkeys/remove"]
)
def test_attack_form_of_another_page_is_sent_to_the_wallet(page: Page, served: LocalFace, path: str) -> None:
    """The same browser, with the cookies of the resident in it."""
    port = urlsplit(served.origin).port
    other = page.context.new_page()
    try:
        other.goto("about:blank")
        other.set_content(f"<form method=post action='{served.origin}{path}'><button>win</button></form>")
        with other.expect_response(lambda answer: urlsplit(answer.url).port == port) as answer:
            other.get_by_role("button").click()
        assert answer.value.status == 403
    finally:
        other.close()
    page.goto(served.origin + "/settings")
    page.get_by_role("heading", name="Settings").wait_for()


def test_attack_wallet_in_a_frame(page: Page, served: LocalFace) -> None:
    other = page.context.new_page()
    try:
        other.goto("about:blank")
        other.set_content(f"<iframe src='{served.origin}/lost/everything'></iframe>")
        other.wait_for_timeout(300)
        frames = [frame for frame in other.frames if frame.parent_frame is not None]
        assert all("Stop all" not in frame.content() for frame in frames)
    finally:
        other.close()


def test_attack_name_of_another_site_leads_to_this_machine(browser: Browser, served: LocalFace) -> None:
    """DNS rebinding: any other name that ends here, `localhost` and the address itself included, gets 421."""
    port = urlsplit(served.origin).port
    with visiting(browser) as stranger:
        for host in ("localhost", "127.0.0.1", "evil.localhost", f"x.{urlsplit(served.origin).hostname}"):
            answer = stranger.page.goto(f"http://{host}:{port}/")
            assert answer is not None
            assert answer.status == 421, host
            assert not stranger.context.cookies()
