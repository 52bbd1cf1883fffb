"""Which resident has logged in, by the claims of a verified ID token. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from issuer.brp import Bsn, parse_bsn
from protocol.errors import Rejected


@dataclass(frozen=True)
class Identity:
    """A resident and how surely he was identified: `low`, `substantial` or `high`."""

    bsn: Bsn
    loa: str


def decide_identity(claims: Mapping[str, Any], *, bsn_claim: str, levels: Mapping[str, str]) -> Identity:
    """Who it is, and how surely: the level that this issuer gives to the `acr` of the login.

    Raises `Rejected`: `access_denied` without a BSN of good form, or for an `acr` that is not in `levels`.
    """
    acr, number = claims.get("acr"), claims.get(bsn_claim)
    if not isinstance(acr, str) or acr not in levels:
        raise Rejected("access_denied", "the login is not of a kind that is accepted here")
    if not isinstance(number, str):
        raise Rejected("access_denied", "the login does not say who it is")
    try:
        return Identity(parse_bsn(number), levels[acr])
    except Rejected as error:
        raise Rejected("access_denied", "the login does not say who it is") from error
