"""Mandates for tests: a parent (party 1), another (2) and the child itself (0), for the resident of `builders`.

Import as `from tests.protocol import mandates`. Nothing here is random.
"""

from collections.abc import Sequence
from typing import Any

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode, convert, sha256
from protocol.cosign import cosign
from protocol.credential import split_sd_jwt
from protocol.keys import Es256Private
from protocol.mandate import Mandate, lock_digests, mandate_hash, show_mandate, sign_mandate
from protocol.revocation_code import code_from_seed, lock_for
from protocol.terms import Terms
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY, DAY, ISSUER, ISSUER_ID, NOW, PERSOON

SEED = sha256(b"seed of a mandate")
CODE = code_from_seed(SEED, 0)
HOLDERS = {party: builders.es256(f"holder of party {party}") for party in range(4)}


def mandate(**changes: Any) -> Mandate:
    """Party 1 alone, every attribute and service, for 300 days; `changes` as JSON."""
    members: dict[str, Any] = {
        "iss": ISSUER_ID,
        "iat": NOW,
        "until": NOW + 300 * DAY,
        "id": b64u_encode(bytes(16)),
        "signers": [[1]],
        "locks": lock_digests(SEED),
    }
    return convert({**members, **changes}, Mandate)


def token(signer: builders.Party = ISSUER, **changes: Any) -> str:
    """The compact JWS."""
    return sign_mandate(mandate(**changes), signer.key, signer.x5c)


def shown(text: str, *, code: bytes = CODE, version: int = 1) -> str:
    """`JWS~salt` for the lock of this code."""
    return show_mandate(text, code, version)


def lock(version: int = 1, code: bytes = CODE) -> str:
    """The lock of the first code, as it stands in T."""
    return b64u_encode(lock_for(code, version))


def behalf(text: str) -> str:
    """T.on_behalf_of."""
    return b64u_encode(mandate_hash(text))


def card(text: str, vct: str = ADRES, *, party: int = 1, **changes: Any) -> str:
    """A credential of the represented person for this party; `text`: the mandate."""
    members: dict[str, Any] = {
        "holder": HOLDERS[party].public,
        "mandate": mandate_hash(text),
        "party": party,
        "set_id": builders.set_id(f"set of party {party}"),
        "random": builders.random_of(f"mandated {vct} {party}"),
    }
    return builders.credential(vct, **{**members, **changes})


def cards(text: str, *, party: int = 1, **changes: Any) -> dict[str, str]:
    """Both cards that the request of `granting` asks, by its query ids."""
    return {
        name: card(text, vct, party=party, **changes) for name, vct in (("adres", ADRES), ("persoon", PERSOON))
    }


def cosigned(
    text: str,
    terms: Terms,
    *,
    party: int,
    holder: Es256Private | None = None,
    now: int = NOW,
    audience: str = AGENCY.client_id,
    **changes: Any,
) -> str:
    """This party agrees to T; `changes` are those of its card."""
    jwt = split_sd_jwt(card(text, party=party, **changes)).jwt
    return cosign(jwt, holder or HOLDERS[party], terms, client_id=audience, now=now)


def every_name(but: Sequence[str] = ()) -> list[dict[str, Any]]:
    """`claims` with all attributes but these; flags are never named."""
    return [
        {"vct": kind.vct, "names": [name for name in kind.names if name not in (*kind.flags, *but)]}
        for kind in CREDENTIAL_TYPES.values()
    ]
