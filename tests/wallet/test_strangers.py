"""Strangers who ask for a copy: over-asking, registration, homoglyphs, copies, addresses; over real HTTP."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_encode, canonical_bytes, to_builtins
from protocol.errors import Rejected, Unavailable
from protocol.status_list import INVALID, SUSPENDED, VALID, encode_list, sign_status_token
from service.fetch import Answer, Fetcher
from tests.conformance.foreign_verifier import VERIFIER, ForeignVerifier
from tests.conformance.held_cards import Holder, fill
from tests.protocol import builders as b
from tests.protocol import granting, strangers
from tests.protocol.builders import ADRES, AGENCY, NOW, PERSOON
from tests.protocol.strangers import DIPLOMA
from wallet.errand_request import decline, is_known, read_request, share_once
from wallet.opened import OpenWallet
from wallet.records import Activity, ShareChoice
from wallet.secrecy import needs_second_yes

ASKER = "x509_san_dns:localhost"
OTHER = strangers.party("Andere Winkel", san_dns="localhost.example")
SECOND = strangers.party("Tweede Winkel", san_uri="https://tweede.example")
"""Without a host name: it goes by its client identifier."""
DEGREE: dict[str, Any] = {
    "credentials": [
        {
            "id": "diploma",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [DIPLOMA]},
            "claims": [{"path": ["degree"]}],
        }
    ]
}
REGISTERED = strangers.registration()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wallet that holds cards."""
    folder = tmp_path_factory.mktemp("filled")
    made = Holder(folder)
    made.create()
    fill(made)
    return folder


@pytest.fixture
def resident(tmp_path: Path, filled: Path) -> Holder:
    made = Holder(tmp_path).copy_of(filled)
    made.trust_strangers(VERIFIER, OTHER)
    return made


@pytest.fixture
def opened(resident: Holder) -> Iterator[OpenWallet]:
    with resident.open() as wallet:
        yield wallet


@pytest.fixture
def shop() -> Iterator[ForeignVerifier]:
    with ForeignVerifier() as running:
        yield running


