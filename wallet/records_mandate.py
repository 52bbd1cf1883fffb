"""What the vault keeps of mandates (protocol section 10). As in `records`: a new member has a default."""

import msgspec

from protocol.mandate_api import RepresentationKind


class MandateRecord(msgspec.Struct, frozen=True):
    """A mandate that this wallet is a party to; its name in the vault is its hash, b64u.

    `number`: what the resident calls it by; `token`: as the issuer signed it; `issuer`: its identifier, and `id`
    what it calls the mandate; `seed` (b64u, 32 bytes): of every party, the codes of all grants come from it;
    `kind`: on what ground somebody acts; `party`: which one we are, 0 the represented; `name`: of the represented,
    as the register has it. `ended_at`: when a party or the register ended it, as far as known here. `next_code`:
    codes below it were used here. `scanned`: for each log the leaf from which to look for acts of others;
    `is_closed`: no more can come.
    """

    number: int
    token: str
    issuer: str
    id: str
    seed: str
    party: int
    kind: RepresentationKind
    name: str
    until: int
    taken_at: int
    ended_at: int | None = None
    next_code: int = 0
    scanned: dict[str, int] = {}
    is_closed: bool = False

    def is_over(self, now: int) -> bool:
        """Whether nothing can be given under it any more, as far as known here."""
        return self.ended_at is not None or now >= self.until


class Joint(msgspec.Struct, frozen=True):
    """What a grant still needs from other parties of its mandate: one of each of `groups` has to sign T as well.

    `proposal`: its id on the issuer's board, None while it could not be put there; `cosigned`: what came, if good.
    """

    groups: list[list[int]]
    proposal: str | None = None
    cosigned: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether somebody of every group has signed."""
        return len(self.cosigned) >= len(self.groups)
