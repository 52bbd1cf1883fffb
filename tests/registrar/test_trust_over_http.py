"""The trust list end to end: signed by a registrar, served by its server, fetched over HTTP, obeyed by a role.

Each test changes what the registrar signs, or what comes over the wire, and asks what a role believes afterwards.
"""

import json
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from flask import Flask, Response, redirect
from werkzeug.serving import make_server

from protocol.credential import verify_credential
from protocol.errors import Rejected, Unavailable
from protocol.keys import Es256Private
from protocol.trust_list import MAX_TRUST_LIST_BYTES, TrustedIssuer, agency_of_leaf, sign_trust_list
from registrar import providers, register
from registrar.store import RegistrarStore
from service.fetch import Fetcher
from service.home import Home
from service.tls import CA, make_pki
from service.trust import ANCHORS, KEPT, REFRESH_SECONDS, TrustSource
from tests.protocol import builders as b
from tests.protocol.builders import DAY, NOW
from tests.registrar.open_registrar import OpenRegistrar, Quiet, served

NEW_ROOT = b.party("issuer, new root", san_dns="issuer.voorbeeld.example", san_uri=b.ISSUER_ID)
NEW_AGENCY_ROOT = b.party("agency, new root", san_dns=b.AGENCY_HOST)
MINUTE = REFRESH_SECONDS


class Scene:
    """A registrar that serves, and a role that reads its list by URL. `minute()`: the role looks again."""

    def __init__(self, tmp_path: Path, serve: Callable[[Any], str]) -> None:
        self.registrar = OpenRegistrar(tmp_path)
        self.registrar.store.change(lambda draft: register.add_issuer(draft, b.issuer(), NOW))
        self.folder = tmp_path
        self.registrar.sign()
        self.serve = serve
        self.url = serve(self.registrar.app()) + "/v1/trust-list"
        self.role = Home(tmp_path / "role").create()
        self.source = self.reader()
        self.now = NOW

    def reader(self, home: Home | None = None, url: str | None = None) -> TrustSource:
        """A role's process that starts now."""
        fetcher = Fetcher(loopback=True)
        return TrustSource(home or self.role, url or self.url, self.registrar.jwk(), fetcher=fetcher)

    def minute(self) -> Any:
        self.now += MINUTE
        self.registrar.clock.time = self.now
        return self.source.current(self.now)

    def change(self, rule: Callable[[Any], Any]) -> Any:
        """A new list, and what the role believes a minute later."""
        self.registrar.store.change(rule)
        self.registrar.sign()
        return self.minute()

    def refusal(self, source: TrustSource | None = None) -> str:
        with pytest.raises(Unavailable) as caught:
            (source or self.source).current(self.now)
        assert caught.value.code == "trust_list"
        return caught.value.detail

    def kept(self) -> bytes:
        return self.role.read_public(KEPT)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def scene(tmp_path: Path, stack: ExitStack) -> Scene:
    def serve(app: Any) -> str:
        opened: AbstractContextManager[str] = served(app)
        return stack.enter_context(opened)

    return Scene(tmp_path, serve)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as caught:
        action()
    return caught.value.code


def listed_issuer(**changes: Any) -> Callable[[Any], Any]:
    entry: TrustedIssuer = b.issuer(**changes)
    return lambda draft: register.add_issuer(draft, entry, NOW)


def listed_agency(**changes: Any) -> Callable[[Any], Any]:
    return lambda draft: register.add_agency(draft, b.agency(**changes), NOW)


# Rotation.


def test_issuer_rotates_its_root_and_credentials_of_either_count_meanwhile(scene: Scene) -> None:
    old, new = b.credential(), b.credential(signer=NEW_ROOT)
    trust = scene.source.current(NOW)
    verify_credential(old, trust, NOW)
    assert code_of(lambda: verify_credential(new, trust, NOW)) == "untrusted_chain"
    both = scene.change(listed_issuer(roots=[*b.ISSUER.roots, *NEW_ROOT.roots]))
    verify_credential(old, both, scene.now)
    verify_credential(new, both, scene.now)
    done = scene.change(listed_issuer(roots=NEW_ROOT.roots))
    verify_credential(new, done, scene.now)
    assert code_of(lambda: verify_credential(old, done, scene.now)) == "untrusted_chain"