def ask_for(vct: str, *paths: list[Any]) -> dict[str, Any]:
    claims = [{"path": path} for path in paths]
    return {"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims}]}


def refused(wallet: OpenWallet, shop: ForeignVerifier, link: str, code: str, **choice: Any) -> str:
    """Nothing in the vault changed and nothing was posted. The detail."""
    before = wallet.vault.export(), wallet.vault.counter
    with pytest.raises(Rejected) as refusal:
        share_once(wallet, link, choice=ShareChoice(**choice))
    assert refusal.value.code == code
    assert (wallet.vault.export(), wallet.vault.counter) == before
    assert shop.received == []
    return refusal.value.detail


# --- who may ask, and what ---------------------------------------------------------------------------------------


def test_stranger_without_a_registration_gets_nothing_and_the_resident_sees_what_it_asks(
    opened: OpenWallet, shop: ForeignVerifier
) -> None:
    detail = refused(opened, shop, shop.ask(DEGREE), "over_asking")
    assert strangers.SHOP_NAME in detail
    assert "diploma.degree" in detail
    assert "--unregistered" in detail


def test_resident_may_answer_a_stranger_without_a_registration(opened: OpenWallet, shop: ForeignVerifier) -> None:
    share_once(opened, shop.ask(DEGREE), choice=ShareChoice(unregistered=True))
    assert shop.shown("diploma") == ["degree"]


def test_resident_with_secret_data_says_yes_twice_to_who_is_no_government(
    opened: OpenWallet, shop: ForeignVerifier
) -> None:
    link = shop.ask(DEGREE, registration=REGISTERED)
    name, copy = next((name, copy) for name, copy in opened.copies().items() if copy.vct == PERSOON)
    for value in (False, True):
        secret = b.credential(PERSOON, attributes=b.attributes_of(PERSOON, geheimhouding=value))
        with opened.vault.transaction():
            opened.vault.put("copies", name, replace(copy, credential=secret, iat=NOW))
        assert needs_second_yes(read_request(opened, link), opened.copies().values()) == value
    refused(opened, shop, link, "secrecy")
    refused(opened, shop, link, "secrecy", unregistered=True)
    share_once(opened, link, choice=ShareChoice(secret=True))
    assert shop.shown("diploma") == ["degree"]


def test_stranger_that_asks_more_than_its_certificate_allows_gets_nothing_whatever_the_resident_says(
    opened: OpenWallet, shop: ForeignVerifier
) -> None:
    for paths in ([["degree"], ["courses"]], [["person"]], [["person", "given_name"]]):
        link = shop.ask(ask_for(DIPLOMA, *paths), registration=REGISTERED)
        refused(opened, shop, link, "over_asking")
        refused(opened, shop, link, "over_asking", unregistered=True)


def test_two_registered_uses_are_not_added_up(opened: OpenWallet, shop: ForeignVerifier) -> None:
    meta = {"format": "dc+sd-jwt", "meta": {"vct_values": [DIPLOMA]}}
    one, two = (
        strangers.registration(credentials=[{**meta, "claim": [{"path": path}]}])
        for path in (["degree"], ["courses"])
    )
    info = [{"format": "registration_cert", "data": token} for token in (one, two)]
    both = ask_for(DIPLOMA, ["degree"], ["courses"])
    refused(opened, shop, shop.ask(both, verifier_info=info), "over_asking")
    share_once(opened, shop.ask(ask_for(DIPLOMA, ["courses"]), verifier_info=info))
    assert shop.shown("q") == ["Logica", "Statistiek", "courses"]


def test_what_others_attest_of_the_verifier_is_ignored(opened: OpenWallet, shop: ForeignVerifier) -> None:
    info = [
        {"format": "jwt", "data": "a.b.c"},
        {"format": "registration_cert", "data": REGISTERED, "credential_ids": ["diploma"]},
        {"format": "trust_mark", "data": {"any": ["thing"]}},
    ]
    share_once(opened, shop.ask(DEGREE, verifier_info=info))
    assert shop.shown("diploma") == ["degree"]


def test_registration_certificate_of_another_is_refused(opened: OpenWallet, shop: ForeignVerifier) -> None:
    token = strangers.registration(sub="NTRNL-12345678")
    refused(opened, shop, shop.ask(DEGREE, registration=token), "registration_of_another", unregistered=True)


def test_registration_certificate_that_expired_is_refused(opened: OpenWallet, shop: ForeignVerifier) -> None:
    token = strangers.registration(exp=NOW)
    refused(opened, shop, shop.ask(DEGREE, registration=token), "expired_registration", unregistered=True)


def test_registration_certificate_signed_by_the_asker_itself_counts_for_none(
    opened: OpenWallet, shop: ForeignVerifier
) -> None:
    refused(opened, shop, shop.ask(DEGREE, registration=strangers.registration(VERIFIER)), "over_asking")


def with_status(shop: ForeignVerifier, value: int, signer: b.Party, idx: int = 3) -> str:
    """A certificate whose status stands at the shop's host, as a registrar's would at its own."""
    uri = f"{shop.url}/status"
    token = sign_status_token(uri=uri, bits=2, lst=encode_list(2, [0, 0, 0, value, 0]), iat=NOW, exp=NOW + 600,
                              ttl=300, signer=signer.key, x5c=signer.x5c)  # fmt: skip
    shop.files["/status"] = ("application/statuslist+jwt", token.encode())
    return strangers.registration(status={"status_list": {"idx": idx, "uri": uri}})


def test_registration_certificate_in_force_is_looked_up(opened: OpenWallet, shop: ForeignVerifier) -> None:
    token = with_status(shop, VALID, strangers.SECTOR_REGISTRAR)
    share_once(opened, shop.ask(DEGREE, registration=token))
    assert shop.shown("diploma") == ["degree"]


@pytest.mark.parametrize("value", [INVALID, SUSPENDED, 3])
def test_revoked_registration_certificate_is_refused(
    opened: OpenWallet, shop: ForeignVerifier, value: int
) -> None:
    token = with_status(shop, value, strangers.SECTOR_REGISTRAR)
    refused(opened, shop, shop.ask(DEGREE, registration=token), "registration_revoked", unregistered=True)


def test_registration_certificate_whose_status_nobody_knows_counts_for_none(
    opened: OpenWallet, shop: ForeignVerifier
) -> None:
    """The list is away, forged by the asker, of another address, expired, or has no such place."""
    away = strangers.registration(status={"status_list": {"idx": 3, "uri": "http://localhost:1/status"}})
    refused(opened, shop, shop.ask(DEGREE, registration=away), "over_asking")
    for signer, idx in ((VERIFIER, 3), (strangers.SECTOR_REGISTRAR, 4000)):
        token = with_status(shop, VALID, signer, idx)
        refused(opened, shop, shop.ask(DEGREE, registration=token), "over_asking")
    token = with_status(shop, VALID, strangers.SECTOR_REGISTRAR)
    shop.files["/status"] = ("text/html", b"<html>")
    refused(opened, shop, shop.ask(DEGREE, registration=token), "over_asking")


@pytest.mark.parametrize("uri", ["https://169.254.169.254/status", "http://10.0.0.8/status", "file:///etc/passwd"])
def test_ssrf_by_uri_of_the_status_list(
    opened: OpenWallet, shop: ForeignVerifier, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registrar gone bad names an address of the inside: nothing is connected to but the shop."""
    connected: list[Any] = []
    original = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        connected.append(address[0])
        original(self, address)

    token = strangers.registration(status={"status_list": {"idx": 3, "uri": uri}})
    monkeypatch.setattr("socket.socket.connect", connect)
    refused(opened, shop, shop.ask(DEGREE, registration=token), "over_asking")
    assert set(connected) == {"127.0.0.1"}


def test_stranger_never_gets_the_burgerservicenummer(opened: OpenWallet, shop: ForeignVerifier) -> None:
    query = ask_for(PERSOON, ["burgerservicenummer"])
    token = strangers.registration(
        credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": [PERSOON]}}],
    )
    refused(opened, shop, shop.ask(query, registration=token), "over_asking")
    refused(opened, shop, shop.ask(query), "over_asking", unregistered=True)


def test_stranger_cannot_ask_for_standing_access(opened: OpenWallet, shop: ForeignVerifier) -> None:
    """Not even with a consent that is in order, made by a listed agency: the recipient is the asker or nobody."""
    element = b64u_encode(canonical_bytes(to_builtins(granting.town().asked.element)))
    bare = {"id": "adres", "format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}}
    link = shop.ask({"credentials": [bare]}, transaction_data=[element])
    refused(opened, shop, link, "invalid_transaction_data", unregistered=True)


def test_stranger_is_nobody_in_a_home_without_its_anchor(
    resident: Holder, opened: OpenWallet, shop: ForeignVerifier
) -> None:
    resident.trust_strangers(OTHER)
    refused(opened, shop, shop.ask(DEGREE, registration=REGISTERED), "not_listed", unregistered=True)
    resident.home.file("anchors.json").unlink()
    refused(opened, shop, shop.ask(DEGREE, registration=REGISTERED), "not_listed", unregistered=True)


@pytest.mark.parametrize(
    "name",
    ["Gemeente Voorbeeld", "Gеmeente Voorbeeld", "Gemeente Voorbee1d", "Gemeente\u200bVoorbeeld", "\u202eemaN"],
)
def test_homoglyph_names(tmp_path: Path, filled: Path, name: str) -> None:
    party = strangers.party(name, san_dns="localhost", organization_id=strangers.SHOP_ORGANIZATION)
    resident = Holder(tmp_path).copy_of(filled)
    resident.trust_strangers(party)
    with resident.open() as wallet, ForeignVerifier(party) as shop:
        refused(wallet, shop, shop.ask(DEGREE, registration=REGISTERED), "misleading_name", unregistered=True)


def test_client_metadata_gives_no_name(opened: OpenWallet, shop: ForeignVerifier) -> None:
    metadata = {**shop.metadata(), "client_name": "Gemeente Voorbeeld", "logo_uri": "https://localhost/logo.png"}
    request = read_request(opened, shop.ask(DEGREE, client_metadata=metadata))
    assert request.asker.name == strangers.SHOP_NAME


# --- copies ------------------------------------------------------------------------------------------------------


def test_each_asker_gets_a_copy_of_its_own_and_keeps_it(
    resident: Holder, opened: OpenWallet, shop: ForeignVerifier
) -> None:
    """By either prefix it is one asker. When all copies are out it gets the one that it has."""
    seen = []
    for prefix in ("x509_hash", "x509_san_dns", "x509_hash", "x509_hash"):
        share_once(opened, shop.ask(DEGREE, prefix=prefix, registration=REGISTERED))
        (presentation,) = shop.open_answer()["diploma"]
        seen.append(presentation.split("~")[0])
        shop.received.clear()
    assert len(set(seen[:3])) == 3
    assert seen[3] in seen[:3]
    assert {c.agency for c in opened.copies().values() if c.vct == DIPLOMA} == {ASKER}
    resident.trust_strangers(SECOND)
    with ForeignVerifier(SECOND) as second:
        refused(opened, second, second.ask(DEGREE), "no_copies_left", unregistered=True)


def test_copy_that_was_sent_and_not_confirmed_counts_as_given(opened: OpenWallet, shop: ForeignVerifier) -> None:
    shop.status = 500
    with pytest.raises(Unavailable):
        share_once(opened, shop.ask(DEGREE, registration=REGISTERED))
    (activity,) = opened.vault.all("activities", Activity).values()
    assert (activity.kind, activity.agency) == ("maybe_shared", ASKER)
    assert [c.agency for c in opened.copies().values() if c.vct == DIPLOMA].count(ASKER) == 1


def test_first_contact_is_known_and_ends_with_the_first_copy(opened: OpenWallet, shop: ForeignVerifier) -> None:
    assert not is_known(opened, ASKER)
    decline(opened, shop.ask(DEGREE, registration=REGISTERED))
    assert not is_known(opened, ASKER)
    share_once(opened, shop.ask(DEGREE, registration=REGISTERED))
    assert is_known(opened, ASKER)


def test_no_and_no_match_are_one_answer(opened: OpenWallet, shop: ForeignVerifier) -> None:
    """Probing for values: whether the card fits, does not fit or is not here, a no looks the same (VP 15.3)."""
    for claim in ({"values": ["MSc"]}, {"values": ["PhD"]}, {}):
        query = ask_for(DIPLOMA if claim else "urn:vreemd:nowhere:1", ["degree"])
        query["credentials"][0]["claims"][0] |= claim
        decline(opened, shop.ask(query, registration=REGISTERED))
    assert shop.received == [{"error": "access_denied", "state": shop.payload["state"]}] * 3


def test_request_is_kept_with_its_signature(opened: OpenWallet, shop: ForeignVerifier) -> None:
    share_once(opened, shop.ask(DEGREE, registration=REGISTERED))
    (activity,) = opened.vault.all("activities", Activity).values()
    assert activity.request.count(".") == 2
    assert activity.asked == ["diploma.degree"]
    assert activity.given == ["diploma.degree", "diploma.faculty"]  # its issuer hides the faculty from nobody
    assert "MSc" not in repr(activity)


# --- addresses ---------------------------------------------------------------------------------------------------


def test_redirect_from_request_uri_is_not_followed(opened: OpenWallet, shop: ForeignVerifier) -> None:
    link = shop.ask(DEGREE, registration=REGISTERED)
    shop.redirect_to = f"{shop.url}/request"
    refused(opened, shop, link, "redirect")
    assert len(shop.fetched) == 1


def test_redirect_from_response_uri_is_not_followed(opened: OpenWallet, shop: ForeignVerifier) -> None:
    """The copy left once, for where the signed request said; whoever is named by the redirect gets nothing."""
    link = shop.ask(DEGREE, registration=REGISTERED)
    with ForeignVerifier() as thief:
        shop.status, fetched = 307, thief.received
        original = shop.handle

        def handle(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
            answer = original(method, path, headers, body)
            shop.redirect_to = f"{thief.url}/responseuri"
            return answer

        shop.handle = handle  # type: ignore[method-assign]
        with pytest.raises(Rejected, match="redirect"):
            share_once(opened, link)
        assert fetched == []
    assert len(shop.received) == 1


PRIVATE = (
    "https://127.0.0.1/request", "https://localhost/request", "https://[::1]/request", "https://10.0.0.8/request",
    "https://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://0x7f.1/", "https://2130706433/",
    "http://shop.example/request", "https://shop.example:22/request", "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/", "https://192.168.1.1/", "https://100.64.0.1/",
)  # fmt: skip


def no_connection(host: str, port: int) -> list[str]:
    """Names stand for addresses of the inside."""
    return {"inside.example": ["10.1.2.3"], "both.example": ["93.184.216.34", "127.0.0.1"]}.get(host, [host])


@pytest.mark.parametrize("uri", [*PRIVATE, "https://inside.example/request", "https://both.example/request"])
def test_ssrf_by_request_uri(
    resident: Holder, shop: ForeignVerifier, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a wallet as residents run it (no loopback) nothing of the inside is ever connected to."""
    connected: list[Any] = []
    monkeypatch.setattr("socket.socket.connect", lambda *args: connected.append(args))
    resident.fetcher = Fetcher(loopback=False, resolver=no_connection)
    with resident.open() as wallet:
        link = shop.ask(DEGREE, link={"request_uri": uri})
        with pytest.raises(Rejected) as refusal:
            share_once(wallet, link)
    assert refusal.value.code in ("bad_url", "refused_address", "invalid_request")
    assert connected == []


@pytest.mark.parametrize("uri", [*PRIVATE, "https://inside.example/answers", "https://both.example/answers"])
def test_ssrf_by_response_uri(resident: Holder, shop: ForeignVerifier, uri: str) -> None:
    """The request comes from a good address and names one of the inside: refused before a copy is spent."""
    link = shop.ask(
        DEGREE, registration=REGISTERED, link={"request_uri": "https://shop.example/request"}, response_uri=uri
    )
    resident.fetcher = OneAnswer(shop.handle("GET", "/request", {}, b"")[2])
    with resident.open() as wallet:
        before = wallet.vault.export()
        with pytest.raises(Rejected) as refusal:
            share_once(wallet, link)
        assert refusal.value.code in ("bad_url", "refused_address", "invalid_request")
        assert wallet.vault.export() == before


class OneAnswer(Fetcher):
    """As residents run it, but for what lies at shop.example."""

    def __init__(self, token: bytes) -> None:
        super().__init__(loopback=False, resolver=no_connection)
        self.token = token

    def request(self, method: str, url: str, **options: Any) -> Answer:  # type: ignore[override]
        """Only the request object is ever asked for."""
        assert url == "https://shop.example/request"
        return Answer(200, {"content-type": "application/oauth-authz-req+jwt"}, self.token)


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"surprise": "x" * 60_000}, "too_large"),
        ({"surprise": deep(40)}, "too_deep"),
        ({"surprise": ["x"] * 300_000}, "too_large"),
        (
            {"dcql_query": {"credentials": [DEGREE["credentials"][0] | {"id": f"d{n}"} for n in range(17)]}},
            "bad_form",
        ),
        ({"verifier_info": [{"format": "registration_cert", "data": REGISTERED}] * 5}, "invalid_request"),
    ],
)
def test_oversized_and_deep_requests(
    opened: OpenWallet, shop: ForeignVerifier, changes: dict[str, Any], code: str
) -> None:
    """All of them well signed."""
    before = opened.vault.export()
    with pytest.raises(Rejected) as refusal:
        share_once(opened, shop.ask(DEGREE, **changes))
    assert refusal.value.code in (code, "bad_json")
    assert opened.vault.export() == before
    assert shop.received == []


