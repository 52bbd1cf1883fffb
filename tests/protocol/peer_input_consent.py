"""Rows for terms, reads, sealed disclosures, consent and what an agency opens in the end."""

from collections.abc import Callable
from typing import Any

from protocol import (
    case_reference,
    consent,
    consent_api,
    ldv,
    narrowing,
    operators,
    presentation,
    reading,
    share_at_rest,
    standing,
    terms,
)
from protocol.canonical import b64u_decode, b64u_encode, sha256, to_builtins
from protocol.consent_api import ReadAnswer
from protocol.credential import split_sd_jwt
from protocol.presentation import RegieSealed
from protocol.terms import ConsentElement, Terms
from tests.protocol import builders as b
from tests.protocol import dealing as d
from tests.protocol import granting as g
from tests.protocol.peer_input import Row, b64u_json, forge, forge_header, header_of, payload_of, received
from tests.protocol.spoiling import dump

NOW = b.NOW
AGENCY = b.agency()
SERVICE = b.service()
TOWN = g.town()
TERMS, ELEMENT = TOWN.terms, TOWN.asked.element
READ = TOWN.make_read(g.POSTCODE)
RELEASED, STANDING = TOWN.release(READ)
X5C = {"x5c": b.AGENCY.x5c}
RELEASE: dict[str, Any] = {"lock": bytes(32), "read_id": bytes(16), "index": 7, "body_hash": sha256(b"note")}
SHARES = [sha256(bytes([n])) for n in range(3)]
STATE = reading.GrantState(slot=TOWN.slot, revoked=False, share_present=True, reads_done=0)
ASKED_MESSAGE = {
    "slot": TOWN.slot,
    "lock": TERMS.lock,
    "kind": "erasure_asked",
    "iat": NOW,
    "jti": b64u_encode(bytes(16)),
}
KEPT_MESSAGE = {**ASKED_MESSAGE, "kind": "kept", "law": "Archiefwet 1995, art. 3", "until": NOW + 9}
CLAIM, SEALED = TERMS.claims[0], TOWN.answer.sealed.sealed[0]
DEPOSIT = presentation.seal_deposit(b.LOG_DEPOSIT_KEY.public_bytes(), TERMS, g.B)
SHARE_A = b64u_decode(TOWN.answer.sealed.share_a)
ANSWER = {"vp_token": dict(TOWN.answer.vp_token), "regie_sealed": to_builtins(TOWN.answer.sealed)}
KB_JWT = ANSWER["vp_token"]["adres"].rpartition("~")[2]


DEALT = d.dealt(2, 3)
DEALT_READ, LOGGED, DEALT_STANDING = DEALT.read()
OWN = DEALT.names[0]
HELD = DEALT.dealing.pieces_of(OWN)
ON_DEPOSIT = operators.seal_pieces(d.KEYS[OWN].public_bytes(), DEALT.town.terms, OWN, HELD)
GIVEN = {name: DEALT.release(name, DEALT_READ, LOGGED, DEALT_STANDING) for name in DEALT.names}
WRAPPED = share_at_rest.wrap_share(bytes(32), 7, bytes(32), b"".join(HELD), bytes(24))


def _terms(name: str, call: Callable[[Terms], object]) -> Row:
    """A row for what looks at terms after their own rules were checked."""

    def checked(value: Any) -> object:
        own = received(value, Terms)
        terms.check_terms(own)
        return call(own)

    return Row(name, to_builtins(TERMS), checked, "terms")


def _refresh(value: Any) -> object:
    new = received(value, Terms)
    terms.check_terms(new)
    return narrowing.check_refresh(TERMS, new)


def _element(name: str, call: Callable[[ConsentElement], object]) -> Row:
    return Row(
        name, to_builtins(ELEMENT), lambda value: call(terms.parse_element(b64u_json(value))), "element"
    )  # fmt: skip


def _read(call: Callable[[str], object], name: str) -> list[Row]:
    """The token; its payload and its header under the agency's good signature."""
    return [
        Row(name, READ, call),
        Row(name, payload_of(READ), lambda v: call(forge(v, b.AGENCY.key, reading.READ_TYPE, X5C)), "payload"),
        Row(name, header_of(READ), lambda v: call(forge_header(v, READ.split(".")[1], b.AGENCY.key)), "header"),
    ]


