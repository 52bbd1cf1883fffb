"""Registration certificates: who is believed, for whom they count, and what they let ask."""

from typing import Any

import pytest

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.registration_certificate import (
    MAX_REGISTRATION_DAYS,
    REGISTRATION_TYP,
    Registrar,
    VerifiedRegistration,
    is_registered,
    registered_credentials,
    sign_registration_certificate,
    verify_registration_certificate,
)
from protocol.status_list import StatusReference
from protocol.trust_list import MAX_CLOCK_SKEW, ServiceClaim
from tests.protocol import builders as b
from tests.protocol.builders import DAY, NOW
from tests.protocol.peer_input import payload_of

REGISTRAR = b.party("registrar of registrations", san_dns="registrar.example")
OTHER = b.party("another registrar", san_dns="other.example")
STATUS = StatusReference(idx=7, uri="https://registrar.example/v1/status-lists/1")
SAYS = Registrar(
    registry_uri="https://registrar.example/v1",
    certificate_policy="https://registrar.example/v1/certificate-policies/1",
    country="NL",
    authority={"email": "dpa@example.nl", "phone": "1", "uri": "https://dpa.example.nl"},
)
TOKEN = sign_registration_certificate(
    b.agency(),
    b.service(),
    SAYS,
    iat=NOW,
    exp=NOW + 180 * DAY,
    status=STATUS,
    signer=REGISTRAR.key,
    x5c=REGISTRAR.x5c,
)
PAYLOAD = payload_of(TOKEN)
GERMAN = {
    "name": "sprind",
    "sub_ln": "sprind",
    "sub": "NTRDE-1BF324C6727B4AAA",
    "country": "DE",
    "registry_uri": "https://catalogue.example/api",
    "srv_description": [[{"lang": "en", "value": "Club"}]],
    "entitlements": ["https://uri.etsi.org/19475/Entitlement/Service_Provider"],
    "privacy_policy": "https://example.com/privacy",
    "info_uri": "https://catalogue.example/api",
    "support_uri": "https://example.com/support",
    "supervisory_authority": {"email": "dpa@example.de", "phone": "+49", "uri": "https://dpa.example.de"},
    "iat": NOW,
    "status": {"status_list": {"idx": 9974, "uri": "https://catalogue.example/api/status-list"}},
    "purpose": [{"lang": "en", "value": "Your age."}, {"lang": "de", "value": "Ihr Alter."}],
    "credentials": [
        {
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:eudi:pid:de:1"]},
            "claim": [{"path": ["age_equal_or_over", "16"]}],
        }
    ],
    "jti": "fc06d23b-56a8-4c29-ad75-fc2632c001b7",
}
"""The members of another country's registrar, which writes no `exp`, no policy and no version of ours."""


def forged(header: dict[str, Any] | None = None, key: Any = REGISTRAR.key, **changes: Any) -> str:
    payload = {name: value for name, value in {**PAYLOAD, **changes}.items() if value is not None}
    return sign_jws(payload, key, typ=REGISTRATION_TYP, header=header or {"x5c": REGISTRAR.x5c})


def read(token: str, asker: tuple[str, ...] = (b.AGENCY_ID,), now: int = NOW) -> VerifiedRegistration:
    return verify_registration_certificate(token, roots=[REGISTRAR.root], asker=asker, now=now)