# --- listed agencies ---------------------------------------------------------------------------------------------


def listed(claims: list[dict[str, Any]], sub: str = b.AGENCY_ID) -> str:
    return strangers.registration(
        sub=sub, credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}, "claim": claims}]
    )


@pytest.fixture
def agency() -> Iterator[ForeignVerifier]:
    """A listed agency with software that nobody here wrote."""
    with ForeignVerifier(AGENCY) as running:
        yield running


def test_listed_agency_is_answered_by_the_trust_list_alone(opened: OpenWallet, agency: ForeignVerifier) -> None:
    share_once(opened, agency.ask(ask_for(ADRES, ["postcode"])))
    assert agency.shown("q") == ["postcode"]
    assert {c.agency for c in opened.copies().values() if c.agency} == {b.AGENCY_ID}


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (listed([{"path": ["huisnummer"]}]), "over_asking"),
        (listed([{"path": ["postcode"]}], sub="00000099000000009999"), "registration_of_another"),
        (listed([{"path": ["postcode"]}]), None),
    ],
)
def test_registration_certificate_of_a_listed_agency_narrows_what_it_may_ask(
    opened: OpenWallet, agency: ForeignVerifier, token: str, code: str | None
) -> None:
    link = agency.ask(ask_for(ADRES, ["postcode"]), registration=token)
    if code is None:
        share_once(opened, link)
        assert agency.shown("q") == ["postcode"]
    else:
        refused(opened, agency, link, code)


def test_certificate_of_a_registrar_widens_nothing_for_a_listed_agency(
    opened: OpenWallet, agency: ForeignVerifier
) -> None:
    token = listed([{"path": ["straat"]}])
    refused(opened, agency, agency.ask(ask_for(ADRES, ["straat"]), registration=token), "over_asking")
    refused(opened, agency, agency.ask(ask_for(ADRES, ["straat"])), "over_asking", unregistered=True)


def test_approval_sees_the_cards_and_its_no_changes_nothing(opened: OpenWallet, shop: ForeignVerifier) -> None:
    seen: list[Any] = []

    class Declined(Exception):
        pass

    def say_no(request: Any, picked: Any) -> None:
        seen.append(picked.given["diploma"][0].paths)
        raise Declined

    before = opened.vault.export()
    with pytest.raises(Declined):
        share_once(opened, shop.ask(DEGREE, registration=REGISTERED), say_no)
    assert seen == [(("degree",),)]
    assert opened.vault.export() == before
    assert shop.received == []