def _decide(token: str) -> object:
    read = reading.verify_read(token, AGENCY, NOW)
    return reading.decide_read(TERMS, read, state=STATE, reply_key=g.REPLY.public_bytes(), now=NOW)


def _ticket(token: str) -> object:
    return reading.verify_ticket(token, AGENCY, TERMS, NOW)


def _from_resident(payload: Any) -> object:
    return reading.verify_resident_message(forge(payload, b.HOLDER, reading.MESSAGE_TYPE), b.HOLDER.public, NOW)


def _from_agency(payload: Any) -> object:
    token = forge(payload, b.AGENCY.key, reading.MESSAGE_TYPE, X5C)
    return reading.verify_agency_message(token, AGENCY, NOW)


def _standing_answer(value: Any) -> consent.StandingAnswer:
    """As the agency's endpoint takes it out of the decrypted response."""
    members = received(value, dict)
    texts = received(members.get("vp_token"), dict[str, str])
    return consent.StandingAnswer(texts, presentation.parse_regie_sealed(members.get("regie_sealed")))


def _verify_consent(value: Any, *, fresh: bool = True) -> object:
    answer = _standing_answer(value)
    return consent.verify_consent(answer, TOWN.asked, trust=b.TRUST, now=NOW, fresh=fresh)


def _bind_again(payload: Any) -> object:
    """The holder signs anything."""
    presented = split_sd_jwt(ANSWER["vp_token"]["adres"]).presented
    token = presented + forge(payload, b.HOLDER, "kb+jwt")
    return _verify_consent({**ANSWER, "vp_token": {**ANSWER["vp_token"], "adres": token}})


def _seal_again(value: Any) -> object:
    """A wallet that makes up its terms, and signs and seals them as it should."""
    own = received(value, Terms)
    terms.check_terms(own)
    vp_token = {name: g.bind(name, own, TOWN.asked) for name in TOWN.answer.vp_token}
    members = {**ANSWER["regie_sealed"], "terms": to_builtins(own)}
    return TOWN.accept(answer=_standing_answer({"vp_token": vp_token, "regie_sealed": members}))


def _open_sealed(value: Any) -> object:
    item = received(value, presentation.SealedDisclosure)
    share = presentation.claim_share(g.B, b64u_decode(CLAIM.digest))
    return presentation.open_disclosure(TERMS, CLAIM, item, g.A, share, binding=terms.terms_hash(TERMS))


def _open_reading(value: Any) -> object:
    return TOWN.open(READ, received(value, ReadAnswer), STANDING)


def _dealt(value: Any) -> Terms:
    """Terms with whatever operators, checked."""
    own = received(value, Terms)
    terms.check_terms(own)
    return own


def _open_pieces(value: Any) -> object:
    return operators.open_pieces(d.KEYS[OWN], _dealt(value), OWN, ON_DEPOSIT)


def _open_dealt(value: Any) -> object:
    """Operators answer anything."""
    return DEALT.open(DEALT_READ, LOGGED, DEALT_STANDING, received(value, dict[str, str]))


def _combine(joined: bytes) -> object:
    """One operator gives any 32-byte pieces, in the right number: less is refused before."""
    claims = DEALT.claims(DEALT_READ)
    row = joined.ljust(64 * len(claims), b"x")
    given = {name: operators.claim_pieces(claims, DEALT.dealing.pieces_of(name)) for name in DEALT.names[1:]}
    given[OWN] = [(row[64 * n : 64 * n + 32], row[64 * n + 32 : 64 * n + 64]) for n in range(len(claims))]
    return operators.combine(DEALT.dealing.operators, claims, given)


def _verify_entry(value: Any) -> object:
    logged = received(value, ReadAnswer)
    return standing.verify_entry(DEALT.town.terms, DEALT_READ, logged, DEALT_STANDING, g.REPLY.public_bytes())


def _seal_to(kem_key: bytes) -> object:
    own = {
        claim.digest: g.disclosure(place)
        for claim, place in zip(TERMS.claims, terms.places_of(TERMS), strict=True)
    }
    return presentation.seal_presentation(TERMS, own, g.A, g.B, kem_key, b.random_of("seal"))


