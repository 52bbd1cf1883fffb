"""Our wallet answers PyPI's `polaris-oid4vp`, a verifier certified by the OpenID Foundation for HAIP, over TLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop import polaris
from tests.interop.ours import Place, Refused, founded, service

pytestmark = pytest.mark.skipif(polaris.IS_MISSING, reason="needs polaris-oid4vp (extra test)")
LISTED, ADRES = "00000099000000003000", "urn:regie:nl:adres:1"
PARKING = service("parkeren", ("adres", "postcode"), ("adres", "huisnummer"))


@dataclass(frozen=True)
class Scene:
    """Our issuer and a wallet with `adres`; polaris is a listed agency."""

    place: Place
    pki: Path
    issuers: Path

    def wallet(self, *arguments: str) -> Any:
        """A command that trusts polaris's certificate for TLS."""
        return self.place.wallet("noor", *arguments, REGIE_CA_FILE=str(self.pki / "tls.pem"))


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
