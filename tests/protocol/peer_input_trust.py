"""Rows of what a home is configured with, and of what a wallet shows a wallet provider."""

from typing import Any

from protocol import anchors, registration_certificate, service_law, trust_list, wallet_attestation
from protocol.anchors import Anchors
from protocol.canonical import convert, to_builtins
from protocol.status_list import StatusReference
from tests.protocol import builders as b
from tests.protocol.builders import NOW
from tests.protocol.peer_input import Row, forge, forge_header, header_of, payload_of
from tests.protocol.spoiling import dump

PROVIDER = "https://registrar.voorbeeld.example"
STRANGERS = {
    "issuers": [
        {"id": b.ISSUER_ID, "name": "Elsewhere", "roots": b.STRANGER.roots, "vcts": ["urn:example:card"]},
        {"name": "Anybody under a root", "roots": b.STRANGER.roots, "vcts": ["*"]},
    ],
    "verifiers": [{"name": "Shops", "roots": b.AGENCY.roots}],
    "wallet_providers": [{"id": "https://wallet.example", "name": "A wallet", "roots": b.STRANGER.roots}],
    "registration_roots": b.ISSUER.roots,
}
ANCHORS = convert(STRANGERS, Anchors)
WALLET_KEY = wallet_attestation.sign_wallet_key(b.HOLDER, provider=PROVIDER, iat=NOW)
LISTED = convert({**to_builtins(b.TRUST), "wallet_providers": STRANGERS["wallet_providers"]}, trust_list.TrustList)
REGISTRATION = registration_certificate.sign_registration_certificate(
    b.agency(),
    b.service(),
    registration_certificate.Registrar(
        f"{PROVIDER}/v1", f"{PROVIDER}/policy", "NL", {"uri": "https://dpa.example"}
    ),
    iat=NOW,
    exp=NOW + 180 * b.DAY,
    status=StatusReference(idx=1, uri=f"{PROVIDER}/v1/status-lists/1"),
    signer=b.ISSUER.key,
    x5c=b.ISSUER.x5c,
)
_ISSUER = {"iss": b.ISSUER_ID, "vct": "urn:example:card", "now": NOW}


_YES = {"yes": True, "nl": "Omdat u het vraagt.", "en": "Because you ask for it."}
LAWFUL = {
    **to_builtins(b.service(mode="view")),
    "law": "Artikel 225 Gemeentewet", "law_url": "https://wetten.overheid.nl/x", "selectielijst": "11.1",
    "upl": "parkeervergunning", "bsn_law": "Wabb artikel 10", "answers": "yes_no", "asked_by": "0" * 20,
    "free_consent": dict.fromkeys(("interest", "request", "no_downside", "no_imbalance"), _YES),
    "question": [{"vct": b.ADRES, "path": ["postcode"], "op": "equal", "value": "1011AB"}],
}  # fmt: skip


def check_question(value: Any) -> None:
    service = convert(value, trust_list.Service)
    service_law.check_question(
        service.answers, service.question, service.asked_by, agency=b.AGENCY_ID, mode=service.mode,
        claims=[(claim.vct, *claim.path) for claim in service.claims],
    )  # fmt: skip


def read_key(proof: str) -> object:
    return wallet_attestation.verify_wallet_key(proof, provider=PROVIDER, now=NOW)


def _stranger_issuer(value: Any) -> object:
    return anchors.verify_stranger_issuer(convert(value, Anchors), [b.STRANGER.leaf], **_ISSUER)


def registered(payload: Any) -> object:
    header = {"x5c": b.ISSUER.x5c}
    token = forge(payload, b.ISSUER.key, registration_certificate.REGISTRATION_TYP, header)
    return _registration(token)


def _registration(token: str) -> object:
    found = registration_certificate.verify_registration_certificate(
        token, roots=[b.ISSUER.root], asker=[b.AGENCY_ID], now=NOW
    )
    return registration_certificate.is_registered(found, b.ADRES, ["postcode", 0], ["x"])


ROWS = [
    Row("registration_certificate.verify_registration_certificate", REGISTRATION, _registration),
    Row("registration_certificate.verify_registration_certificate", payload_of(REGISTRATION), registered, "said"),
    Row("registration_certificate.verify_registration_certificate", header_of(REGISTRATION), lambda header:
        _registration(forge_header(header, REGISTRATION.split(".")[1], b.ISSUER.key)), "header"),
    Row("anchors.parse_anchors", STRANGERS, lambda value: anchors.parse_anchors(dump(value))),
    Row("anchors.parse_anchors", dump(STRANGERS), anchors.parse_anchors, "bytes"),
    Row("anchors.origin_of", f"{b.ISSUER_ID}:8443/pid", anchors.origin_of),
    Row("anchors.verify_stranger_issuer", STRANGERS, _stranger_issuer, "anchors"),
    Row("anchors.verify_stranger_issuer", b.STRANGER.leaf, lambda der: anchors.verify_stranger_issuer(
        ANCHORS, [der], **_ISSUER), "leaf"),
    Row("anchors.verify_stranger_issuer", b.ISSUER_ID, lambda iss: anchors.verify_stranger_issuer(
        ANCHORS, [b.STRANGER.leaf], iss=iss, vct="urn:example:card", now=NOW), "iss"),
    Row("trust_list.Rooted.root_certificates", b.STRANGER.roots[0], lambda root: trust_list.Rooted(
        name="x", roots=[root]).root_certificates),
    Row("service_law.check_question", LAWFUL, check_question),
    Row("trust_list.check_service", LAWFUL, lambda value: trust_list.check_service(
        b.AGENCY_ID, convert(value, trust_list.Service))),
    Row("trust_list.TrustList.wallet_provider", "https://wallet.example", LISTED.wallet_provider),
    Row("trust_list.verify_trust_list", to_builtins(LISTED), lambda payload: trust_list.verify_trust_list(
        forge(payload, b.REGISTRAR, trust_list.TRUST_LIST_TYP), b.REGISTRAR.public, NOW), "wallet providers"),
    Row("wallet_attestation.verify_wallet_key", WALLET_KEY, read_key),
    Row("wallet_attestation.verify_wallet_key", payload_of(WALLET_KEY), lambda payload: read_key(
        forge(payload, b.HOLDER, wallet_attestation.WALLET_KEY_TYP, {"jwk": b.HOLDER.public.jwk()})), "payload"),
    Row("wallet_attestation.verify_wallet_key", header_of(WALLET_KEY), lambda header: read_key(
        forge_header(header, WALLET_KEY.split(".")[1], b.HOLDER)), "header"),
]  # fmt: skip


def many_strangers(count: int) -> object:
    return anchors.parse_anchors(dump({"verifiers": STRANGERS["verifiers"] * count}))


def key_proof_at(iat: int) -> object:
    return read_key(wallet_attestation.sign_wallet_key(b.HOLDER, provider=PROVIDER, iat=iat))


def registered_since(days: int) -> object:
    """A certificate without an end, issued so many days ago but for a second."""
    payload = {**payload_of(REGISTRATION), "iat": NOW - days * b.DAY + 1}
    del payload["exp"]
    return registered(payload)