_TERMS = [
    Row("terms.parse_terms", to_builtins(TERMS), terms.parse_terms),
    _terms("terms.check_terms", lambda own: None),
    Row("terms.parse_element", TOWN.asked.transaction_data, terms.parse_element),
    _element("terms.parse_element", lambda element: None),
    _element("narrowing.check_element", lambda element: narrowing.check_element(element, g.VCTS, AGENCY, SERVICE)),
    _terms("narrowing.check_within", lambda own: narrowing.check_within(own, ELEMENT, SERVICE)),
    _element("narrowing.check_within", lambda element: narrowing.check_within(TERMS, element, SERVICE)),
    Row("narrowing.check_refresh", to_builtins(g.change(TERMS, version=2, lock=b64u_encode(bytes(32)))), _refresh),
    _terms("terms.with_flags", lambda own: terms.with_flags(terms.places_of(own))),
    _terms(
        "narrowing.is_registered", lambda own: [narrowing.is_registered(p, SERVICE) for p in terms.places_of(own)]
    ),
]
_READING = [
    *_read(reading.parse_read, "reading.parse_read"),
    *_read(lambda token: reading.verify_read(token, AGENCY, NOW), "reading.verify_read"),
    *_read(_decide, "reading.decide_read"),
    Row("reading.verify_ticket", g.TICKET, _ticket),
    Row("reading.verify_ticket", payload_of(g.TICKET), lambda v: _ticket(
        forge(v, b.AGENCY.key, reading.TICKET_TYPE, X5C)), "payload"),
    Row("reading.parse_message", forge(ASKED_MESSAGE, b.HOLDER, reading.MESSAGE_TYPE), reading.parse_message),
    Row("reading.parse_message", KEPT_MESSAGE, lambda v: reading.parse_message(
        forge(v, b.HOLDER, reading.MESSAGE_TYPE)), "payload"),
    Row("reading.verify_resident_message", ASKED_MESSAGE, _from_resident),
    Row("reading.verify_agency_message", KEPT_MESSAGE, _from_agency),
    Row("reading.seal_release", g.REPLY.public_bytes(), lambda key: reading.seal_release(key, SHARES, **RELEASE)),
    Row("reading.open_release", reading.seal_release(g.REPLY.public_bytes(), SHARES, **RELEASE), lambda sealed:
        reading.open_release(g.REPLY, sealed, 3, **RELEASE)),
]  # fmt: skip
_PRESENTATION = [
    Row("presentation.parse_regie_sealed", ANSWER["regie_sealed"], presentation.parse_regie_sealed),
    Row("presentation.make_claim", g.disclosure(g.POSTCODE), lambda text: presentation.make_claim(
        g.POSTCODE, split_sd_jwt(f"x~{text}~").disclosures[0], g.B)),
    Row("presentation.seal_presentation", g.KEM.public_bytes(), _seal_to),
    Row("presentation.open_share_a", SHARE_A, lambda sealed: presentation.open_share_a(g.KEM, TERMS, sealed)),
    Row("presentation.seal_deposit", b.LOG_DEPOSIT_KEY.public_bytes(), lambda key: presentation.seal_deposit(
        key, TERMS, g.B)),
    Row("presentation.open_deposit", DEPOSIT, lambda sealed: presentation.open_deposit(
        b.LOG_DEPOSIT_KEY, TERMS, sealed)),
    _terms("presentation.check_deposit", lambda own: presentation.check_deposit(own, g.B)),
    Row("presentation.check_share", presentation.claim_shares([CLAIM], g.B)[0], lambda share:
        presentation.check_share(CLAIM, share)),
    Row("presentation.open_disclosure", to_builtins(SEALED), _open_sealed),
    Row("presentation.check_sealed_form", ANSWER["regie_sealed"], lambda v: presentation.check_sealed_form(
        TERMS, received(v, RegieSealed).sealed)),
]  # fmt: skip
_CONSENT = [
    Row("consent.verify_consent", ANSWER, _verify_consent),
    Row("consent.verify_consent", KB_JWT, lambda text: _verify_consent({**ANSWER, "vp_token": {
        **ANSWER["vp_token"], "adres": ANSWER["vp_token"]["adres"].removesuffix(KB_JWT) + text}}), "key binding"),
    Row("consent.verify_consent", payload_of(KB_JWT), _bind_again, "key binding payload"),
    Row("standing.verify_standing", ANSWER, lambda v: TOWN.accept(answer=_standing_answer(v))),
    Row("standing.verify_standing", to_builtins(TERMS), _seal_again, "terms"),
    Row("standing.open_reading", to_builtins(RELEASED), _open_reading),
]  # fmt: skip
_OPERATORS = [
    _terms("narrowing.check_listed_operators", lambda own: narrowing.check_listed_operators(own, None)),
    Row("terms.check_terms", to_builtins(DEALT.town.terms), _dealt, "operators"),
    Row("operators.seal_pieces", d.KEYS[OWN].public_bytes(), lambda key: operators.seal_pieces(
        key, DEALT.town.terms, OWN, HELD)),
    Row("operators.open_pieces", ON_DEPOSIT, lambda sealed: operators.open_pieces(
        d.KEYS[OWN], DEALT.town.terms, OWN, sealed)),
    Row("operators.open_pieces", to_builtins(DEALT.town.terms), _open_pieces, "terms"),
    Row("operators.seal_pieces_release", g.REPLY.public_bytes(), lambda key: operators.seal_pieces_release(
        key, [CLAIM], HELD, OWN, **RELEASE)),
    Row("operators.open_pieces_release", operators.seal_pieces_release(
        g.REPLY.public_bytes(), [CLAIM], HELD, OWN, **RELEASE), lambda sealed: operators.open_pieces_release(
        g.REPLY, sealed, DEALT.dealing.operators, OWN, 1, **RELEASE)),
    Row("operators.combine", b"".join(piece for row in operators.claim_pieces(DEALT.claims(DEALT_READ), HELD)
        for piece in row), _combine),
    Row("share_at_rest.unwrap_share", WRAPPED, lambda data: share_at_rest.unwrap_share(
        bytes(32), 7, bytes(32), data)),
    Row("consent_api.parse_body", {
        "terms": to_builtins(DEALT.town.terms), "slot": 1, "opening_key": b64u_encode(bytes(32)), "proof": "proof",
        "deposit": b64u_encode(ON_DEPOSIT)}, lambda v: consent_api.parse_body(dump(v), consent_api.DepositRequest),
        "DepositRequest"),
    Row("consent_api.parse_body", {
        "read": DEALT_READ, "reply_key": b64u_encode(g.REPLY.public_bytes()), "logged": to_builtins(LOGGED)},
        lambda v: consent_api.parse_body(dump(v), consent_api.ReleaseRequest), "ReleaseRequest"),
    Row("consent_api.parse_body", {"sealed": GIVEN[OWN]}, lambda v: consent_api.parse_body(
        dump(v), consent_api.ReleaseAnswer), "ReleaseAnswer"),
    Row("consent_api.parse_body", {"lock": b64u_encode(bytes(32))}, lambda v: consent_api.parse_body(
        dump(v), consent_api.DepositAnswer), "DepositAnswer"),
    Row("standing.verify_entry", to_builtins(LOGGED), _verify_entry),
    Row("standing.open_reading", GIVEN, _open_dealt, "operators"),
]  # fmt: skip
_CASES = [
    Row("case_reference.parse_case_reference", "123456782/ZAAK-2026-42", case_reference.parse_case_reference),
    Row("case_reference.parse_case_reference",
        "https://zaken.example/zaken/api/v1/zaken/095be615-a8ad-4c33-8e9c-c7612fbf6c9f",
        case_reference.parse_case_reference, "address"),
]  # fmt: skip
_LDV = [Row("ldv.parse_otlp_answer", {"partialSuccess": {"rejectedSpans": "0", "errorMessage": ""}},
    lambda v: ldv.parse_otlp_answer(dump(v)))]  # fmt: skip
ROWS = [*_CASES, *_LDV, *_TERMS, *_READING, *_PRESENTATION, *_OPERATORS, *_CONSENT]
