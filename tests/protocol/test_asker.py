"""Who asks: listed agencies and strangers, what each may ask, and certificates that say so."""

from typing import Any

import pytest

from protocol import x509
from protocol.asker import Asker, Wanted, check_client_id, may_ask, registers, verify_asker, verify_registrations
from protocol.errors import Rejected
from protocol.trust_list import ServiceClaim
from tests.protocol import builders as b
from tests.protocol import strangers as s
from tests.protocol.builders import ADRES, AGENCY, AGENCY_ID, DAY, NOW, Party

DNS_ID = f"x509_san_dns:{s.SHOP_HOST}"


def ask(party: Party = s.SHOP, client_id: str | None = None, **anchors: Any) -> Asker:
    return verify_asker([party.leaf], client_id or party.client_id, s.trust(**anchors), NOW)[0]


def refused(code: str, party: Party = s.SHOP, client_id: str | None = None, **anchors: Any) -> None:
    with pytest.raises(Rejected) as refusal:
        ask(party, client_id, **anchors)
    assert refusal.value.code == code


def test_listed_agency_is_listed_by_either_prefix() -> None:
    for client_id in (AGENCY.client_id, f"x509_san_dns:{b.AGENCY_HOST}"):
        asker, agency, leaf = verify_asker([AGENCY.leaf], client_id, b.TRUST, NOW)
        assert (asker.id, asker.name, asker.is_listed, asker.bsn_allowed) == (
            AGENCY_ID,
            "Gemeente Voorbeeld",
            True,
            True,
        )
        assert agency == b.agency()
        assert leaf.der == AGENCY.leaf


def test_stranger_is_one_asker_by_either_prefix() -> None:
    for client_id in (None, DNS_ID):
        asker = ask(client_id=client_id)
        assert (asker.id, asker.name, asker.host) == (DNS_ID, s.SHOP_NAME, s.SHOP_HOST)
        assert (asker.is_listed, asker.bsn_allowed, asker.services, asker.registration) == (False, False, (), None)


def test_stranger_without_a_host_name_goes_by_its_client_id() -> None:
    party = s.party("Zonder Naam", san_uri="https://zonder.example")
    asker = ask(party, verifiers=anchored(party))
    assert (asker.id, asker.host) == (party.client_id, None)


def anchored(*parties: Party) -> list[Any]:
    return [s.StrangerVerifier(name="x", roots=party.roots) for party in parties]


def test_stranger_without_anchor_is_not_listed() -> None:
    refused("not_listed", verifiers=[])
    refused("not_listed", s.UNIVERSITY)
    with pytest.raises(Rejected, match="not_listed"):
        verify_asker([s.SHOP.leaf], s.SHOP.client_id, b.TRUST, NOW)


def test_anchor_for_an_issuer_is_none_for_a_verifier() -> None:
    refused("not_listed", s.UNIVERSITY, verifiers=anchored(s.SHOP))


def test_listed_agency_stays_listed_under_an_anchor_of_its_own_root() -> None:
    asker = ask(AGENCY, verifiers=anchored(AGENCY))
    assert (asker.id, asker.is_listed) == (AGENCY_ID, True)


def test_expired_certificate_of_an_agency_is_no_stranger() -> None:
    party = b.party("agency", san_dns=b.AGENCY_HOST, not_after=NOW - 1)
    trust = s.with_anchors(
        b.trust_list(agencies=[b.agency(roots=party.roots)]), s.anchors(verifiers=anchored(party))
    )
    with pytest.raises(Rejected, match="certificate_expired"):
        verify_asker([party.leaf], party.client_id, trust, NOW)


def test_name_in_a_certificate_that_is_no_host_name_is_not_shown() -> None:
    party = s.party("Vreemd", san_dns="shop\x1b[2J.example")
    asker = ask(party, verifiers=anchored(party))
    assert (asker.id, asker.host) == (party.client_id, None)


def test_self_signed_leaf_and_sent_anchor_are_refused() -> None:
    own = x509.make_root(s.SHOP.key, "Own root", serial=9, not_before=NOW - DAY, not_after=NOW + DAY)
    party = Party(s.SHOP.key, s.SHOP.key, own, own)
    refused("bad_chain", party, verifiers=anchored(party))
    with pytest.raises(Rejected, match="bad_chain"):
        verify_asker([s.SHOP.leaf, s.SHOP.root], s.SHOP.client_id, s.trust(), NOW)


