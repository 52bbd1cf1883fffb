"""Our wallet before a verifier that no registrar of ours lists: it may ask what its own registrar says, no more.

The cards are of our issuer and of @openid4vc's; the choice among them is by our DCQL, and judged by npm's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop import node
from tests.interop.asked import ADRES, AGES, BOTH, DIPLOMA, EITHER, PERSOON, SCHOOL, credential
from tests.interop.node import Peer
from tests.interop.ours import Place, Refused, founded
from tests.interop.registering import registration
from tests.interop.served import free_port
from tests.interop.strangers import Stranger, stranger

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
WINKEL = "NTRNL-12345678"
REGISTERED = (
    (ADRES, ["postcode"]),
    (ADRES, ["gemeente"]),
    (PERSOON, ["leeftijdBoven18"]),
    (PERSOON, ["leeftijdBoven65"]),
    *((DIPLOMA, [name]) for name in ("name", "awarded", "languages", "courses")),
)


@dataclass(frozen=True)
class Scene:
    """A shop of theirs, and a resident with cards of two issuers who may meet it."""

    place: Place
    shop: Peer
    school: Peer
    register: Stranger
    anchors: dict[str, Any]

    def ask(self, query: Any, *claims: tuple[str, list[str]], **options: Any) -> Any:
        """A request of the shop with its registration: `id`, `link`."""
        info = [registration(self.register, WINKEL, *(claims or REGISTERED))]
        return self.shop.tell("ask", dcql=query, info=info, **options)

    def present(self, asked: Any, *options: str) -> Any:
        return self.place.wallet("noor", "present", asked["link"], *options)

    def shown(self, asked: Any) -> dict[str, list[Any]]:
        """What the shop has found good."""
        result = self.shop.tell("result", id=asked["id"])
        assert result["state"] == "answered", result
        return result["shown"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("ours")
    shop, school = stranger("Winkel BV", organization_id=WINKEL), stranger("Hogeschool", free_port())
    register = stranger("register")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with (
            founded(folder) as place,
            node.running("issuer", folder) as issuing,
            node.running("verifier", folder) as asking,
        ):
            issuing.tell("start", **school.identity)
            asking.tell("start", **shop.identity, issuers=[*place.entry("issuer")["roots"], *school.roots])
            anchors = {
                "issuers": [{"name": "Hogeschool", "roots": school.roots, "vcts": ["*"]}],
                "verifiers": [{"name": "Winkel BV", "roots": shop.roots}],
                "registration_roots": register.roots,
            }
            place.new_wallet("noor", anchors)
            place.receive("noor", "persoon", "adres")
            for name, awarded in (("bare", "2020-07-01"), ("diploma", "2024-07-01")):
                issuing.tell("spoil", awarded=awarded)
                offer = issuing.tell("offer", grant="pre-authorized", ids=[name])
                place.wallet("noor", "receive", offer["link"])
            yield Scene(place, asking, issuing, register, anchors)


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
@pytest.mark.parametrize("mode", ["direct_post.jwt", "direct_post"])
def test_our_wallet_shows_a_strangers_card_to_a_stranger(scene: Scene, prefix: str, mode: str) -> None:
    asked = scene.ask(SCHOOL, prefix=prefix, mode=mode)
    scene.present(asked)
    (shown,) = scene.shown(asked)["diploma"]
    assert shown["name"] == {"family": "Verhulst"}
    assert shown["languages"] == ["nl", "fy"]
    assert [course.get("mark") for course in shown["courses"]] == [None, 7]
    assert "awarded" not in shown


def test_our_wallet_shows_cards_of_two_issuers_together(scene: Scene) -> None:
    asked = scene.ask(BOTH)
    scene.present(asked)
    shown = scene.shown(asked)
    assert (shown["adres"][0]["postcode"], shown["diploma"][0]["name"]) == ("9901SA", {"family": "Verhulst"})


def test_our_wallet_takes_the_claim_set_that_it_can(scene: Scene) -> None:
    asked = scene.ask(AGES)
    scene.present(asked)
    (shown,) = scene.shown(asked)["leeftijd"]
    assert (shown["leeftijdBoven18"], "leeftijdBoven65" in shown) == ("ja", False)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--card", "adres=adres"), {"adres"}),
        (("--card", "diploma=diploma"), {"diploma"}),
        (("--card", "diploma=diploma", "--optional"), {"diploma", "persoon"}),
    ],
)
def test_our_resident_chooses_among_credential_sets(
    scene: Scene, options: tuple[str, ...], expected: set[str]
) -> None:
    asked = scene.ask(EITHER)
    scene.present(asked, *options)
    assert set(scene.shown(asked)) == expected


def test_our_resident_shows_several_cards_where_they_are_asked(scene: Scene) -> None:
    asked = scene.ask({"credentials": [credential("diploma", DIPLOMA, ["awarded"], multiple=True)]})
    scene.present(asked, "--card", "diploma", "--card", "bare")
    assert {card["awarded"] for card in scene.shown(asked)["diploma"]} == {"2020-07-01", "2024-07-01"}


def test_our_wallet_refuses_what_the_registration_does_not_hold(scene: Scene) -> None:
    asked = scene.ask(BOTH, (ADRES, ["postcode"]), (DIPLOMA, ["name"]))
    with pytest.raises(Refused, match="over_asking"):
        scene.present(asked)
    assert scene.shop.tell("result", id=asked["id"]) == {"state": "open"}


def test_our_wallet_refuses_a_registration_of_another(scene: Scene) -> None:
    info = [registration(scene.register, "NTRNL-87654321", *REGISTERED)]
    asked = scene.shop.tell("ask", dcql=SCHOOL, info=info)
    with pytest.raises(Refused, match="registration_of_another"):
        scene.present(asked)


def test_our_wallet_refuses_a_stranger_without_registration_unless_told(scene: Scene) -> None:
    asked = scene.shop.tell("ask", dcql=SCHOOL)
    with pytest.raises(Refused, match="over_asking"):
        scene.present(asked)
    scene.present(asked, "--unregistered")
    assert set(scene.shown(asked)) == {"diploma"}


def test_our_wallet_refuses_a_stranger_whom_nothing_anchors(scene: Scene) -> None:
    scene.place.new_wallet("wary")
    asked = scene.ask(SCHOOL)
    with pytest.raises(Refused):
        scene.place.wallet("wary", "present", asked["link"], "--unregistered")
    assert scene.shop.tell("result", id=asked["id"]) == {"state": "open"}


def test_their_shop_sees_that_their_school_revoked_the_card_of_our_wallet(scene: Scene) -> None:
    scene.place.new_wallet("klaas", scene.anchors)
    offer = scene.school.tell("offer", grant="pre-authorized", ids=["bare"])
    scene.place.wallet("klaas", "receive", offer["link"])
    scene.school.tell("revoke", id=offer["id"])
    asked = scene.ask(SCHOOL)
    with pytest.raises(Refused):
        scene.place.wallet("klaas", "present", asked["link"])
    assert scene.shop.tell("result", id=asked["id"]) == {"state": "refused", "error": "Status is not valid"}
