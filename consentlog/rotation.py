"""`regie log rotate`: a new key without a moment in which anybody is refused (docs/rotation.md).

A command that was killed half-way is given once more: also when it then says that there is nothing left to do, the
entry is what the keys are.

`begin` makes the next key; from then on both sign and both open. The registrar lists it. `finish` lets the old key
go, once the list in force names the new one and everybody has had time to fetch that list.
"""

from collections.abc import Callable

import msgspec

from consentlog.keys import ENTRY, OLD_DEPOSIT_SECONDS, LogKeyring, read_entry
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.note import NoteSigner
from protocol.policy import MAX_AGE
from protocol.seal import KEM_SEED_BYTES, KemPrivate
from protocol.trust_list import RetiredKey, TrustedLog, TrustList
from service.home import Home
from service.keyring import Keyring
from service.trust import LISTED_SECONDS

KINDS = ("log-key", "pq-key", "receipt-key", "deposit-key")
SEED_BYTES = 32


class Rotation:
    """Of the keys of the log `origin` in `home`."""

    def __init__(self, home: Home, origin: str) -> None:
        self._home = home
        self._origin = origin
        self._keys = LogKeyring(home, origin)

    def begin(self, kind: str, random: Callable[[int], bytes]) -> TrustedLog:
        """Make the next key of `kind` (for a log without a post-quantum key: its first), and the entry to list.

        Raises `Rejected`: `rotation_under_way`.
        """
        ring = self._ring(kind)
        seed = random(KEM_SEED_BYTES if kind == "deposit-key" else SEED_BYTES)
        try:
            if ring.all():
                ring.begin(seed)
            else:
                ring.create(seed)
        finally:
            entry = self._write_entry([])
        return entry

    def finish(self, kind: str, trust: TrustList, now: int) -> TrustedLog:
        """The next key is the one in use from now on; the entry to list, with the old key as retired.

        1. a rotation is under way; 2. the list in force names the new key, 3. for long enough.
        Raises `Rejected`: `no_rotation`, `not_listed`, `too_soon`.
        """
        ring = self._ring(kind)
        following = ring.next()
        if following is None:  # 1.
            self._write_entry([])
            raise Rejected("no_rotation", "no rotation of this key is under way", status=409)
        if not _is_listed(following, trust.log(self._origin)):  # 2.
            raise Rejected("not_listed", "give entry.json to the registrar first: the new key is not listed yet")
        if now < trust.iat + LISTED_SECONDS:  # 3.
            raise Rejected("too_soon", f"wait until the list has been in force for {LISTED_SECONDS} seconds")
        old, retired = ring.all()[0], []
        if isinstance(old, NoteSigner):
            # What it signed until this moment may still be cosigned.
            retired = [RetiredKey(vkey=str(old.key), until=now + MAX_AGE)]
        else:
            self._keys.keep_old_deposit_key(now + OLD_DEPOSIT_SECONDS)
        self._write_entry(retired)  # before the key is gone: afterwards nobody knows it
        ring.finish()
        return self._write_entry([])

    def _ring(self, kind: str) -> Keyring[NoteSigner] | Keyring[KemPrivate]:
        keys = self._keys
        if kind == "deposit-key":
            return keys.deposits
        return {"log-key": keys.log, "pq-key": keys.post_quantum, "receipt-key": keys.receipts}[kind]

    def _write_entry(self, retired: list[RetiredKey]) -> TrustedLog:
        entry = read_entry(self._home)
        again = {key.vkey for key in retired}
        kept = [key for key in entry.retired if key.vkey not in again]
        entry = self._keys.entry(msgspec.structs.replace(entry, retired=[*kept, *retired]))
        self._home.write_json(ENTRY, entry)
        return entry


def _is_listed(key: NoteSigner | KemPrivate, log: TrustedLog) -> bool:
    """Whether readers know the key."""
    if isinstance(key, KemPrivate):
        return log.deposit_key == b64u_encode(key.public_bytes())
    return str(key.key) in {log.vkey, log.pq_vkey, log.receipt_vkey, *log.also}
