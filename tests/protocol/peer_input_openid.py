"""Rows for OpenID4VCI and OpenID4VP: offers, metadata, proofs, queries, request objects, answers, paper codes."""

from typing import Any
from urllib.parse import quote

from protocol import (
    asker,
    dcql,
    direct_post,
    issuer_metadata,
    jwe,
    key_proof,
    names,
    openid4vci,
    openid4vp,
    paper_form,
    request_form,
    request_object,
    revocation_code,
)
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import canonical_bytes, convert, to_builtins
from protocol.registration_certificate import REGISTRATION_TYP
from tests.protocol import builders as b
from tests.protocol import granting as g
from tests.protocol import strangers
from tests.protocol.peer_input import Row, forge, forge_header, header_of, payload_of, received
from tests.protocol.spoiling import dump

NOW, TRUST = b.NOW, b.TRUST
STATE = "state-state-state-state"
X5C = {"x5c": b.AGENCY.x5c}
ANSWER_KEY = b.es256("answer")
COPY_QUERY = {
    "credentials": [
        {
            "id": "adres",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [b.ADRES]},
            "claims": [
                {"id": "p", "path": ["postcode"], "values": ["1234AB"]},
                {"id": "s", "path": ["soort", None, 0, "code"]},
                {"id": "n", "path": ["huisnummer"], "values": [12, True]},
            ],
            "claim_sets": [["p", "n"], ["s"]],
            "trusted_authorities": [{"type": "aki", "values": ["AAAA"]}],
            "multiple": True,
        },
        {"id": "persoon", "format": "dc+sd-jwt", "meta": {"vct_values": [b.PERSOON]}},
    ],
    "credential_sets": [{"options": [["adres"], ["persoon", "adres"]], "required": False}],
}
CARDS = [
    {"vct": b.ADRES, "claims": {"postcode": "1234AB", "huisnummer": 12, "soort": [[{"code": "W"}]]}},
    {"vct": b.PERSOON, "claims": {"geslachtsnaam": "Voorbeeld"}},
]
QUERY = dcql.parse_query(COPY_QUERY)
STANDING_QUERY = dcql.parse_query(
    {"credentials": [{"id": n, "format": "dc+sd-jwt", "meta": {"vct_values": [v]}} for n, v in g.VCTS.items()]}
)
REQUEST = {
    **request_object.request_payload(
        client_id=b.AGENCY.client_id,
        response_uri="https://agency.voorbeeld.example/responses/1",
        nonce=b.NONCE,
        state=STATE,
        query=STANDING_QUERY,
        encryption_key=ANSWER_KEY.public,
        iat=NOW,
        exp=NOW + 300,
        transaction_data=[g.encoded(g.element())],
    ),
    "wallet_nonce": "wallet nonce",
}
PAYLOAD = to_builtins(REQUEST)
REQUEST_TOKEN = forge(PAYLOAD, b.AGENCY.key, request_object.REQUEST_TYP, X5C)
COPY_PAYLOAD = {**PAYLOAD, "dcql_query": COPY_QUERY}
del COPY_PAYLOAD["transaction_data"]
KEY = direct_post.EncryptionKey(ANSWER_KEY.public.jwk(), "A256GCM")
TOWN = g.town()
RESPONSE = {
    "vp_token": {name: [text] for name, text in TOWN.answer.vp_token.items()},
    "state": STATE,
    "regie_sealed": to_builtins(TOWN.answer.sealed),
}
FORM = direct_post.encrypt_response(KEY, nonce=b.NONCE, state=STATE, vp_token={"adres": ["a~b"]})
TOKEN = FORM.decode().partition("=")[2]
LINK = openid4vp.build_authorization_url(b.AGENCY.client_id, "https://agency.voorbeeld.example/requests/1")
OFFER = {
    "credential_issuer": b.ISSUER_ID,
    "credential_configuration_ids": ["persoon", "adres"],
    "grants": {
        openid4vci.PRE_AUTHORIZED_GRANT: {
            "pre-authorized_code": "code",
            "tx_code": {"input_mode": "numeric", "length": 8, "description": "per post"},
        }
    },
}
PROOF = key_proof.sign_key_proof(b.HOLDER, audience=b.ISSUER_ID, nonce="c-nonce", iat=NOW)
METADATA = to_builtins(issuer_metadata.issuer_metadata(b.ISSUER_ID, "Gemeente", CREDENTIAL_TYPES.values()))
SERVER_METADATA = to_builtins(issuer_metadata.authorization_server_metadata(b.ISSUER_ID))


