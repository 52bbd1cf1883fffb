"""Server-side request forgery: what an offer names must not make the wallet talk to its own machine or network.

The home trusts an issuer at any address (an anchor without `id`), so only the fetcher stands between the offer and
the network: a listener on this machine counts who comes.
"""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from protocol.errors import RegieError
from service.fetch import Fetcher
from tests.conformance.held_cards import Holder
from tests.protocol import strangers
from wallet.errand_receive import receive


class Listener(ThreadingHTTPServer):
    """Answers everything with a redirect to itself, and remembers what was asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/second")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Holder:
    """Trusts an issuer wherever it is. Its names lead to `127.0.0.1`, whatever they say."""
    made = Holder(tmp_path_factory.mktemp("ssrf"))
    made.create()
    issuer = {"name": "anywhere", "roots": strangers.UNIVERSITY.roots, "vcts": ["*"]}
    made.home.file("anchors.json").write_bytes(msgspec.json.encode({"issuers": [issuer]}))
    return made


def offered(holder: Holder, link: str, *, loopback: bool = False, resolved: str = "127.0.0.1") -> str:
    """The code of the refusal; the vault is what it was."""
    holder.fetcher = Fetcher(loopback=loopback, resolver=lambda host, port: [resolved])
    with holder.open() as wallet:
        before = wallet.vault.export()
        with pytest.raises(RegieError) as refusal:
            receive(wallet, link, None, None)
        assert wallet.vault.export() == before
    return refusal.value.code


HOSTS = [
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
    "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "user@evil.example",
    "evil.example\\@x",
    "①②⑦.⓪.⓪.①", "ｌocalhost", "xn--localhost-.example", "a..example", "-a.example", "evil.example:22",
    "evil.example:0", "evil.example:99999", "evil.example",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_attack_ssrf_by_credential_offer_uri(holder: Holder, listener: Listener, host: str) -> None:
    """Any spelling of an address inside, and any name that leads there."""
    seen = len(listener.seen)
    port = "" if ":" in host.rpartition("]")[2] else f":{listener.server_port}"
    for scheme in ("http", "https"):
        uri = f"{scheme}://{host}{port}/offers/1"
        code = offered(holder, f"openid-credential-offer://?credential_offer_uri={quote(uri, safe='')}")
        assert code in ("bad_url", "refused_address", "bad_offer"), (uri, code)
    assert len(listener.seen) == seen


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fc00::1"]
)
def test_attack_ssrf_by_issuer_identifier(holder: Holder, listener: Listener, address: str) -> None:
    """An offer by value names an issuer, whose metadata would be fetched; a name leads to an address inside."""
    body = '{"credential_issuer":"https://issuer.evil.example","credential_configuration_ids":["a"],"grants":{'
    grant = '"urn:ietf:params:oauth:grant-type:pre-authorized_code":{"pre-authorized_code":"c"}}}'
    link = f"openid-credential-offer://?credential_offer={quote(body + grant)}"
    assert offered(holder, link, resolved=address) == "refused_address"
    assert listener.seen == []


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "data", "javascript", "unix"])
def test_attack_offer_uri_of_another_scheme(holder: Holder, listener: Listener, scheme: str) -> None:
    assert (
        offered(holder, f"openid-credential-offer://?credential_offer_uri={scheme}%3A%2F%2Fx%2Fy") == "bad_offer"
    )
    assert listener.seen == []


def test_attack_redirect_of_an_offer_is_not_followed(holder: Holder, listener: Listener) -> None:
    uri = quote(f"http://127.0.0.1:{listener.server_port}/first", safe="")
    assert offered(holder, f"openid-credential-offer://?credential_offer_uri={uri}", loopback=True) == "redirect"
    assert listener.seen == ["/first"]
    listener.seen.clear()


def test_attack_redirect_of_metadata_is_not_followed(holder: Holder, listener: Listener) -> None:
    issuer = f"http://127.0.0.1:{listener.server_port}"
    body = f'{{"credential_issuer":"{issuer}","credential_configuration_ids":["a"],"grants":{{'
    grant = '"urn:ietf:params:oauth:grant-type:pre-authorized_code":{"pre-authorized_code":"c"}}}'
    link = f"openid-credential-offer://?credential_offer={quote(body + grant)}"
    assert offered(holder, link, loopback=True) == "redirect"
    assert listener.seen == ["/.well-known/openid-credential-issuer"]
    listener.seen.clear()


def test_offer_that_names_two_things_to_fetch_is_refused(
    holder: Holder, listener: Listener, tmp_path: Path
) -> None:
    link = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example&credential_offer_uri=https%3A%2F%2Fb"
    assert offered(holder, link) == "bad_offer"
    assert listener.seen == []
