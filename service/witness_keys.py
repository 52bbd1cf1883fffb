"""The keys of a cosigner, a plain witness or an auditing one: Ed25519, and ML-DSA-44 where it wants a second.

    keys = CosignerKeys(home, "witness.example.nl", "witness-key")
    witness = Witness(engine, keys.signers, clock, log_key)

All of them cosign every checkpoint; a policy that the registrar makes asks one of each kind and counts them once.
"""

from collections.abc import Callable, Sequence

import msgspec

from protocol.errors import Rejected
from protocol.keys import Ed25519Private, MlDsa44Private
from protocol.note import NoteSigner, SignatureType
from protocol.trust_list import TrustedWitness, TrustList
from service.home import Home
from service.keyring import Keyring
from service.trust import LISTED_SECONDS

SEED_BYTES = 32


class CosignerKeys:
    """Of the cosigner `name` in `home`; `key` is the file of its Ed25519 key. Thread-safe."""

    def __init__(self, home: Home, name: str, key: str) -> None:
        self._home = home
        self._name = name
        self.post_quantum_name = f"{key}-pq"
        self._classic = Keyring(
            home, key, lambda seed: NoteSigner(name, Ed25519Private(seed), SignatureType.COSIGNATURE)
        )
        self._post_quantum = Keyring(
            home,
            self.post_quantum_name,
            lambda seed: NoteSigner(name, MlDsa44Private(seed), SignatureType.MLDSA44_COSIGNATURE),
        )

    def signers(self) -> Sequence[NoteSigner]:
        """Sign every checkpoint: one or, while it rotates, two of a kind."""
        return self._classic.all() + self._post_quantum.all()

    def entry(self, listed: TrustedWitness) -> TrustedWitness:
        """`listed` with the keys that are here now, for the registrar. Raises `Rejected`: `no_home`."""
        signers = self.signers()
        if not signers:
            raise Rejected("no_home", "the cosigning key is missing: initialise this home first")
        first, *others = [str(signer.key) for signer in signers]
        return msgspec.structs.replace(listed, vkey=first, also=others)

    def begin(self, random: Callable[[int], bytes], *, post_quantum: bool) -> None:
        """Make the next key of the kind (its first one where there is none): it cosigns from now on.

        Raises `Rejected`: `rotation_under_way`.
        """
        ring = self._post_quantum if post_quantum else self._classic
        if ring.all():
            ring.begin(random(SEED_BYTES))
        else:
            ring.create(random(SEED_BYTES))

    def finish(self, trust: TrustList, now: int, *, post_quantum: bool) -> None:
        """The next key is the one in use, and the old one is gone.

        1. a rotation is under way; 2. the list in force names the new key, 3. for long enough.

        Raises `Rejected`: `no_rotation`, `not_listed`, `too_soon`.
        """
        ring = self._post_quantum if post_quantum else self._classic
        following = ring.next()
        if following is None:  # 1.
            raise Rejected("no_rotation", "no rotation of this key is under way", status=409)
        listed = trust.witness(self._name)
        if str(following.key) not in (listed.vkey, *listed.also):  # 2.
            raise Rejected("not_listed", "give entry.json to the registrar first: the new key is not listed yet")
        if now < trust.iat + LISTED_SECONDS:  # 3.
            raise Rejected("too_soon", f"wait until the list has been in force for {LISTED_SECONDS} seconds")
        ring.finish()