def test_agency_rotates_its_root(scene: Scene) -> None:
    both = scene.change(listed_agency(roots=[*b.AGENCY.roots, *NEW_AGENCY_ROOT.roots]))
    for leaf in (b.AGENCY.leaf, NEW_AGENCY_ROOT.leaf):
        assert agency_of_leaf(both, [leaf], scene.now).id == b.AGENCY_ID
    done = scene.change(listed_agency(roots=NEW_AGENCY_ROOT.roots))
    assert agency_of_leaf(done, [NEW_AGENCY_ROOT.leaf], scene.now).id == b.AGENCY_ID
    assert code_of(lambda: agency_of_leaf(done, [b.AGENCY.leaf], scene.now)) == "not_listed"


def test_root_of_one_party_cannot_become_that_of_another(scene: Scene) -> None:
    before = scene.registrar.store.draft()
    for rule in (
        listed_agency(roots=b.ISSUER.roots),
        listed_issuer(roots=b.AGENCY.roots),
        lambda draft: providers.add_registration_root(draft, b.AGENCY.roots[0], NOW),
        listed_issuer(roots=before.registration_roots),
        listed_agency(roots=before.wallet_providers[0].roots),
    ):
        assert code_of(lambda rule=rule: scene.registrar.store.change(rule)) == "root_taken"
    assert scene.registrar.store.draft() == before


def test_party_that_is_taken_off_the_list_counts_for_nothing_a_minute_later(scene: Scene) -> None:
    trust = scene.change(lambda draft: register.remove(draft, "issuer", b.ISSUER_ID))
    assert code_of(lambda: verify_credential(b.credential(), trust, scene.now)) == "not_listed"
    trust = scene.change(lambda draft: register.remove(draft, "agency", b.AGENCY_ID))
    assert code_of(lambda: agency_of_leaf(trust, [b.AGENCY.leaf], scene.now)) == "not_listed"
    provider = trust.wallet_providers[0].id
    trust = scene.change(lambda draft: register.remove(draft, "wallet-provider", provider))
    assert code_of(lambda: trust.wallet_provider(provider)) == "not_listed"


def test_issuer_is_believed_for_the_types_that_it_is_listed_for_and_no_others(scene: Scene) -> None:
    """A type gives no right: the table of issuers and types does (issuer x vct)."""
    trust = scene.change(listed_issuer(vcts=[b.ADRES]))
    verify_credential(b.credential(b.ADRES), trust, scene.now)
    assert code_of(lambda: verify_credential(b.credential(b.PERSOON), trust, scene.now)) == "vct_not_allowed"
    trust = scene.change(listed_issuer())
    verify_credential(b.credential(b.PERSOON), trust, scene.now)


# Expiry.


def test_list_that_has_expired_is_no_list_until_another_is_signed(scene: Scene) -> None:
    scene.source.current(NOW)
    kept = scene.kept()
    scene.now = scene.registrar.clock.time = NOW + 30 * DAY
    assert "not in force" in scene.refusal()
    assert "not in force" in scene.refusal(scene.reader())
    assert scene.kept() == kept
    scene.registrar.sign()
    scene.now += 1
    assert scene.source.current(scene.now).version == 2


def test_freeze_a_server_that_keeps_serving_an_old_list_is_believed_no_longer_than_its_end(scene: Scene) -> None:
    """Who holds the wire can hold back a removal, but only until the list ends: that is why lists end."""
    old = scene.registrar.store.trust_list_path.read_bytes()
    frozen = Flask("frozen")
    frozen.add_url_rule("/v1/trust-list", "list", lambda: Response(old))
    source = scene.reader(url=scene.serve(frozen) + "/v1/trust-list")
    assert source.current(NOW).agency(b.AGENCY_ID)
    scene.registrar.remove()
    scene.registrar.sign()
    assert source.current(NOW + MINUTE).agency(b.AGENCY_ID)
    scene.now = NOW + 30 * DAY
    assert "not in force" in scene.refusal(source)


