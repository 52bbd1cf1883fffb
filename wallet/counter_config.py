"""config.json of a counter where residents without a wallet hand in forms on paper."""

from typing import Any, Literal

import msgspec

from protocol.errors import Rejected
from protocol.issuer_metadata import check_url
from service.staff import StaffConfig

ROLES = ("clerk", "manager")


class CounterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`url`: where the officers open it; `trust_list`: path or URL; `registrar`: the public JWK that signs it."""

    role: Literal["counter"]
    url: str
    name: str
    trust_list: str
    registrar: dict[str, Any]
    staff: StaffConfig | None = None


def check_counter_url(url: str) -> str:
    """https, http only on this machine; no query and no slash at its end. Raises `Rejected`: `bad_url`."""
    check_url(url, "bad_url")
    if "?" in url or url.endswith("/"):
        raise Rejected("bad_url", "the URL of a counter has no query and no slash at its end")
    return url
