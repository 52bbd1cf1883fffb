"""Strangers whom a home trusts by its own configuration, besides the trust list (`anchors.json`, ours).

Issuers, verifiers and wallet providers that the registrar does not list. Nobody signs this file: who can write it
owns the home. A stranger never becomes a listed party: it has no OIN, no services and no grants, and the types of
our vocabulary come from it only where its entry names them.

    {"issuers": [{"id": "https://...", "name": "...", "roots": ["MII..."], "vcts": ["*"]}],
     "verifiers": [{"name": "...", "roots": ["MII..."]}],
     "wallet_providers": [{"id": "https://...", "name": "...", "roots": ["MII..."]}],
     "registration_roots": ["MII..."]}
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from protocol import x509
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.trust_list import MAX_ROOTS, Name, Root, Rooted, TrustList, Url, WalletProvider

MAX_ANCHORS_BYTES = 1024 * 1024
MAX_ANCHORS = 64
"""Of each kind: a chain is held against each of them."""
_PORTS = {"https": 443, "http": 80}
ANY_VCT = "*"
"""Every type but those of our vocabulary."""


class StrangerIssuer(Rooted, frozen=True):
    """`id`: the only `iss` it may use, any when absent; `vcts`: the types it may issue, or `["*"]`."""

    vcts: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=256)]
    id: Url | None = None

    def may_issue(self, vct: str) -> bool:
        """Whether its entry covers this type."""
        return vct in self.vcts or (self.vcts == [ANY_VCT] and vct not in CREDENTIAL_TYPES)


class StrangerVerifier(Rooted, frozen=True):
    """Whoever asks with a certificate under these roots; `name` is for the home's owner, not for residents."""


class Anchors(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """All strangers of a home. `registration_roots`: who signs registration certificates of theirs."""

    issuers: Annotated[list[StrangerIssuer], msgspec.Meta(max_length=MAX_ANCHORS)] = []
    verifiers: Annotated[list[StrangerVerifier], msgspec.Meta(max_length=MAX_ANCHORS)] = []
    wallet_providers: Annotated[list[WalletProvider], msgspec.Meta(max_length=MAX_ANCHORS)] = []
    registration_roots: Annotated[list[Root], msgspec.Meta(max_length=MAX_ROOTS)] = []


NO_ANCHORS = Anchors()
"""Of a home without the file."""


class AnchoredTrust(TrustList, frozen=True):
    """A verified trust list and the anchors of one home; made by `with_anchors`, never signed.

    What the list names stays what it was. `wallet_provider()` and `registration_roots` also have those of the
    anchors; stranger issuers are found by `verify_stranger_issuer`, verifiers by `asker.verify_asker`.
    """

    anchors: Anchors = NO_ANCHORS


@dataclass(frozen=True)
class VerifiedStrangerIssuer:
    """`id`: its `iss`, or what its leaf's SAN says in place of it; made only by `verify_stranger_issuer`."""

    id: str
    issuer: StrangerIssuer
    leaf: x509.VerifiedLeaf


def parse_anchors(data: bytes) -> Anchors:
    """The file: form, every certificate readable, ids named once, `*` alone, registrars under roots of their own.

    Raises `Rejected`: `too_large`, `bad_form`, `bad_certificate`, `bad_key`, `duplicate_entry`, `bad_vcts`,
    `root_taken`.
    """
    anchors = parse_struct(data, Anchors, max_bytes=MAX_ANCHORS_BYTES)
    _check_unique(issuer.id for issuer in anchors.issuers if issuer.id is not None)
    _check_unique(provider.id for provider in anchors.wallet_providers)
    for issuer in anchors.issuers:
        if ANY_VCT in issuer.vcts and len(issuer.vcts) > 1:
            raise Rejected("bad_vcts", "an issuer of any type needs no further types")
    for party in (*anchors.issuers, *anchors.verifiers, *anchors.wallet_providers):
        for der in party.root_certificates:
            x509.subject_name(der)
    taken = {root for asker in anchors.verifiers for root in asker.roots}
    for root in anchors.registration_roots:
        x509.subject_name(x509.parse_der_base64(root))
        if root in taken:
            raise Rejected("root_taken", "who asks could register itself: its root signs no registrations")
    return anchors


def with_anchors(trust: TrustList, anchors: Anchors) -> AnchoredTrust:
    """`trust` for the home that has these anchors. A wallet provider that is listed is not replaced."""
    listed = {provider.id for provider in trust.wallet_providers}
    added = [provider for provider in anchors.wallet_providers if provider.id not in listed]
    members = {name: getattr(trust, name) for name in TrustList.__struct_fields__}
    members["wallet_providers"] = [*trust.wallet_providers, *added]
    members["registration_roots"] = list(dict.fromkeys([*trust.registration_roots, *anchors.registration_roots]))
    return AnchoredTrust(**members, anchors=anchors)


def speaks_for(leaf: x509.VerifiedLeaf, url: str) -> bool:
    """Whether a certificate speaks for `url`: the same URI, or the dNSName of its host (SD-JWT VC 2.5)."""
    if url in leaf.san_uri:
        return True
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host is not None and host in leaf.san_dns


def origin_of(url: str) -> tuple[str, int | None] | None:
    """Host and port of a URL, however it is spelt; None for what is no address of a host (a URN, a DID).

    Raises `Rejected`: `wrong_issuer` for a URL that cannot be read.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Rejected("wrong_issuer", "the issuer's identifier cannot be read") from error
    return None if host is None else (host.rstrip("."), port or _PORTS.get(parts.scheme))


def verify_stranger_issuer(
    anchors: Anchors, chain: Sequence[bytes], *, iss: str | None, vct: str, now: int
) -> VerifiedStrangerIssuer:
    """The stranger whose root this chain (DER, leaf first) leads to and who may issue this type.

    1. an entry for `iss`, or for any; 2. the entry covers `vct`; 3. the chain leads to one of its roots at `now`;
    4. the leaf speaks for `iss`; without `iss` its first URI, else its first dNSName, stands for it (HAIP 6.1.1).
    **Not** checked: whether `iss` is a listed issuer; the caller MUST ask the trust list first.
    Raises `Rejected`: `not_listed`, `vct_not_allowed`, `wrong_issuer` and those of `verify_chain`.
    """
    refusal = Rejected("not_listed", "no anchor of this home is for this issuer", status=403)
    for issuer in anchors.issuers:
        if iss is not None and issuer.id not in (None, iss):  # 1
            continue
        if not issuer.may_issue(vct):  # 2
            refusal = Rejected("vct_not_allowed", "this issuer may not issue this type of credential", status=403)
            continue
        try:
            leaf = x509.verify_chain(chain, issuer.root_certificates, now)  # 3
            return VerifiedStrangerIssuer(_issuer_id(issuer, leaf, iss), issuer, leaf)  # 4
        except Rejected as error:
            refusal = error
    raise refusal


def _issuer_id(issuer: StrangerIssuer, leaf: x509.VerifiedLeaf, iss: str | None) -> str:
    named = issuer.id if iss is None else iss
    if named is None:
        named = next(iter(leaf.san_uri), None) or next((f"https://{name}" for name in leaf.san_dns), None)
        if named is None:
            raise Rejected("wrong_issuer", "neither iss nor the certificate says who the issuer is")
    elif not speaks_for(leaf, named):
        raise Rejected("wrong_issuer", "the certificate does not speak for the issuer")
    return named


def _check_unique(keys: Iterable[Hashable]) -> None:
    seen = list(keys)
    if len(set(seen)) != len(seen):
        raise Rejected("duplicate_entry", "an id is named twice")