# Rollback.


def test_rollback_an_older_list_that_comes_back_changes_nothing(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """The registrar's server is restored from a backup of before a removal."""
    first = scene.registrar.store.trust_list_path.read_bytes()
    scene.source.current(NOW)
    trust = scene.change(lambda draft: register.remove(draft, "agency", b.AGENCY_ID))
    assert trust.version == 2
    kept = scene.kept()
    scene.registrar.home.write_public("trust-list.jwt", first)
    assert scene.minute().version == 2
    assert "trust_list_rollback" in capsys.readouterr().err
    assert scene.reader().current(scene.now).version == 2  # a new process of the same role
    assert scene.kept() == kept
    fresh = scene.reader(Home(scene.folder / "newcomer").create())
    assert (
        fresh.current(scene.now).version == 1
    )  # who has never seen another cannot know: the list's end bounds it


def test_fork_two_lists_of_one_version_are_never_both_believed(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody with a copy of the registrar's home signs a second list of the next version."""
    scene.source.current(NOW)
    twin = OpenRegistrar.__new__(OpenRegistrar)
    shutil.copytree(scene.registrar.home.path, scene.folder / "copy")
    twin.home, twin.clock = Home(scene.folder / "copy"), scene.registrar.clock
    twin.store = RegistrarStore(twin.home)
    trust = scene.change(lambda draft: register.remove(draft, "agency", b.AGENCY_ID))
    twin.store.change(listed_agency(name="Another name"))
    twin.sign()
    kept = scene.kept()
    forged = scene.reader(url=scene.serve(twin.app()) + "/v1/trust-list")
    assert forged.current(scene.now) == trust
    assert "trust_list_fork" in capsys.readouterr().err
    assert scene.kept() == kept


def test_registered_service_that_is_changed_in_place_is_refused(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """A registrar that is forced to widen what residents consented to: the version would have to rise."""
    scene.source.current(NOW)
    published = scene.registrar.store.published()
    assert published is not None
    agency = msgspec.structs.replace(published.agencies[0], services=[b.service(retention="P9Y")])
    wider = msgspec.structs.replace(published, version=2, agencies=[agency])
    key = Es256Private.from_pem(scene.registrar.home.read_secret("registrar-key.pem"))
    scene.registrar.home.write_public("trust-list.jwt", sign_trust_list(wider, key).encode())
    assert scene.minute().version == 1
    assert "service_changed" in capsys.readouterr().err


# What comes over the wire.


def wire(answer: Callable[[], Any]) -> Flask:
    app = Flask("wire")
    app.add_url_rule("/v1/trust-list", "list", answer)
    return app


def test_list_of_another_key_is_refused_on_the_wire(scene: Scene) -> None:
    published = scene.registrar.store.published()
    assert published is not None
    forged = sign_trust_list(msgspec.structs.replace(published, version=99), b.es256("mallory"))
    source = scene.reader(url=scene.serve(wire(lambda: forged)) + "/v1/trust-list")
    assert "signature" in scene.refusal(source)
    assert not scene.role.has(KEPT)
    source.location = scene.url
    assert source.current(NOW).version == 1


def test_redirect_to_another_list_is_not_followed(scene: Scene) -> None:
    reached: list[str] = []
    app = wire(lambda: redirect("/elsewhere", 302))
    app.add_url_rule("/elsewhere", "elsewhere", lambda: reached.append("x") or "")
    assert "redirect" in scene.refusal(scene.reader(url=scene.serve(app) + "/v1/trust-list"))
    assert reached == []


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"a" * (MAX_TRUST_LIST_BYTES + 1), "more than"),
        (b"\xff\xfe", "not a compact JWS"),
        (b"", "three parts"),
        (b"{}", "three parts"),
        (b"[" * 100_000, "three parts"),
    ],
    ids=["too large", "no text", "empty", "json", "deep"],
)
def test_answer_that_is_no_list_is_refused(scene: Scene, answer: bytes, detail: str) -> None:
    source = scene.reader(url=scene.serve(wire(lambda: Response(answer))) + "/v1/trust-list")
    assert detail in scene.refusal(source)
    assert not scene.role.has(KEPT)


