"""A log with one grant, two reads, a refusal and a revocation, and every opening: honest unless a test bends it.

Import as `from tests.auditor.history import History`.
"""

from typing import Any

from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.checkpoint import VerifiedCheckpoint, verify_checkpoint
from protocol.consent_api import Kind, Opening
from protocol.leaf import LeafType, Message, Read, Refusal, Revocation, commitment, event_tag
from protocol.presentation import grant_opening
from protocol.reading import refusal_opening
from protocol.revocation_code import revocation_secret
from protocol.trust_list import Agency
from tests.protocol import granting
from tests.protocol.builders import NOW, TRUST
from tests.protocol.granting import HUISNUMMER, OPENING_KEY, POSTCODE, TAG_KEY

_CLASSES = {
    "read": (Read, LeafType.READ),
    "refusal": (Refusal, LeafType.REFUSAL),
    "message": (Message, LeafType.MESSAGE),
}


class History:
    """`town` is a grant of `granting`; its `MiniLog` appends whatever it is told."""

    def __init__(self, **terms: Any) -> None:
        self.town = granting.town(**terms)
        self.log = self.town.log
        self.openings: dict[int, Opening] = {}
        self.open(0, "grant", grant_opening(granting.neighbour()).decode(), slot=0)
        self.open(1, "grant", grant_opening(self.town.terms).decode(), slot=1)

    def open(self, index: int, kind: Kind, text: str, *, slot: int, n: int | None = None) -> None:
        """Note what an entry opens to."""
        self.openings[index] = Opening(index, kind, b64u_encode(OPENING_KEY), text, slot, n)

    def event(self, kind: Kind, text: str, n: int, *, slot: int | None = None) -> int:
        """Append a read, refusal or message leaf with its opening; its index."""
        leaf_class, leaf_type = _CLASSES[kind]
        commit = commitment(OPENING_KEY, leaf_type, text.encode())
        index = self.log.append(leaf_class(event_tag(TAG_KEY, leaf_type, n), commit))
        self.open(index, kind, text, slot=self.town.slot if slot is None else slot, n=n)
        return index

    def read(self, n: int, *places: Any, **members: Any) -> int:
        """An admitted READ."""
        token = self.town.make_read(*(places or (POSTCODE,)), **{"read_id": read_id(n), **members})
        return self.event("read", token, n)

    def refuse(self, n: int, reason: str = "out_of_scope", **members: Any) -> int:
        """A refused READ: of what was not granted, unless it is made otherwise."""
        made = {"claims": [b64u_encode(sha256(b"not granted"))], "read_id": read_id(100 + n), **members}
        token = self.town.make_read(HUISNUMMER, **made)
        return self.event("refusal", refusal_opening(token, reason).decode(), n)  # type: ignore[arg-type]

    def revoke(self) -> int:
        """The grant ends."""
        self.log.revoke(self.town.grant_index, self.town.slot)
        return len(self.log.leaves) - 1

    def checkpoint(self, time: int = NOW) -> VerifiedCheckpoint:
        """A head and a checkpoint that both cosigners signed."""
        return verify_checkpoint(self.log.publish(time), granting.LOG_KEY)


def read_id(number: int) -> str:
    """A READ's own name, 16 bytes."""
    return b64u_encode(number.to_bytes(16, "big"))


def honest() -> History:
    """Reads 0 and 1, a refusal, then the revocation."""
    history = History()
    history.read(0)
    history.read(1)
    history.refuse(0)
    history.revoke()
    return history


def revocation_of(history: History) -> Revocation:
    """The leaf that would end the grant."""
    return Revocation(history.town.grant_index, history.town.slot, revocation_secret(granting.CODE, 1))


def lock_of_town(history: History) -> bytes:
    """32 bytes."""
    return b64u_decode(history.town.terms.lock)


def listed(oin: str, time: int) -> Agency:
    """The agency as it is listed, whatever the time."""
    return TRUST.agency(oin)
