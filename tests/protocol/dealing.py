"""A grant whose shares are dealt over operators, in memory. Import as `from tests.protocol import dealing`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import VerifiedStanding
from protocol.consent_api import ReadAnswer
from protocol.operators import Dealing, Pieces, deal, seal_pieces_release
from protocol.reading import parse_read
from protocol.terms import Claim
from protocol.trust_list import LogOperators, TrustedWitness, TrustList
from tests.protocol import builders, granting
from tests.protocol.granting import REPLY, Town

NAMES = tuple(f"operator{number}.voorbeeld.example" for number in range(5))
KEYS = {name: builders.kem(name) for name in NAMES}
Lie = Callable[[list[Pieces]], list[Pieces]]


def operator(name: str) -> TrustedWitness:
    """An auditing cosigner that holds shares."""
    key = builders.ed25519(name)
    return TrustedWitness(
        name=name,
        url=f"https://{name}",
        vkey=builders.vkey(name, key, 0x04),
        auditing=True,
        receipt_vkey=builders.vkey(f"{name}/receipts", key),
        deposit_key=b64u_encode(KEYS[name].public_bytes()),
    )


def trust(needed: int, count: int, **changes: Any) -> TrustList:
    """The trust list of `builders`, whose log has these operators."""
    listed = LogOperators(needed=needed, members=list(NAMES[:count]))
    logs = [replace(builders.TRUST.logs[0], operators=listed)]
    witnesses = [*builders.TRUST.witnesses, *(operator(name) for name in NAMES[:count])]
    return builders.trust_list(**{"logs": logs, "witnesses": witnesses, **changes})


@dataclass
class Dealt:
    """An honest grant and the pieces of its share."""

    town: Town
    dealing: Dealing
    trust: TrustList

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.dealing.operators.members)

    def read(
        self, *places: Any, time: int = builders.NOW, **changes: Any
    ) -> tuple[str, ReadAnswer, VerifiedStanding]:
        """(READ, the log's answer at `time`, light check): the log has no shares."""
        token = self.town.make_read(*(places or (granting.POSTCODE,)), **{"iat": time, **changes})
        released, standing = self.town.release(token, shares=[], time=time)
        return token, replace(released, sealed=None), standing

    def claims(self, token: str) -> list[Claim]:
        by_digest = {claim.digest: claim for claim in self.town.terms.claims}
        return [by_digest[digest] for digest in parse_read(token).read.claims]

    def release(
        self, name: str, token: str, released: ReadAnswer, standing: VerifiedStanding, pieces: Pieces | None = None
    ) -> str:
        """What one operator answers; `pieces`: others than its own."""
        read = parse_read(token).read
        sealed = seal_pieces_release(
            REPLY.public_bytes(),
            self.claims(token),
            self.dealing.pieces_of(name) if pieces is None else pieces,
            name,
            lock=b64u_decode(read.lock),
            read_id=b64u_decode(read.read_id),
            index=released.index,
            body_hash=standing.checkpoint.body_hash,
        )
        return b64u_encode(sealed)

    def open(self, token: str, released: ReadAnswer, standing: VerifiedStanding, pieces: dict[str, str]) -> Any:
        return self.town.open(token, released, standing, pieces=pieces, trust=self.trust)

    def open_with(self, names: Iterable[str], *places: Any) -> Any:
        """A read that these operators release."""
        token, released, standing = self.read(*places)
        return self.open(
            token, released, standing, {name: self.release(name, token, released, standing) for name in names}
        )


def dealt(needed: int, count: int, *, seed: str = "deal", **changes: Any) -> Dealt:
    """A grant of all three attributes, its shares dealt to `count` operators; `changes`: arguments of `town`."""
    dealing = deal(needed, NAMES[:count], builders.random_of(seed))
    town = granting.town(b=dealing.b, operators=dealing.operators, **changes)
    return Dealt(town, dealing, trust(needed, count))
