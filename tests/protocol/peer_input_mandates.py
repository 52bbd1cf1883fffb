"""Rows for mandates, for credentials under one, and for what other parties agreed to."""

from typing import Any

from protocol import consent, consent_api, cosign, mandate, presentation
from protocol.canonical import to_builtins
from protocol.issuer_jwt import VerifiedIssuerJwt, verify_issuer_jwt
from protocol.mandate import Mandate
from protocol.terms import Terms, check_terms
from tests.protocol import builders as b
from tests.protocol import granting as g
from tests.protocol import mandates as m
from tests.protocol.peer_input import Row, forge, forge_header, header_of, payload_of, received
from tests.protocol.spoiling import dump

NOW, TRUST = b.NOW, b.TRUST
X5C = {"x5c": b.ISSUER.x5c}
TOKEN = m.token(
    signers=[[1], [0]], claims=m.every_name(), services=[{"recipient": b.AGENCY_ID, "service": "park"}]
)
OPEN = m.token(signers=[[1], [0]])
"""For every service."""
SHOWN = m.shown(OPEN)
CARDS = m.cards(OPEN)
TERMS = g.terms(cards=CARDS, lock=m.lock(), on_behalf_of=m.behalf(OPEN))
HELD = mandate.verify_mandate(SHOWN, TRUST, NOW)
COSIGNED = m.cosigned(OPEN, TERMS, party=0)
JWT = CARDS["adres"].partition("~")[0]
TOWN = g.town(
    signed=TERMS,
    cards=CARDS,
    holders=dict.fromkeys(CARDS, m.HOLDERS[1]),
    beside={"mandate": SHOWN, "cosigned": [COSIGNED]},
)
GRANT = consent_api.GrantRequest(
    terms=TERMS, opening_key=TERMS.lock, view_hash=TERMS.lock, deposit="A" * 1558, ticket="x", mandate=SHOWN
)


def _payload(value: Any) -> object:
    """The issuer signs anything."""
    return mandate.verify_mandate(forge(value, b.ISSUER.key, mandate.MANDATE_TYPE, X5C), TRUST, NOW)


def _header(value: Any) -> object:
    return mandate.verify_mandate(forge_header(value, TOKEN.split(".")[1], b.ISSUER.key), TRUST, NOW)


def _terms(value: Any) -> object:
    own = received(value, Terms)
    check_terms(own)
    return mandate.check_mandated(own, HELD)


def _present(value: Any) -> object:
    own = received(value, Terms)
    return mandate.check_presence(own, SHOWN)


def _card(value: Any) -> VerifiedIssuerJwt:
    return verify_issuer_jwt(forge(value, b.ISSUER.key, "dc+sd-jwt", X5C), TRUST, NOW)


def _cosigned(text: str) -> object:
    return cosign.verify_cosigned(
        text, TERMS, client_id=b.AGENCY.client_id, mandate=HELD, trust=TRUST, now=NOW
    )  # fmt: skip


def _cosigned_kb(value: Any) -> object:
    presented = COSIGNED.rpartition("~")[0] + "~"
    return _cosigned(presented + forge(value, m.HOLDERS[0], "kb+jwt"))


def _sealed(value: Any) -> object:
    """What comes beside T in an answer."""
    sealed = {**to_builtins(TOWN.answer.sealed), **received(value, dict)}
    return TOWN.accept(
        answer=consent.StandingAnswer(TOWN.answer.vp_token, presentation.parse_regie_sealed(sealed))
    )


ROWS = [
    Row("mandate.verify_mandate", TOKEN, lambda text: mandate.verify_mandate(text, TRUST, NOW)),
    Row("mandate.verify_mandate", SHOWN, lambda text: mandate.verify_mandate(text, TRUST, NOW), "shown"),
    Row("mandate.verify_mandate", payload_of(TOKEN), _payload, "payload"),
    Row("mandate.verify_mandate", header_of(TOKEN), _header, "header"),
    Row("mandate.check_mandated", to_builtins(TERMS), _terms),
    Row("mandate.check_presence", to_builtins(TERMS), _present),
    Row(
        "mandate.check_signers",
        payload_of(TOKEN),
        lambda value: mandate.check_signers(received(value, Mandate), {0, 1}),
    ),
    Row("issuer_payload.read_members", payload_of(JWT), _card),
    Row("issuer_payload.type_and_mandate", payload_of(JWT), _card),
    Row("cosign.mandated_party", payload_of(JWT), lambda value: cosign.mandated_party(_card(value), HELD)),
    Row("cosign.verify_cosigned", COSIGNED, _cosigned),
    Row("cosign.verify_cosigned", payload_of(COSIGNED.rpartition("~")[2]), _cosigned_kb, "KB-JWT"),
    Row("consent.verify_consent", {"mandate": SHOWN, "cosigned": [COSIGNED]}, _sealed, "mandate", keep_root=True),
    Row(
        "consent_api.parse_grant_request",
        to_builtins(GRANT),
        lambda value: consent_api.parse_grant_request(dump(value)),
        "mandate",
    ),
]