def test_role_fetches_over_tls_from_the_authority_that_it_is_told_and_no_other(
    scene: Scene, tmp_path: Path
) -> None:
    files = make_pki(Home(tmp_path / "pki").create(), ["localhost"], days=1, now=_real_now())
    make_pki(Home(tmp_path / "other").create(), ["localhost"], days=1, now=_real_now())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = make_server(
        "127.0.0.1", 0, scene.registrar.app(), threaded=True, ssl_context=context, request_handler=Quiet
    )
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"https://localhost:{server.server_port}/v1/trust-list"

    def reader(ca: str, home: str) -> TrustSource:
        fetcher = Fetcher(loopback=True, ca_file=str(tmp_path / ca / CA))
        return TrustSource(Home(tmp_path / home).create(), url, scene.registrar.jwk(), fetcher=fetcher)

    assert reader("pki", "one").current(NOW).version == 1
    assert "cannot be reached" in scene.refusal(reader("other", "two"))
    server.shutdown()
    server.server_close()


def _real_now() -> int:
    return int(time.time())


# Strangers.


def anchor(scene: Scene, **members: Any) -> None:
    scene.role.write_public(ANCHORS, json.dumps(members).encode())


def test_anchors_of_a_home_come_and_go_while_it_runs(scene: Scene) -> None:
    assert scene.source.current(NOW).anchors.verifiers == []
    anchor(scene, verifiers=[{"name": "Shop", "roots": b.STRANGER.roots}])
    found = scene.source.current(NOW)
    assert [each.name for each in found.anchors.verifiers] == ["Shop"]
    assert scene.source.current(NOW) is found  # looked up once
    scene.role.remove(ANCHORS)
    assert scene.source.current(NOW).anchors.verifiers == []


def test_anchors_stay_when_the_list_changes_and_the_list_when_they_do(scene: Scene) -> None:
    anchor(scene, registration_roots=b.STRANGER.roots)
    trust = scene.change(lambda draft: register.remove(draft, "issuer", b.ISSUER_ID))
    assert trust.version == 2
    assert trust.registration_roots[-1:] == b.STRANGER.roots
    assert len(trust.registration_roots) == 2
    scene.role.remove(ANCHORS)
    assert scene.source.current(scene.now).version == 2
    assert len(scene.source.current(scene.now).registration_roots) == 1


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"agencies": []}', b'{"verifiers": [{"name": "x"}]}', b"\xff"])
def test_damaged_anchors_stop_a_home_that_starts_and_change_nothing_in_one_that_runs(
    scene: Scene, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    anchor(scene, verifiers=[{"name": "Shop", "roots": b.STRANGER.roots}])
    before = scene.source.current(NOW)
    scene.role.write_public(ANCHORS, damage)
    assert scene.source.current(NOW).anchors == before.anchors
    assert "anchors_refused" in capsys.readouterr().err
    with pytest.raises(Unavailable) as caught:
        scene.reader().current(NOW)
    assert caught.value.code == "anchors"
    assert str(scene.role.file(ANCHORS)) in caught.value.detail
    scene.role.remove(ANCHORS)
    assert scene.reader().current(NOW).version == 1


def test_anchors_never_reach_the_kept_list(scene: Scene) -> None:
    anchor(scene, registration_roots=b.STRANGER.roots)
    scene.source.current(NOW)
    assert b.STRANGER.roots[0].encode() not in scene.kept()
    assert scene.kept() == scene.registrar.store.trust_list_path.read_bytes()
