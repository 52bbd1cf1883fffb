"""What the vault keeps of refreshes (protocol section 9). As in `records`: a new member has a default."""

import msgspec

from protocol.consent_api import GrantRequest
from protocol.presentation import SealedDisclosure
from protocol.terms import Terms
from wallet.records import Deposit


class RefreshIntent(msgspec.Struct, frozen=True):
    """A newer version of a grant, from before it is sent until the log has answered; named by the grant's id.

    Members as in `GrantRecord`; `body` is sent byte for byte the same each time.
    """

    body: GrantRequest
    copies: dict[str, str]
    sealed: list[SealedDisclosure]
    share_a: str
    deposits: list[Deposit]
    made_at: int


class EarlierVersion(msgspec.Struct, frozen=True):
    """A version of a grant that a refresh replaced: what its entries in the log are held against. Named
    `grant/version`; versions count from 1. `ended_at`: POSIX seconds.
    """

    grant: str
    terms: Terms
    slot: int
    index: int | None
    opening_key: str
    copies: dict[str, str]
    ended_at: int

    @property
    def name(self) -> str:
        """Its name in the vault."""
        return f"{self.grant}/{self.terms.version}"
