"""Shares dealt over several operators: any `needed` of them release a share, one fewer know nothing (**ours**).

Protocol section 4. Replicated XOR: with k needed of n there is a random piece for each set of k - 1 operators, and
everybody *outside* that set gets it. Any k operators hold all pieces between them; of k - 1 there is exactly the
piece named after them that they lack, and without it every share is as good as random.

What is combined is never a piece, but HMAC(piece, digest) for one claim: a read of one attribute opens no other.
T holds a digest of each piece, against which an operator checks its own when they arrive, and of each share.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from protocol.canonical import b64u_decode, b64u_encode, is_equal, sha256
from protocol.errors import Rejected
from protocol.presentation import claim_shares, share_digest, xor
from protocol.reading import SHARE_BYTES
from protocol.seal import KemPrivate, hpke_open, hpke_seal
from protocol.terms import Claim, Operators, Terms, terms_hash

Pieces: TypeAlias = tuple[bytes, ...]
"""32 bytes each, in the order of `subsets`; of one operator: only those it holds."""


@dataclass(frozen=True)
class Dealing:
    """All pieces of one grant, as only the wallet that drew them knows them."""

    operators: Operators
    pieces: Pieces

    @property
    def b(self) -> bytes:
        """All pieces joined: what `presentation` makes claims and seals disclosures with."""
        return b"".join(self.pieces)

    def pieces_of(self, member: str) -> Pieces:
        """What one operator gets."""
        return tuple(self.pieces[number] for number in held_by(self.operators, member))


@dataclass(frozen=True)
class Combined:
    """The claim shares of a READ, 32 bytes each in its order.

    `agreed`: whose pieces make them; `odd`: who gave others. `liars`: the odd ones, where no k - 1 operators
    together can have made honest ones look odd; else empty.
    """

    shares: tuple[bytes, ...]
    agreed: tuple[str, ...]
    odd: tuple[str, ...]
    liars: tuple[str, ...]


def subsets(count: int, needed: int) -> list[tuple[int, ...]]:
    """Whom each piece is kept from: sets of `needed` - 1 positions of members, in lexicographic order."""
    return list(combinations(range(count), needed - 1))


def held_by(operators: Operators, member: str) -> list[int]:
    """Numbers of the pieces that `member` holds. Raises `ValueError` if it is no member."""
    position = operators.members.index(member)
    return [
        number
        for number, without in enumerate(subsets(len(operators.members), operators.needed))
        if position not in without
    ]


def piece_digest(piece: bytes) -> bytes:
    """H(`regie/piece/v1` || piece), as T holds it."""
    return sha256(b"regie/piece/v1", piece)


def deal(needed: int, members: Sequence[str], random: Callable[[int], bytes]) -> Dealing:
    """Fresh pieces for one version of one grant. Raises `ValueError` for more needed than there are."""
    if not 1 <= needed <= len(members):
        raise ValueError("as many operators are needed as there are, or fewer")
    pieces = tuple(random(SHARE_BYTES) for _ in subsets(len(members), needed))
    digests = [b64u_encode(piece_digest(piece)) for piece in pieces]
    return Dealing(Operators(needed, list(members), digests), pieces)


def _deposit_info(terms: Terms, member: str) -> bytes:
    return b"regie/pieces/v1" + terms_hash(terms) + member.encode("utf-8")


def seal_pieces(deposit_key: bytes, terms: Terms, member: str, pieces: Pieces) -> bytes:
    """One operator's pieces for `POST /v1/deposits`. Raises `Rejected`: `bad_key`."""
    return hpke_seal(deposit_key, b"".join(pieces), _deposit_info(terms, member))


def open_pieces(private: KemPrivate | Sequence[KemPrivate], terms: Terms, member: str, sealed: bytes) -> Pieces:
    """The pieces of `member`, each of them the one that T names. T MUST be checked terms. `private`: several while
    keys rotate.

    Raises `Rejected`: `bad_terms` (no operators, or not this one), `bad_deposit`.
    """
    operators = terms.operators
    if operators is None or member not in operators.members:
        raise Rejected("bad_terms", "the terms name other operators")
    pieces = _open_deposit([private] if isinstance(private, KemPrivate) else private, terms, member, sealed)
    promised = [b64u_decode(operators.pieces[number]) for number in held_by(operators, member)]
    if [piece_digest(piece) for piece in pieces] != promised:
        raise Rejected("bad_deposit", "the deposit is not the pieces that the terms name")
    return pieces


def _open_deposit(keys: Sequence[KemPrivate], terms: Terms, member: str, sealed: bytes) -> Pieces:
    for key in keys:
        with suppress(Rejected):
            return _split(hpke_open(key, sealed, _deposit_info(terms, member)))
    raise Rejected("bad_deposit", "not sealed to this operator for these terms")


def _split(joined: bytes) -> Pieces:
    if len(joined) % SHARE_BYTES:
        raise Rejected("bad_release", "not whole pieces")
    return tuple(joined[start : start + SHARE_BYTES] for start in range(0, len(joined), SHARE_BYTES))


def claim_pieces(claims: Sequence[Claim], pieces: Pieces) -> list[Pieces]:
    """For each claim HMAC(piece, `regie/claim/v1` || digest) of each piece."""
    return list(zip(*(claim_shares(claims, piece) for piece in pieces), strict=True))