def _cards(value: Any) -> list[dcql.Card]:
    """Cards as they come out of verified credentials: claims are any JSON object."""
    cards = [item for item in received(value, list) if isinstance(item, dict)]
    return [
        dcql.Card(card["vct"], card["claims"], frozenset({"AAAA"}))
        for card in cards
        if isinstance(card.get("vct"), str) and isinstance(card.get("claims"), dict)
    ]


def _match(value: Any) -> object:
    return dcql.match(dcql.parse_query(received(value, dict)), _cards(CARDS))


def _check_answer(value: Any) -> object:
    return dcql.check_answer(QUERY, {"adres": _cards(value)[:1]})


def read_request(payload: Any) -> openid4vp.VerifiedRequest:
    return _request_token(forge(payload, b.AGENCY.key, request_object.REQUEST_TYP, X5C))


def _request_token(token: str) -> openid4vp.VerifiedRequest:
    return openid4vp.verify_request_object(token, b.AGENCY.client_id, TRUST, NOW, wallet_nonce="wallet nonce")


def _request_header(header: Any) -> object:
    return _request_token(forge_header(header, REQUEST_TOKEN.split(".")[1], b.AGENCY.key))


def _registrations(payload: Any) -> object:
    """A certificate of the asker's own, whatever its registrar wrote into it."""
    trust = strangers.trust()
    who, _, leaf = asker.verify_asker([strangers.SHOP.leaf], strangers.SHOP.client_id, trust, NOW)
    registrar = strangers.SECTOR_REGISTRAR
    token = forge(payload, registrar.key, REGISTRATION_TYP, {"x5c": registrar.x5c})
    return asker.verify_registrations([token], who, leaf, trust, NOW)


def _answer_to(payload: Any) -> object:
    """What a wallet goes on to do with the key of a request."""
    key = read_request(payload).encryption
    if key is None:
        return None
    return direct_post.encrypt_response(key, nonce=b.NONCE, state=None, vp_token={"a": ["b"]})


def read_response(value: Any) -> object:
    token = jwe.encrypt(dump(value), KEY.jwk, enc=KEY.enc, apv=b"n")
    return direct_post.decrypt_response(token, ANSWER_KEY, state=STATE)


def _proofs(tokens: Any) -> object:
    return key_proof.parse_key_proofs(received(tokens, list[str]))


def _verify_proofs(payload: Any) -> object:
    proof = key_proof.parse_key_proof(
        forge(payload, b.HOLDER, key_proof.KEY_PROOF_TYPE, {"jwk": b.HOLDER.public.jwk()})
    )
    return key_proof.verify_key_proofs([proof], audience=b.ISSUER_ID, now=NOW)


def _proof_header(header: Any) -> object:
    proof = key_proof.parse_key_proof(forge_header(header, PROOF.split(".")[1], b.HOLDER))
    return key_proof.verify_key_proofs([proof], audience=b.ISSUER_ID, now=NOW)


