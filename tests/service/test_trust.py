"""The trust list as a role reads it: forged, expired, older or second lists change nothing."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from protocol.errors import Unavailable
from protocol.keys import Es256Private
from protocol.trust_list import Agency, Service, ServiceClaim, TrustList, Words, sign_trust_list
from protocol.x509 import make_root, x5c
from service.fetch import Fetcher
from service.home import Home
from service.trust import KEPT, REFRESH_SECONDS, TrustSource

NOW = 1_800_000_000
REGISTRAR = Es256Private.from_secret(bytes(47) + b"1")
OTHER = Es256Private.from_secret(bytes(47) + b"2")
ROOT = x5c([make_root(OTHER, "Agency", serial=1, not_before=NOW - 10, not_after=NOW + 10**6)])[0]


def service(purpose: str = "Why.") -> Service:
    return Service(
        id="parking",
        version=1,
        name=Words(nl="Parkeren", en="Parking"),
        purpose=Words(nl="Waarom.", en=purpose),
        basis="consent",
        claims=[ServiceClaim(vct="urn:regie:nl:adres:1", path=["postcode"], needed=True)],
        longest_term=86_400,
        retention="P1D",
        mode="view",
        privacy_policy="https://agency.example/privacy",
    )


def signed(
    version: int, *, iat: int = NOW, exp: int = NOW + 1000, key: Es256Private = REGISTRAR, purpose: str = "Why."
) -> str:
    agency = Agency(
        id="00000099000000000001",
        name="Agency",
        roots=[ROOT],
        bsn_allowed=False,
        erasure_contact="privacy@agency.example",
        services=[service(purpose)],
    )
    return sign_trust_list(TrustList(version=version, iat=iat, exp=exp, agencies=[agency]), key)


class Setup:
    """A home and a list in a file."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = Home(tmp_path / "home").create()
        self.path = tmp_path / "trust-list.jwt"

    def write(self, token: str) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(token)
        beside.replace(self.path)

    def source(self, location: str | None = None) -> TrustSource:
        fetcher = Fetcher(loopback=True) if location else None
        return TrustSource(self.home, location or self.path, REGISTRAR.public.jwk(), fetcher=fetcher)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def refusal(source: TrustSource, now: int = NOW) -> str:
    with pytest.raises(Unavailable) as caught:
        source.current(now)
    assert caught.value.code == "trust_list"
    return caught.value.detail


def test_list_is_read_and_read_again_only_when_it_changed(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.write(signed(1) + "\n")
    source = setup.source()
    first = source.current(NOW)
    assert first.agency("00000099000000000001").name == "Agency"
    with monkeypatch.context() as patch:
        patch.setattr(source, "_read", lambda: pytest.fail("read again"))
        assert source.current(NOW + 500) is first
    setup.write(signed(2))
    assert source.current(NOW).version == 2


def test_role_may_be_made_before_its_list(setup: Setup) -> None:
    source = setup.source()
    assert "cannot be read" in refusal(source)
    setup.write(signed(1))
    assert source.current(NOW).version == 1


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        (signed(1, key=OTHER), "signature"),
        (signed(1, exp=NOW), "not in force"),
        (signed(1, iat=NOW + 3600, exp=NOW + 7200), "not in force"),
        (signed(1)[:-2], ""),
        ("", ""),
        ("é", "not a compact JWS"),
    ],
)
def test_forged_or_expired_list_is_no_list(setup: Setup, token: str, detail: str) -> None:
    setup.write(token)
    assert detail in refusal(setup.source())
    assert not setup.home.has(KEPT)


def test_older_list_put_back_is_refused_by_a_new_process(setup: Setup) -> None:
    setup.write(signed(2))
    setup.source().current(NOW)
    setup.write(signed(1))
    assert "older" in refusal(setup.source())
    setup.write(signed(2))
    assert setup.source().current(NOW).version == 2


def test_older_list_put_back_does_not_disturb_a_running_process(
    setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.write(signed(2))
    source = setup.source()
    source.current(NOW)
    setup.write(signed(1))
    assert source.current(NOW).version == 2
    assert "trust_list_rollback" in capsys.readouterr().err
    assert source.current(NOW).version == 2
    assert capsys.readouterr().err == ""  # looked at once, not at every request


def test_second_list_of_one_version_is_refused(setup: Setup) -> None:
    setup.write(signed(2))
    setup.source().current(NOW)
    setup.write(signed(2, exp=NOW + 999))
    assert "one version" in refusal(setup.source())


def test_list_that_changes_a_registered_service_is_refused(setup: Setup) -> None:
    setup.write(signed(1))
    source = setup.source()
    source.current(NOW)
    setup.write(signed(2, purpose="Something else."))
    assert source.current(NOW).version == 1
    assert "changed" in refusal(setup.source())


def test_list_that_expires_in_use_is_refused(setup: Setup) -> None:
    setup.write(signed(1))
    source = setup.source()
    source.current(NOW + 999)
    assert "not in force" in refusal(source, NOW + 1000)
    setup.write(signed(2, iat=NOW + 1000, exp=NOW + 2000))
    assert source.current(NOW + 1000).version == 2


def test_list_of_another_registrar_does_not_bind_this_one(setup: Setup) -> None:
    setup.write(signed(9, key=OTHER))
    TrustSource(setup.home, setup.path, OTHER.public.jwk()).current(NOW)
    setup.write(signed(1))
    assert setup.source().current(NOW).version == 1


def test_threads_read_a_changed_list_once(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.write(signed(1))
    source = setup.source()
    reads: list[int] = []
    read = source._read
    monkeypatch.setattr(source, "_read", lambda: reads.append(1) or read())
    threads = [threading.Thread(target=source.current, args=(NOW,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1


class Publisher:
    """Serves `token` over HTTP, or fails."""

    def __init__(self) -> None:
        self.token = ""
        self.asked = 0
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked += 1
                self.send_response(200 if publisher.token else 503)
                self.send_header("Content-Length", str(len(publisher.token)))
                self.end_headers()
                self.wfile.write(publisher.token.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/trust-list.jwt"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def test_list_of_a_url_is_fetched_once_a_minute_and_outlives_the_network(setup: Setup) -> None:
    publisher = Publisher()
    source = setup.source(publisher.url)
    start = NOW // REFRESH_SECONDS * REFRESH_SECONDS
    refusal(source, start)
    publisher.token = signed(1)
    refusals = publisher.asked
    assert source.current(start).version == 1  # without a list, every request tries
    assert source.current(start + REFRESH_SECONDS - 1).version == 1
    assert publisher.asked == refusals + 1
    publisher.token = signed(2)
    assert source.current(start + REFRESH_SECONDS).version == 2
    publisher.token = ""
    assert source.current(start + 2 * REFRESH_SECONDS).version == 2
    assert setup.source(publisher.url).current(start).version == 2  # kept from the process before
    refusal(setup.source(publisher.url), NOW + 1000)  # but not beyond its end
    publisher.token = signed(1)
    assert setup.source(publisher.url).current(start).version == 2  # and not rolled back
    publisher.server.shutdown()
    publisher.server.server_close()
