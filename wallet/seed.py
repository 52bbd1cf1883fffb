"""What the wallet's one secret becomes: holder keys for credentials, client keys at issuers, codes for grants.

The seed is drawn once and never changes, so a backup of it brings back every key and every paper code. Holder keys
hang on a random batch number as well: a wallet restored from an older backup never makes the same key twice, which
two issuers or agencies could otherwise link.
"""

from protocol.canonical import b64u_fixed, hkdf_sha256
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.revocation_code import code_from_seed, stop_seed_of
from wallet.records import Copy, Secrets
from wallet.records_mandate import MandateRecord

SEED_BYTES = 32
BATCH_BYTES = 16
_KEY_SECRET_BYTES = 48
OLD_CODES, STOP_CODES = 1, 2
"""How codes come about (`Secrets.codes`): from the wallet seed itself, or from the stop seed."""


def holder_key(secrets: Secrets, batch: str, number: int) -> Es256Private:
    """Key `number` (from 0) of the batch with random id `batch` (b64u, 16 bytes)."""
    info = b"regie/holder/v1" + b64u_fixed(batch, BATCH_BYTES) + number.to_bytes(4, "big")
    return Es256Private.from_secret(hkdf_sha256(_seed(secrets), info, length=_KEY_SECRET_BYTES))


def key_of(secrets: Secrets, copy: Copy) -> Es256Private:
    """The key that the issuer bound a copy to."""
    return holder_key(secrets, copy.batch, copy.number)


def client_keys(secrets: Secrets, client: str) -> tuple[Es256Private, Es256Private]:
    """What the wallet is to one issuer: the key that a wallet provider attests, and that of DPoP proofs.

    `client` is the random name (b64u, 16 bytes) that it has for this issuer alone (HAIP 4.4.1).
    """
    name = b64u_fixed(client, BATCH_BYTES)
    first, second = (
        hkdf_sha256(_seed(secrets), label + name, length=_KEY_SECRET_BYTES)
        for label in (b"regie/client/v1", b"regie/dpop/v1")
    )
    return Es256Private.from_secret(first), Es256Private.from_secret(second)


def grant_code(secrets: Secrets, number: int) -> bytes:
    """Code `number` (from 0), 16 bytes: what revokes and opens one grant (protocol section 4)."""
    root = _seed(secrets) if secrets.codes == OLD_CODES else stop_seed_of(_seed(secrets))
    return code_from_seed(root, number)


def stop_seed(secrets: Secrets) -> bytes:
    """What stands on the stop paper, 16 bytes. Raises `Rejected`: `no_stop_paper`, of a wallet of before."""
    if secrets.codes == OLD_CODES:
        raise Rejected(
            "no_stop_paper",
            "this wallet was made before there were stop papers; print the recovery sheet instead",
            status=409,
        )
    return stop_seed_of(_seed(secrets))


def mandate_code(mandate: MandateRecord, number: int) -> bytes:
    """Code `number` (from 0) of a mandate, 16 bytes: every party can make it, to see and to stop the grant."""
    return code_from_seed(b64u_fixed(mandate.seed, SEED_BYTES), number)


def _seed(secrets: Secrets) -> bytes:
    return b64u_fixed(secrets.seed, SEED_BYTES)
