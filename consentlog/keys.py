"""The private keys of a log as they lie in its home now, and what the registrar is to list of them.

While a key rotates there are two of its kind (`service.keyring`): both sign, both open. An old deposit key is kept
for a day after its rotation, for deposits that were sealed before, and then goes.
"""

from collections.abc import Sequence

import msgspec

from protocol.canonical import b64u_encode, parse_struct
from protocol.keys import Ed25519Private, Es256Private, MlDsa44Private
from protocol.note import NoteSigner, SignatureType
from protocol.seal import KEM_SEED_BYTES, KemPrivate
from protocol.trust_list import TrustedLog
from protocol.x509 import x5c
from service.certificates import SIGNING, load_certificate
from service.home import MAX_FILE_BYTES, Home
from service.keyring import Keyring

LOG_KEY, PQ_KEY, RECEIPT_KEY, DEPOSIT_KEY = "log-key", "pq-key", "receipt-key", "deposit-key"
OLD_DEPOSIT_KEY = "deposit-key-old"
STATUS = "status"
ENTRY = "entry.json"
OLD_DEPOSIT_SECONDS = 24 * 3600
"""A deposit is sealed when a resident grants and sent within the life of a ticket, an hour: a day is ample."""


class LogKeyring:
    """The keys of the log `origin`. Thread-safe; what a rotation changes shows at the next question."""

    def __init__(self, home: Home, origin: str) -> None:
        self._home = home
        self.log = Keyring(home, LOG_KEY, lambda seed: NoteSigner(origin, Ed25519Private(seed)))
        self.post_quantum = Keyring(
            home,
            PQ_KEY,
            lambda seed: NoteSigner(origin, MlDsa44Private(seed), SignatureType.MLDSA44_COSIGNATURE),
        )
        self.receipts = Keyring(
            home, RECEIPT_KEY, lambda seed: NoteSigner(f"{origin}/receipts", Ed25519Private(seed))
        )
        self.deposits = Keyring(home, DEPOSIT_KEY, KemPrivate)
        self._old_deposits = Keyring(home, OLD_DEPOSIT_KEY, _with_end)
        self._status_home = Home(home.path / STATUS)

    def checkpoint_signers(self) -> Sequence[NoteSigner]:
        """Sign every checkpoint: Ed25519, and ML-DSA-44 where this log has such a key."""
        return self.log.all() + self.post_quantum.all()

    def deposit_keys(self, now: int) -> Sequence[KemPrivate]:
        """Open deposits; the old one of a rotation until its day is over, when it is destroyed."""
        if any(until <= now for _, until in self._old_deposits.all()):
            self._home.remove(OLD_DEPOSIT_KEY)
        return self.deposits.all() + tuple(key for key, _ in self._old_deposits.all())

    def keep_old_deposit_key(self, until: int) -> None:
        """Before the key in use is replaced: it opens deposits until then."""
        self._home.write_secret(OLD_DEPOSIT_KEY, self._home.read_secret(DEPOSIT_KEY) + until.to_bytes(8, "big"))

    def status_certificate(self, now: int) -> tuple[Es256Private, list[str]] | None:
        """What signs Token Status Lists: key and `x5c`; None for a home from before there were any.

        Raises `Rejected` as `load_certificate` does.
        """
        if not (self._status_home.path / SIGNING).exists():
            return None
        key, leaf = load_certificate(self._status_home, now)
        return key, x5c([leaf.der])

    def entry(self, listed: TrustedLog) -> TrustedLog:
        """`listed` with the keys that are here now, for the registrar."""
        log, pq = self.log.all(), self.post_quantum.all()
        return msgspec.structs.replace(
            listed,
            vkey=str(log[0].key),
            pq_vkey=str(pq[0].key) if pq else None,
            also=[str(signer.key) for signer in (*log[1:], *pq[1:])],
            # The latest: who still has the list of before reads the other signature, or seals to the other key.
            receipt_vkey=str(self.receipts.all()[-1].key),
            deposit_key=b64u_encode(self.deposits.all()[-1].public_bytes()),
        )


def _with_end(data: bytes) -> tuple[KemPrivate, int]:
    return KemPrivate(data[:KEM_SEED_BYTES]), int.from_bytes(data[KEM_SEED_BYTES:], "big")


def read_entry(home: Home) -> TrustedLog:
    """The entry as it was given to the registrar last. Raises `Rejected`: `no_home`."""
    return parse_struct(home.read(ENTRY), TrustedLog, max_bytes=MAX_FILE_BYTES)
