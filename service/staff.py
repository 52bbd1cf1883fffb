"""Who of the staff has signed in, by the claims of the organisation's OpenID provider. Pure.

    member = decide_member(claims, config)   # who it is here, and which roles he has

The provider knows people and groups; `StaffConfig.roles` says which of its groups have which role here, and who
has none gets no further than the door.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

import msgspec

from protocol.errors import Rejected
from protocol.openid_connect import Algorithm

MAX_NAME = 128
"""Characters of a name or an id that a provider may give somebody."""
MAX_VALUES = 500
"""Groups of one person that are looked at: a directory may hold hundreds, and no more is believed."""


class StaffConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How staff sign in, by OpenID Connect at `provider` (its issuer identifier).

    `roles` maps a value of `role_claim` (a name, or a path with dots; a text or a list) to a role here. `id_claim`
    is who reads, as it goes hashed into the log; `name_claim` is shown. `levels`: with any, the login's `acr` must
    be one of them, for example a second factor. `client_auth`: by `staff-key.pem` or `staff-secret` of the home.
    """

    provider: str
    client_id: str
    role_claim: str
    roles: dict[str, str]
    id_claim: str = "sub"
    name_claim: str = "name"
    levels: list[str] = []
    scope: str = "openid profile"
    signing_alg: Algorithm = "ES256"
    client_auth: Literal["private_key_jwt", "client_secret_basic"] = "private_key_jwt"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The claims that are needed, wherever the provider says them."""
        return tuple(dict.fromkeys((self.id_claim, self.name_claim, self.role_claim.split(".")[0])))


@dataclass(frozen=True)
class Member:
    """Of the staff. `id` is what the organisation knows him by; `name` is for his own screen."""

    id: str
    name: str
    roles: frozenset[str]


def decide_member(claims: Mapping[str, Any], config: StaffConfig) -> Member:
    """Who signed in: 1. in a way that is strong enough; 2. somebody; 3. with a role here.

    Raises `Rejected`: `access_denied` (1, 2), `no_role` (3); both 403, and neither names anybody.
    """
    if config.levels and claims.get("acr") not in config.levels:  # 1
        raise Rejected("access_denied", "this way of signing in is not accepted here", status=403)
    id_ = claims.get(config.id_claim)  # 2
    if not _is_name(id_):
        raise Rejected("access_denied", "the provider does not say who signed in", status=403)
    name = claims.get(config.name_claim)
    given = _values(claims, config.role_claim)
    roles = frozenset(config.roles[value] for value in given if value in config.roles)
    if not roles:  # 3
        raise Rejected("no_role", "this account has no role here", status=403)
    return Member(id_, name if _is_name(name) else id_, roles)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    """The texts at `path`: a claim of that very name (which may be a URL), else one step for each dot."""
    found: Any = claims
    for step in (path,) if path in claims else path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return [value for value in values[:MAX_VALUES] if isinstance(value, str)]
