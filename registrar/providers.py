"""Who attests wallets and who signs registration certificates: the rules of what may be listed."""

import msgspec

from protocol.canonical import sha256
from protocol.errors import Rejected
from protocol.trust_list import MAX_ROOTS, WalletProvider
from protocol.x509 import parse_der_base64
from registrar.draft import Draft, check_party_name, check_roots, check_url, put


def add_wallet_provider(draft: Draft, provider: WalletProvider, now: int) -> Draft:
    """1. name and URL; 2. roots in force and nobody else's. An entry under a known id replaces it.

    Raises `Rejected`: `bad_text`, `misleading_name`, `bad_url`, `bad_root`, `root_taken`.
    """
    check_party_name(provider.name)
    check_url(provider.id)
    check_roots(draft, f"wallet-provider {provider.id}", provider.roots, now)
    return msgspec.structs.replace(draft, wallet_providers=put(draft.wallet_providers, provider, lambda e: e.id))


def add_registration_root(draft: Draft, root: str, now: int) -> Draft:
    """`root`: DER in standard base64, in force and nobody else's; one that is listed changes nothing.

    Raises `Rejected`: `too_many_roots`, `bad_root`, `root_taken` and those of certificates.
    """
    roots = list(dict.fromkeys([*draft.registration_roots, root]))
    if len(roots) > MAX_ROOTS:
        raise Rejected("too_many_roots", f"a list names at most {MAX_ROOTS} roots of registration certificates")
    check_roots(draft, "registration", [root], now)
    return msgspec.structs.replace(draft, registration_roots=roots)


def remove_registration_root(draft: Draft, thumbprint: str) -> Draft:
    """By the SHA-256 of its DER, as `show` prints it. Raises `Rejected`: `not_listed`."""
    kept = [root for root in draft.registration_roots if thumbprint_of(root) != thumbprint]
    if len(kept) == len(draft.registration_roots):
        raise Rejected("not_listed", "no root of registration certificates has this thumbprint")
    return msgspec.structs.replace(draft, registration_roots=kept)


def thumbprint_of(root: str) -> str:
    """SHA-256 of a root in hexadecimal: base64url might begin with a hyphen, as an option of a command does."""
    return sha256(parse_der_base64(root)).hex()
