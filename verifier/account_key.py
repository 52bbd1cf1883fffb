"""The key of the account of officers: of two or more people any two open it, one alone knows nothing. Pure.

A secret of 32 bytes is the XOR of one piece for each person, and everybody gets all pieces but the own one
(replicated XOR, as operators hold shares; protocol section 4). What a person holds is wrapped under a passphrase
of the own (Argon2id), so it may lie in the home: a thief of the home has to guess two of them.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.passphrase import Profile, Random, WrappedKey, check_passphrase, unwrap_key, wrap_key
from protocol.presentation import xor
from protocol.seal import KEM_SEED_BYTES, KEY_BYTES, KemPrivate

MIN_PERSONS, MAX_PERSONS = 2, 6
_PURPOSE = b"regie/account-key/v1"

Label = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person; `pieces`: all but the own one, in order, 32 bytes each."""

    name: Label
    pieces: WrappedKey


class KeyRing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`public`: b64u, to which entries are sealed. `holders`: any two of them open."""

    public: str
    holders: Annotated[list[Holder], msgspec.Meta(min_length=MIN_PERSONS, max_length=MAX_PERSONS)]

    @property
    def key(self) -> bytes:
        """The public key as bytes."""
        return b64u_decode(self.public)


def make_ring(passphrases: Mapping[str, bytes], profile: Profile, random: Random) -> KeyRing:
    """A fresh key, dealt. Raises `Rejected`: `two_people`, `same_passphrase`, `weak_passphrase`."""
    if not MIN_PERSONS <= len(passphrases) <= MAX_PERSONS:
        raise Rejected("two_people", f"name {MIN_PERSONS} to {MAX_PERSONS} different people")
    if len(set(passphrases.values())) < len(passphrases):
        raise Rejected("same_passphrase", "each person has a passphrase of the own, that no other one knows")
    for passphrase in passphrases.values():
        check_passphrase(passphrase)
    pieces = [random(KEY_BYTES) for _ in passphrases]
    private = _private_of(reduce(xor, pieces))
    holders = [
        Holder(name, wrap_key(b"".join(pieces[:own] + pieces[own + 1 :]), passphrase, profile, _PURPOSE, random))
        for own, (name, passphrase) in enumerate(passphrases.items())
    ]
    return KeyRing(b64u_encode(private.public_bytes()), holders)


def open_ring(ring: KeyRing, passphrases: Mapping[str, bytes]) -> KemPrivate:
    """The private key, by two people of the ring.

    Raises `Rejected`: `two_people` 403 for another number of them, `unknown_person` 404, `wrong_passphrase` 403.
    """
    if len(passphrases) != 2:
        raise Rejected("two_people", "two different people open it together", status=403)
    places = {holder.name: place for place, holder in enumerate(ring.holders)}
    if not set(passphrases) <= set(places):
        raise Rejected("unknown_person", "the key was not dealt to a person of this name", status=404)
    found: dict[int, bytes] = {}
    for name, passphrase in passphrases.items():
        own = places[name]
        held = unwrap_key(ring.holders[own].pieces, passphrase, _PURPOSE)
        others = [place for place in range(len(ring.holders)) if place != own]
        found |= {place: held[i * KEY_BYTES : (i + 1) * KEY_BYTES] for i, place in enumerate(others)}
    private = _private_of(reduce(xor, found.values()))
    if private.public_bytes() != ring.key:
        raise Rejected("wrong_passphrase", "these pieces do not make the key of this account", status=403)
    return private


def _private_of(secret: bytes) -> KemPrivate:
    return KemPrivate(HKDF(SHA256(), KEM_SEED_BYTES, salt=None, info=_PURPOSE).derive(secret))
