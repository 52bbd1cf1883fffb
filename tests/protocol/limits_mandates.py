"""Probes of the limits of mandates and co-signatures, for `test_every_limit`."""

from collections.abc import Callable

from protocol import cosign, mandate, presentation
from protocol.canonical import b64u_encode, convert, sha256, to_builtins
from protocol.mandate import Mandate
from tests.protocol import builders as b
from tests.protocol import mandates as m
from tests.protocol import peer_input_mandates as i
from tests.protocol.limit_probes import token_of
from tests.protocol.peer_input import forge, payload_of

NOW = b.NOW


def _verify(token: str) -> object:
    return mandate.verify_mandate(token, b.TRUST, NOW)


def _token_of(size: int) -> object:
    return _verify(token_of(size, payload_of(i.TOKEN), b.ISSUER.key, mandate.MANDATE_TYPE, **i.X5C))


def _shown_of(size: int) -> object:
    text = f"a.b.{'c' * (size - 48)}~{'A' * 43}"
    return convert(text, mandate.ShownMandate)


def _locks(count: int) -> object:
    locks = [b64u_encode(sha256(bytes([n]))) for n in range(count)]
    return convert({**payload_of(i.TOKEN), "locks": locks}, Mandate)


def _party(number: int) -> object:
    return convert({**payload_of(i.TOKEN), "signers": [[number]]}, Mandate)


def _begun(ahead: int) -> object:
    payload = {**payload_of(i.TOKEN), "iat": NOW + ahead}
    return _verify(forge(payload, b.ISSUER.key, mandate.MANDATE_TYPE, i.X5C))


def _cosigned_at(age: int) -> object:
    text = m.cosigned(i.OPEN, i.TERMS, party=0, now=NOW - age)
    return cosign.verify_cosigned(
        text, i.TERMS, client_id=b.AGENCY.client_id, mandate=i.HELD, trust=b.TRUST, now=NOW
    )  # fmt: skip


def _cosigners(count: int) -> object:
    sealed = to_builtins(i.TOWN.answer.sealed)
    return convert({**sealed, "cosigned": ["x~y"] * count}, presentation.RegieSealed)


LIMITS: dict[str, tuple[Callable[[int], object], str] | tuple[Callable[[int], object], str, str | None, bool]] = {
    "mandate.MAX_MANDATE_BYTES": (_token_of, "bad_mandate"),
    "mandate.MAX_SHOWN_MANDATE_CHARS": (_shown_of, "bad_form"),
    "mandate.MAX_LOCKS": (_locks, "bad_form"),
    "mandate.MAX_PARTIES": (_party, "bad_form", None, True),
    "mandate.MAX_CLOCK_SKEW": (_begun, "bad_mandate"),
    "presentation.MAX_COSIGNED": (_cosigners, "bad_form"),
}
ALSO = {"cosign.COSIGN_AGE": (_cosigned_at, "stale_key_binding")}