_DCQL = [
    Row("dcql.parse_query", COPY_QUERY, dcql.parse_query),
    Row("dcql.match", COPY_QUERY, _match),
    Row("dcql.match", CARDS, lambda v: dcql.match(QUERY, _cards(v)), "cards"),
    Row("dcql.check_answer", CARDS, _check_answer, "cards"),
    Row("dcql.Query.credential", "adres", QUERY.credential),
]
_ANSWERS = [
    Row("direct_post.check_url", "https://a.example:443/b?c=d", lambda url: direct_post.check_url(url, "inbox")),
    Row("direct_post.check_url", ["https://a.example"], lambda v: direct_post.check_url(v[0] if v else v, "inbox"),
        "any value", keep_root=True),
    Row("direct_post.parse_form", "a=1&b=%C3%A9&c=+", direct_post.parse_form),
    Row("direct_post.parse_response_form", FORM, direct_post.parse_response_form),
    Row("direct_post.parse_response_form", b"error=access_denied&state=a", direct_post.parse_response_form,
        "error"),
    Row("direct_post.parse_response_form", direct_post.plain_form(state=STATE, vp_token={"adres": ["a~b"]}),
        lambda v: direct_post.parse_response_form(v, plain=True), "plain"),
    Row("direct_post.check_state", RESPONSE, lambda v: direct_post.check_state(
        convert(v, direct_post.ResponseObject), STATE)),
    Row("direct_post.decrypt_response", TOKEN, lambda token: direct_post.decrypt_response(
        token, ANSWER_KEY, state=STATE)),
    Row("direct_post.decrypt_response", RESPONSE, read_response, "payload"),
    Row("direct_post.encrypt_response", PAYLOAD, _answer_to),
    Row("direct_post.parse_redirect", b'{"redirect_uri":"https://a.example/cb"}',
        direct_post.parse_redirect),
    Row("direct_post.parse_redirect", {"redirect_uri": "https://a.example/"}, lambda v: direct_post.parse_redirect(
        dump(v)), "values"),
]  # fmt: skip
_REQUESTS = [
    Row("openid4vp.parse_authorization_url", LINK, openid4vp.parse_authorization_url),
    Row("openid4vp.verify_request_object", REQUEST_TOKEN, _request_token),
    Row("openid4vp.verify_request_object", header_of(REQUEST_TOKEN), _request_header, "header"),
    Row("openid4vp.verify_request_object", PAYLOAD, read_request, "payload, standing access"),
    Row("openid4vp.verify_request_object", COPY_PAYLOAD, read_request, "payload, copy"),
    Row("openid4vp.check_registration", {**PAYLOAD}, lambda v: openid4vp.check_registration(read_request(v))),
    Row("asker.check_client_id", b.AGENCY.client_id, asker.check_client_id),
    Row("asker.verify_asker", b.AGENCY.client_id, lambda v: asker.verify_asker([b.AGENCY.leaf], v, TRUST, NOW)),
    Row("asker.verify_registrations", strangers.registration_payload(), _registrations),
    Row("request_form.parse_request", PAYLOAD, lambda v: request_form.parse_request(received(v, dict))),
    Row("request_form.check_dates", PAYLOAD, lambda v: request_form.check_dates(
        request_form.parse_request(received(v, dict)), NOW)),
    Row("request_form.find_key", PAYLOAD["client_metadata"], lambda v: request_form.find_key(
        request_form.parse_request({**PAYLOAD, "client_metadata": received(v, dict)}).client_metadata,
        encrypted=True)),
    Row("request_form.registration_tokens", [{"format": "registration_cert", "data": "a.b.c"}, {"format": "x",
        "data": 1}], lambda v: request_form.registration_tokens(
        request_form.parse_request({**PAYLOAD, "verifier_info": received(v, list)}))),
    Row("names.check_name", "Gemeente Voorbeeld", names.check_name),
    Row("names.check_no_double", "Winkel", lambda v: names.check_no_double(v, ["Gemeente Voorbeeld"])),
    Row("names.check_text", "To see whether you live here", names.check_text),
    Row("request_object.parse_wallet_nonce", b"wallet_nonce=abc&wallet_metadata=%7B%7D",
        request_object.parse_wallet_nonce),
]  # fmt: skip
_ISSUING = [
    Row("issuer_metadata.check_url", "https://a.example:443/b?c=d", lambda url: issuer_metadata.check_url(
        url, "bad_offer")),
    Row("issuer_metadata.parse_foreign", {"c_nonce": "x"}, lambda v: issuer_metadata.parse_foreign(
        dump(v), openid4vci.NonceResponse, "bad_nonce_response", 1000)),
    Row("issuer_metadata.parse_issuer_metadata", METADATA, lambda v: issuer_metadata.parse_issuer_metadata(
        dump(v), b.ISSUER_ID)),
    Row("issuer_metadata.parse_authorization_server_metadata", SERVER_METADATA, lambda v:
        issuer_metadata.parse_authorization_server_metadata(dump(v), b.ISSUER_ID)),
    Row("key_proof.parse_key_proof", PROOF, key_proof.parse_key_proof),
    Row("key_proof.parse_key_proof", header_of(PROOF), _proof_header, "header"),
    Row("key_proof.parse_key_proofs", [PROOF, PROOF], _proofs),
    Row("key_proof.verify_key_proofs", payload_of(PROOF), _verify_proofs, "payload"),
    Row("openid4vci.parse_offer_link", "openid-credential-offer://?credential_offer=" + quote(
        canonical_bytes(OFFER)), openid4vci.parse_offer_link),
    Row("openid4vci.parse_offer_link", OFFER, lambda v: openid4vci.parse_offer_link(
        "openid-credential-offer://?credential_offer=" + quote(dump(v))), "offer"),
    Row("openid4vci.parse_offer_link", openid4vci.offer_reference_link("https://a.example/offers/1"),
        openid4vci.parse_offer_link, "reference"),
    Row("openid4vci.parse_offer", OFFER, lambda v: openid4vci.parse_offer(dump(v))),
    Row("openid4vci.parse_offer", canonical_bytes(OFFER), openid4vci.parse_offer, "text"),
    Row("openid4vci.parse_nonce_response", {"c_nonce": "abc"}, lambda v: openid4vci.parse_nonce_response(dump(v))),
    Row("openid4vci.parse_notification", {"notification_id": "n", "event": "credential_accepted",
        "event_description": "x"}, lambda v: openid4vci.parse_notification(dump(v))),
    Row("openid4vci.parse_error", {"error": "invalid_grant", "error_description": "no"},
        lambda v: openid4vci.parse_error(dump(v), 400)),
]  # fmt: skip
PAPER = paper_form.Form("x", "https://a.example/b", "s", 1, 1, None, (paper_form.Row("urn:a", "b", True),))
_PAPER = [
    Row("revocation_code.parse_code", revocation_code.format_code(g.CODE), revocation_code.parse_code),
    Row("revocation_code.parse_paper_qr", revocation_code.format_paper_qr(b.LOG_URL, g.CODE),
        revocation_code.parse_paper_qr),
    Row("revocation_code.parse_stop_digits", revocation_code.format_stop_digits(g.CODE),
        revocation_code.parse_stop_digits),
    Row("revocation_code.parse_stop_paper", revocation_code.format_stop_qr(g.CODE),
        revocation_code.parse_stop_paper),
    Row("paper_form.parse_sheet_code", paper_form.sheet_code("openid4vp://?a=b", 1, g.CODE),
        paper_form.parse_sheet_code),
    Row("paper_form.parse_mark", paper_form.mark_text(1, 2, g.CODE), paper_form.parse_mark),
    Row("paper_form.check_marks", paper_form.sheet_code("openid4vp://?a=b", 1, PAPER.digest),
        lambda text: paper_form.check_marks(
            paper_form.parse_sheet_code(text), [paper_form.parse_mark(paper_form.mark_text(1, 0, PAPER.digest))]
        )),
    Row("paper_form.check_form", paper_form.sheet_code("openid4vp://?a=b", 1, PAPER.digest),
        lambda text: paper_form.check_form(paper_form.parse_sheet_code(text), PAPER)),
]  # fmt: skip
ROWS = [*_DCQL, *_ANSWERS, *_REQUESTS, *_ISSUING, *_PAPER]