def _release_info(member: str, lock: bytes, read_id: bytes, index: int, body_hash: bytes) -> bytes:
    if (len(lock), len(read_id), len(body_hash)) != (32, 16, 32):
        raise ValueError("lock and note hash are 32 bytes, read_id 16")
    place = lock + read_id + index.to_bytes(8, "big") + body_hash
    return b"regie/operator-release/v1" + place + member.encode("utf-8")


def seal_pieces_release(
    reply_key: bytes,
    claims: Sequence[Claim],
    pieces: Pieces,
    member: str,
    *,
    lock: bytes,
    read_id: bytes,
    index: int,
    body_hash: bytes,
) -> bytes:
    """One operator's part of a release: for each claim in READ order, HMAC(piece, claim) for each piece it holds.

    Bound to the operator, the read leaf and the checkpoint. Raises `Rejected`: `bad_key`.
    """
    joined = b"".join(part for parts in claim_pieces(claims, pieces) for part in parts)
    return hpke_seal(reply_key, joined, _release_info(member, lock, read_id, index, body_hash))


def open_pieces_release(
    private: KemPrivate,
    sealed: bytes,
    operators: Operators,
    member: str,
    count: int,
    *,
    lock: bytes,
    read_id: bytes,
    index: int,
    body_hash: bytes,
) -> list[Pieces]:
    """For each of the `count` claims the operator's pieces of its share; right or wrong, `combine` tells.

    Raises `Rejected`: `bad_release` (sealed for something else, or too few).
    """
    try:
        found = _split(hpke_open(private, sealed, _release_info(member, lock, read_id, index, body_hash)))
    except Rejected as error:
        raise Rejected("bad_release", "pieces are not sealed to this read and checkpoint") from error
    held = len(held_by(operators, member))
    if len(found) != count * held:
        raise Rejected("bad_release", "not one piece of each share for each that the operator holds")
    return [found[start : start + held] for start in range(0, len(found), held)]


def combine(
    operators: Operators, claims: Sequence[Claim], given: Mapping[str, Sequence[Pieces]]
) -> Combined | None:
    """The shares of `claims`, once some `needed` operators in `given` agree on pieces that make all of them.

    `given`: what `open_pieces_release` found, by operator. None while no `needed` of them fit: some lie, or more
    must be asked. Raises `Rejected`: `bad_dealing` when all operators answered, all alike, and T's shares do not
    follow: then the wallet dealt pieces that never made them, unless n - k + 1 operators lie alike.

    Who lies: a set of k operators fits only when those of them who hold one piece agree on it. In such a set k - 1
    liars could still have changed two pieces that no honest one of the set holds, so that the change cancels out.
    That takes k - 1 liars with fewer than k - 1 others beside them: from 2k - 2 who agree on, the odd ones lie.
    """
    needed = operators.needed
    found: dict[tuple[tuple[bytes, ...], ...], tuple[bytes, ...]] = {}
    for group in combinations([name for name in operators.members if name in given], needed):
        pieces = _agreed(operators, given, group, len(claims))
        shares = None if pieces is None else _shares_of(claims, pieces)
        if pieces is not None and shares is not None:
            found[pieces] = shares
    if not found:
        _check_dealing(operators, given, len(claims))
        return None
    backed = {pieces: _backing(operators, given, pieces) for pieces in found}
    best = max(backed, key=lambda pieces: len(backed[pieces]))
    odd = tuple(name for name in operators.members if name in given and name not in backed[best])
    is_certain = len(backed[best]) >= 2 * needed - 2
    return Combined(found[best], backed[best], odd, odd if is_certain else ())


def _agreed(
    operators: Operators, given: Mapping[str, Sequence[Pieces]], group: Sequence[str], count: int
) -> tuple[Pieces, ...] | None:
    """All pieces of each claim as the group gives them; None where two of it give one piece differently."""
    rows: list[dict[int, bytes]] = [{} for _ in range(count)]
    for name in group:
        for row, pieces in zip(rows, given[name], strict=True):
            for number, piece in zip(held_by(operators, name), pieces, strict=True):
                if row.setdefault(number, piece) != piece:
                    return None
    return tuple(tuple(row[number] for number in sorted(row)) for row in rows)


def _shares_of(claims: Sequence[Claim], pieces: Sequence[Pieces]) -> tuple[bytes, ...] | None:
    """The shares, if they are those of T."""
    shares = tuple(xor(*row) for row in pieces)
    fits = [is_equal(share_digest(s), b64u_decode(c.share)) for s, c in zip(shares, claims, strict=True)]
    return shares if all(fits) else None


def _backing(
    operators: Operators, given: Mapping[str, Sequence[Pieces]], pieces: Sequence[Pieces]
) -> tuple[str, ...]:
    """Who gave nothing else than these pieces."""
    backing = []
    for name in operators.members:
        held = held_by(operators, name)
        if name in given and list(given[name]) == [tuple(row[number] for number in held) for row in pieces]:
            backing.append(name)
    return tuple(backing)


def _check_dealing(operators: Operators, given: Mapping[str, Sequence[Pieces]], count: int) -> None:
    everybody = operators.members
    if set(everybody) <= set(given) and _agreed(operators, given, everybody, count) is not None:
        raise Rejected("bad_dealing", "all operators agree, and the wallet's terms name other shares")