def refusal(token: str, asker: tuple[str, ...] = (b.AGENCY_ID,), now: int = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        read(token, asker, now)
    return caught.value.code


def test_certificate_has_the_members_that_etsi_wants() -> None:
    """ETSI TS 119 475 tables 7, 9 and 10."""
    wanted = {
        "name", "sub", "sub_ln", "country", "registry_uri", "srv_description", "entitlements", "privacy_policy",
        "info_uri", "support_uri", "supervisory_authority", "policy_id", "certificate_policy", "iat", "exp",
        "status", "purpose", "credentials", "intended_use_id", "public_body", "jti",
    }  # fmt: skip
    assert set(PAYLOAD) == wanted
    assert PAYLOAD["policy_id"] == ["0.4.0.19475.3.1"]
    assert PAYLOAD["sub"] == b.AGENCY_ID


def test_registered_attributes_may_be_asked_and_no_others() -> None:
    found = read(TOKEN)
    assert found.status == STATUS
    assert found.intended_use_id == f"{b.AGENCY_ID}:{b.SERVICE_ID}:1"
    assert is_registered(found, b.ADRES, ["postcode"])
    for vct, path in ((b.ADRES, ["straat"]), (b.PERSOON, ["postcode"]), (b.GEZIN, ["postcode"]), (b.ADRES, [])):
        assert not is_registered(found, vct, path)
    assert not is_registered(found, b.ADRES, ["postcode"], format="mso_mdoc")


def test_flags_of_the_register_are_registered_with_every_attribute_of_their_type() -> None:
    """They travel with each: a certificate without them would make every request of the service over-asking."""
    plain = b.service(claims=[ServiceClaim(vct=b.ADRES, path=["postcode"], needed=True)])
    (entry,) = registered_credentials(plain)
    assert [claim.path for claim in entry.registered or ()] == [["postcode"], *([f] for f in b.flags(b.ADRES))]
    named = registered_credentials(b.service())
    assert sum(claim.path == [b.flags(b.ADRES)[0]] for claim in named[0].registered or ()) == 1


def test_certificate_of_another_country_is_read() -> None:
    token = sign_jws(GERMAN, REGISTRAR.key, typ=REGISTRATION_TYP, header={"x5c": REGISTRAR.x5c})
    found = read(token, ("NTRDE-1BF324C6727B4AAA",))
    assert found.name == "sprind"
    assert found.purpose["de"] == "Ihr Alter."
    assert found.exp == NOW + MAX_REGISTRATION_DAYS * DAY
    assert is_registered(found, "urn:eudi:pid:de:1", ["age_equal_or_over", "16"])
    assert not is_registered(found, "urn:eudi:pid:de:1", ["age_equal_or_over"])
    assert not is_registered(found, "urn:eudi:pid:de:1", ["age_equal_or_over", "18"])


def credential(claim: Any = None, **more: Any) -> VerifiedRegistration:
    entry = {"format": "dc+sd-jwt", "meta": {"vct_values": ["urn:x"]}, **more}
    return read(forged(credentials=[entry if claim is None else {**entry, "claim": claim}]))


def test_path_covers_what_lies_under_it_and_null_every_element() -> None:
    found = credential([{"path": ["address"]}, {"path": ["cars", None, "plate"]}, {"path": ["list", 0]}])
    for path in (
        ["address"], ["address", "street"], ["cars", None, "plate"], ["cars", 3, "plate"], ["list", 0]
    ):  # fmt: skip
        assert is_registered(found, "urn:x", path), path
    for path in (
        ["addres"],
        ["cars"],
        ["cars", "x", "plate"],
        ["cars", 1],
        ["list", 1],
        ["list", None],
        ["list", "0"],
    ):
        assert not is_registered(found, "urn:x", path), path
    assert not is_registered(credential([{"path": ["a", 1]}]), "urn:x", ["a", True])


def test_credential_without_claims_may_be_asked_whole_and_claims_are_read_under_both_names() -> None:
    assert is_registered(credential(), "urn:x", ["anything"])
    assert not is_registered(credential([]), "urn:x", ["anything"])
    assert is_registered(credential(claims=[{"path": ["a"]}]), "urn:x", ["a"])
    assert not is_registered(credential(claims=[{"path": ["a"]}]), "urn:x", ["b"])


def test_value_probing_a_claim_registered_with_values_may_only_be_compared_with_those() -> None:
    found = credential([{"path": ["over"], "values": [18, True]}])
    assert is_registered(found, "urn:x", ["over"], [18])
    for values in (None, [], [21], [18, 21], ["18"], [1]):
        assert not is_registered(found, "urn:x", ["over"], values), values


@pytest.mark.parametrize("meta", [{}, {"vct_values": "urn:x"}, {"vct_values": [1]}, {"doctype_value": "urn:x"}])
def test_credential_without_a_type_covers_nothing(meta: dict[str, Any]) -> None:
    assert not is_registered(credential([{"path": ["a"]}], meta=meta), "urn:x", ["a"])


def test_borrowed_certificate_counts_for_nobody_else() -> None:
    """It is no secret: who asks has to carry its `sub` in a certificate of its own."""
    for asker in ((), ("00000099000000002000",), (b.AGENCY_ID[:-1],), ("",)):
        assert refusal(TOKEN, asker) == "registration_of_another"
    assert read(TOKEN, ("NTRNL-1", b.AGENCY_ID)).sub == b.AGENCY_ID


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (forged(key=OTHER.key), "bad_signature"),
        (forged(key=OTHER.key, header={"x5c": OTHER.x5c}), "untrusted_chain"),
        (forged(header={"x5c": [*REGISTRAR.x5c, *REGISTRAR.roots]}), "bad_chain"),
        (forged(key=b.AGENCY.key, header={"x5c": b.AGENCY.x5c}), "untrusted_chain"),
        (forged(header={"kid": "1"}), "bad_x5c"),
        (forged(header={"x5c": REGISTRAR.x5c, "jku": "https://x.example"}), "bad_header"),
        (forged(header={"x5c": REGISTRAR.x5c, "crit": ["b64"], "b64": False}), "bad_header"),
        (sign_jws(PAYLOAD, REGISTRAR.key, typ="JWT", header={"x5c": REGISTRAR.x5c}), "bad_type"),
        (sign_jws(PAYLOAD, REGISTRAR.key, typ="dc+sd-jwt", header={"x5c": REGISTRAR.x5c}), "bad_type"),
        (TOKEN.rpartition(".")[0] + "." + b64u_encode(bytes(64)), "bad_signature"),
        (TOKEN.replace(TOKEN.split(".")[0], b64u_encode(b'{"alg":"none","typ":"rc-wrp+jwt"}')), "bad_algorithm"),
        (TOKEN + "." * 65536, "too_large"),
        ("", "bad_jws"),
        (forged(sub=None), "bad_form"),
        (forged(credentials=[]), "bad_form"),
        (forged(purpose=None), "bad_form"),
        (forged(credentials=[{"format": "dc+sd-jwt", "meta": {}, "claim": [{"path": []}]}]), "bad_form"),
        (forged(credentials=[{"format": "dc+sd-jwt", "meta": {}, "claim": [{"path": [{"a": 1}]}]}]), "bad_form"),
        (forged(name="Gemeente\u202eVoorbeeld"), "bad_registration"),
        (forged(name="Gemeente\u200bVoorbeeld"), "bad_registration"),
        (forged(purpose=[{"lang": "nl", "value": "a\nb"}]), "bad_registration"),
        (forged(iat=NOW + MAX_CLOCK_SKEW + 1), "expired_registration"),
        (forged(exp=NOW), "expired_registration"),
        (forged(iat=NOW - MAX_REGISTRATION_DAYS * DAY, exp=NOW + DAY), "expired_registration"),
        (forged(iat=NOW - MAX_REGISTRATION_DAYS * DAY, exp=None), "expired_registration"),
        (forged(iat=-1), "bad_form"),
        (forged(exp="tomorrow"), "bad_form"),
    ],
)
def test_certificate_that_no_registrar_of_ours_signed_for_now_is_refused(token: str, code: str) -> None:
    assert refusal(token) == code


def test_header_members_of_jades_are_no_reason_to_refuse() -> None:
    """V1.1.1 wants `b64` and `cty`; a later one does not."""
    assert read(forged(header={"x5c": REGISTRAR.x5c, "b64": True, "cty": ["b64"]})).sub == b.AGENCY_ID


def test_certificate_is_judged_at_its_time() -> None:
    assert read(TOKEN, now=NOW + 180 * DAY - 1).exp == NOW + 180 * DAY
    assert refusal(TOKEN, now=NOW + 180 * DAY) == "expired_registration"
    assert read(TOKEN, now=NOW - MAX_CLOCK_SKEW)
    assert refusal(TOKEN, now=NOW - MAX_CLOCK_SKEW - 1) == "expired_registration"


@pytest.mark.parametrize("days", [0, -1, MAX_REGISTRATION_DAYS + 1])
def test_registrar_signs_for_twelve_months_at_most(days: int) -> None:
    with pytest.raises(ValueError, match="twelve months"):
        sign_registration_certificate(
            b.agency(), b.service(), SAYS, iat=NOW, exp=NOW + days * DAY, status=STATUS, signer=REGISTRAR.key,
            x5c=REGISTRAR.x5c,
        )  # fmt: skip