def test_client_id_of_another_certificate_is_refused() -> None:
    refused("invalid_client", client_id=AGENCY.client_id)
    refused("invalid_client", client_id=f"x509_san_dns:{b.AGENCY_HOST}")
    refused("invalid_client", client_id=f"x509_san_dns:evil.{s.SHOP_HOST}")
    refused("invalid_client", client_id="x509_san_dns:vreemd.example")


def test_wildcard_name_matches_no_host() -> None:
    party = s.party("Sterretje", san_dns="*.vreemd.example")
    refused("invalid_client", party, "x509_san_dns:shop.vreemd.example", verifiers=anchored(party))
    with pytest.raises(Rejected):
        check_client_id("x509_san_dns:*.vreemd.example")


@pytest.mark.parametrize(
    "name",
    ["Gemeente Voorbeeld", "Gemeente V00rbeeld", "G\u0435meente Voorbeeld", "Gemeente\u200b X", "\u202eleoobroov",
     "Basisregistratie Voorbee1d"],
)  # fmt: skip
def test_homoglyph_names_are_refused(name: str) -> None:
    party = s.party(name, san_dns=s.SHOP_HOST)
    refused("misleading_name", party, verifiers=anchored(party))


def test_stranger_with_the_oin_of_a_listed_agency_borrows_no_registration_of_it() -> None:
    party = s.party("Webwinkel", san_dns=s.SHOP_HOST, organization_id=AGENCY_ID)
    refused("misleading_name", party, verifiers=anchored(party))


def test_listed_agency_may_be_called_what_the_list_calls_it() -> None:
    assert verify_asker([AGENCY.leaf], AGENCY.client_id, s.trust(), NOW)[0].name == "Gemeente Voorbeeld"


# --- registration certificates ---------------------------------------------------------------------------------


def registrations(*tokens: str, party: Party = s.SHOP, trust: Any = None) -> Any:
    trust = trust or s.trust()
    asker, _, leaf = verify_asker([party.leaf], party.client_id, trust, NOW)
    return verify_registrations(tokens, asker, leaf, trust, NOW)


def test_registration_certificate_of_the_asker_counts() -> None:
    (found,) = registrations(s.registration())
    assert (found.sub, found.purpose["en"]) == (s.SHOP_ORGANIZATION, "A student's discount")


