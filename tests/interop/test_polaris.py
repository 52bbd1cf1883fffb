"""Our wallet answers PyPI's `polaris-oid4vp`, a verifier certified by the OpenID Foundation for HAIP, over TLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop import node, polaris
from tests.interop.asked import ADRES, DIPLOMA
from tests.interop.ours import Place, Refused, founded, service
from tests.interop.registering import registrar_dataset, registration
from tests.interop.served import free_port
from tests.interop.strangers import stranger

pytestmark = pytest.mark.skipif(polaris.IS_MISSING, reason="needs polaris-oid4vp (extra test)")
LISTED, WINKEL = "00000099000000003000", "NTRNL-12345678"
PARKING = service("parkeren", ("adres", "postcode"), ("adres", "huisnummer"))


@dataclass(frozen=True)
class Scene:
    """Our issuer and a wallet with `adres`; polaris is a listed agency."""

    place: Place
    pki: Path
    issuers: Path

    def wallet(self, *arguments: str, name: str = "noor") -> Any:
        """A command that trusts polaris's certificate for TLS."""
        return self.place.wallet(name, *arguments, REGIE_CA_FILE=str(self.pki / "tls.pem"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("polaris")
    pki = polaris.keygen(folder / "pki")
    entry = {
        "id": LISTED,
        "name": "Wijkbeheer",
        "roots": [polaris.der_base64(pki / "anchor.pem")],
        "bsn_allowed": False,
        "erasure_contact": "privacy@wijkbeheer.example",
        "services": [],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with founded(folder, listed=(("agency", entry),), registered=((LISTED, PARKING),)) as place:
            place.new_wallet("noor")
            place.receive("noor", "adres")
            yield Scene(place, pki, polaris.write_pem(folder / "issuers.pem", place.entry("issuer")["roots"]))


def test_polaris_finds_what_our_wallet_shows_authentic(scene: Scene) -> None:
    with polaris.asking(scene.pki, scene.issuers, ADRES, "postcode", "huisnummer") as asked:
        given = scene.wallet("present", asked.link)
        verdict = asked.verdict()
    assert verdict.startswith("200 authentic")
    assert all(f"'{name}'" in verdict for name in ("postcode", "huisnummer"))
    assert "'straat'" not in verdict
    assert {"adres.postcode", "adres.huisnummer"} <= set(given["attributes"])


def test_polaris_hears_that_our_resident_declines(scene: Scene) -> None:
    with polaris.asking(scene.pki, scene.issuers, ADRES, "postcode") as asked:
        scene.wallet("decline", asked.link)
        assert asked.verdict().startswith("200 wallet error")


def test_our_wallet_refuses_polaris_what_is_not_registered(scene: Scene) -> None:
    with (
        polaris.asking(scene.pki, scene.issuers, ADRES, "straat") as asked,
        pytest.raises(Refused, match="over_ask"),
    ):
        scene.wallet("present", asked.link)


def test_our_wallet_does_not_answer_polaris_without_its_certificate_for_tls(scene: Scene) -> None:
    with (
        polaris.asking(scene.pki, scene.issuers, ADRES, "postcode") as asked,
        pytest.raises(Refused, match="unreachable"),
    ):
        scene.place.wallet("noor", "present", asked.link)


@dataclass(frozen=True)
class Strangers(Scene):
    """Polaris is a shop that no registrar of ours lists; the wallet trusts it and who registered it."""

    register: Any

    def registered(self, *claims: tuple[str, list[str]]) -> tuple[str, ...]:
        """Options of polaris: its registration, held to the profile of ETSI before it asks."""
        info = [registrar_dataset(WINKEL), registration(self.register, WINKEL, *claims)]
        file = self.place.write("verifier-info.json", info)
        return ("--verifier-info", file, "--verifier-info-profile", "etsi-119472-2")


@pytest.fixture(scope="module")
def shop(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strangers]:
    """Beside `adres` the wallet has a diploma of an issuer of npm's, where that is installed."""
    folder = tmp_path_factory.mktemp("shop")
    who, school = stranger("Winkel BV", organization_id=WINKEL), stranger("Hogeschool", free_port())
    register, pki = stranger("register"), polaris.keygen(folder / "pki")
    polaris.sign_as(pki, who)
    anchors = {
        "issuers": [{"name": "Hogeschool", "roots": school.roots, "vcts": ["*"]}],
        "verifiers": [{"name": "Winkel BV", "roots": who.roots}],
        "registration_roots": register.roots,
    }
    scene.place.new_wallet("klaas", anchors)
    scene.place.receive("klaas", "adres")
    roots = [*scene.place.entry("issuer")["roots"], *school.roots]
    made = Strangers(scene.place, pki, polaris.write_pem(folder / "issuers.pem", roots), register)
    if node.is_missing():
        yield made
        return
    with node.running("issuer", folder) as issuing:
        issuing.tell("start", **school.identity)
        made.wallet("receive", issuing.tell("offer", grant="pre-authorized")["link"], name="klaas")
        yield made


def test_our_wallet_answers_a_stranger_by_its_registration(shop: Strangers) -> None:
    """Polaris reads the certificate as we write it: it finds that the request asks no more than it registers."""
    options = shop.registered((ADRES, ["postcode"]))
    with polaris.asking(shop.pki, shop.issuers, ADRES, "postcode", options=options) as asked:
        shop.wallet("present", asked.link, name="klaas")
        assert asked.verdict().startswith("200 authentic")


def test_our_wallet_refuses_a_stranger_what_its_registration_does_not_hold(shop: Strangers) -> None:
    options = shop.registered((ADRES, ["postcode"]))[:2]
    with (
        polaris.asking(shop.pki, shop.issuers, ADRES, "straat", options=options) as asked,
        pytest.raises(Refused, match="over_asking"),
    ):
        shop.wallet("present", asked.link, name="klaas")


@pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
def test_our_wallet_shows_polaris_a_card_of_an_issuer_of_npm(shop: Strangers) -> None:
    path = ["name", "family"]
    options = shop.registered((DIPLOMA, path))
    with polaris.asking(shop.pki, shop.issuers, DIPLOMA, "name.family", options=options) as asked:
        given = shop.wallet("present", asked.link, name="klaas")
        assert asked.verdict().startswith("200 authentic")
    assert set(given["attributes"]) == {"diploma.name.family", "diploma.honours"}  # the second is open to all