def test_registration_certificate_of_a_registrar_that_nobody_trusts_counts_for_none() -> None:
    assert registrations(s.registration(s.SHOP)) == ()
    assert registrations(s.registration(), trust=s.trust(registration_roots=[])) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "NTRNL-99999999"}, "registration_of_another"),
        ({"sub": ""}, "bad_form"),
        ({"exp": NOW}, "expired_registration"),
        ({"iat": NOW + 61, "exp": NOW + DAY}, "expired_registration"),
        ({"exp": None, "iat": NOW - 367 * DAY}, "expired_registration"),
        ({"purpose": [{"lang": "en", "value": "to \u202eetaroproc"}]}, "bad_registration"),
        ({"purpose": []}, "bad_form"),
        ({"credentials": "all"}, "bad_form"),
    ],
)
def test_false_registration_certificate_refuses_the_request(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        registrations(s.registration(**changes))
    assert refusal.value.code == code


@pytest.mark.parametrize("name", ["Gemeente Voorbeeld", "Gemeente V00rbeeld", "Gemeente\u3164 Voorbeeld"])
def test_homoglyph_name_in_a_registration_certificate_is_refused(name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        registrations(s.registration(name=name))
    assert refusal.value.code == "misleading_name"


def test_copied_registration_certificate_is_refused() -> None:
    other = s.party("Andere Winkel", san_dns="andere.example", organization_id="NTRNL-90000002")
    trust = s.trust(verifiers=anchored(other))
    with pytest.raises(Rejected, match="registration_of_another"):
        registrations(s.registration(), party=other, trust=trust)
    bare = s.party("Kale Winkel", san_dns="kaal.example")
    with pytest.raises(Rejected, match="registration_of_another"):
        registrations(s.registration(), party=bare, trust=s.trust(verifiers=anchored(bare)))


def test_registration_certificate_with_a_spoiled_signature_is_refused() -> None:
    token = s.registration()
    head, _, tail = token.rpartition(".")
    with pytest.raises(Rejected, match="bad_signature"):
        registrations(f"{head}.{'A' if tail[0] != 'A' else 'B'}{tail[1:]}")


def test_listed_agency_is_named_by_its_oin() -> None:
    trust = s.with_anchors(b.TRUST, s.anchors())
    assert len(registrations(s.registration(sub=AGENCY_ID), party=AGENCY, trust=trust)) == 1
    with pytest.raises(Rejected, match="registration_of_another"):
        registrations(s.registration(), party=AGENCY, trust=trust)


# --- what may be asked ------------------------------------------------------------------------------------------


def stranger(registration: str | None = None) -> Asker:
    asker = ask()
    found = registrations(registration) if registration else ()
    return Asker(asker.id, asker.name, asker.host, False, False, (), found[0] if found else None)


@pytest.mark.parametrize(
    ("vct", "path", "allowed"),
    [
        (s.DIPLOMA, ("degree",), True),
        (s.DIPLOMA, (), True),
        (s.DIPLOMA, ("person", "family_name"), True),
        (s.DIPLOMA, ("person",), False),
        (s.DIPLOMA, ("person", "given_name"), False),
        (s.DIPLOMA, ("courses",), False),
        (s.DIPLOMA, ("degree", "level"), True),
        (s.BADGE, ("anything", None), True),
        ("urn:vreemd:other:1", ("degree",), False),
        ("urn:vreemd:other:1", (), False),
        (ADRES, ("postcode",), False),
        (s.BADGE, ("burgerservicenummer",), False),
    ],
)
def test_stranger_may_ask_what_is_registered_and_parts_of_it(vct: str, path: Any, allowed: bool) -> None:
    assert may_ask(stranger(s.registration()), (), Wanted(vct, path)) is allowed
    assert may_ask(stranger(), (), Wanted(vct, path)) is False


def test_register_flags_are_covered_for_listed_askers_only() -> None:
    token = [{"format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}, "claim": [{"path": ["postcode"]}]}]
    flag = Wanted(ADRES, (b.flags(ADRES)[0],))
    assert not may_ask(stranger(s.registration(credentials=token)), (), flag)
    (narrow,) = registrations(s.registration(sub=AGENCY_ID, credentials=token), party=AGENCY)
    listed = b.agency()
    asker = Asker(listed.id, listed.name, None, True, True, tuple(listed.services), narrow)
    assert may_ask(asker, listed.services, flag)


def test_values_that_are_registered_may_be_compared_and_no_others() -> None:
    claim = {"path": ["degree"], "values": ["MSc", "BSc"]}
    token = s.registration(
        credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": [s.DIPLOMA]}, "claim": [claim]}]
    )
    for values, allowed in ((("MSc",), True), (("MSc", "BSc"), True), (("PhD",), False), ((), False)):
        assert may_ask(stranger(token), (), Wanted(s.DIPLOMA, ("degree",), values)) is allowed


def test_service_registers_parts_of_a_foreign_type_and_wholes_of_our_own() -> None:
    service = b.service(
        claims=[
            ServiceClaim(vct=s.DIPLOMA, path=["person"], needed=True),
            ServiceClaim(vct=ADRES, path=["postcode"], needed=True),
            ServiceClaim(vct=b.PERSOON, path=["geboortedatum", "langFormaat"], needed=True),
        ]
    )
    assert registers(service, s.DIPLOMA, ("person", "family_name"))
    assert not registers(service, s.DIPLOMA, ("degree",))
    assert registers(service, ADRES, ("postcode",))
    assert registers(service, ADRES, ())
    assert not registers(service, b.GEZIN, ())
    assert registers(service, ADRES, ("geheimhouding",))
    assert not registers(service, b.GEZIN, ("geheimhouding",)), "over-asking by the flags of a type"
    assert not registers(service, b.PERSOON, ("geboortedatum", "langFormaat"))


def test_listed_agency_needs_list_and_certificate_when_it_shows_one() -> None:
    asker, agency, _ = verify_asker([AGENCY.leaf], AGENCY.client_id, s.with_anchors(b.TRUST, s.anchors()), NOW)
    wanted = Wanted(ADRES, ("postcode",))
    assert agency is not None
    assert may_ask(asker, agency.services, wanted)
    (narrow,) = registrations(s.registration(sub=AGENCY_ID), party=AGENCY)
    assert not may_ask(
        Asker(asker.id, asker.name, None, True, True, asker.services, narrow), agency.services, wanted
    )
    (fitting,) = registrations(
        s.registration(
            sub=AGENCY_ID,
            credentials=[
                {"format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}, "claim": [{"path": ["postcode"]}]}
            ],
        ),
        party=AGENCY,
    )
    assert may_ask(Asker(asker.id, asker.name, None, True, True, asker.services, fitting), agency.services, wanted)
