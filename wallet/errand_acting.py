"""A mandate of this wallet, opened to act under it."""

from protocol.errors import Rejected
from protocol.mandate import verify_mandate
from wallet.mandated import Acting, mandate_ended
from wallet.opened import OpenWallet


def acting_of(wallet: OpenWallet, name: str) -> Acting:
    """The mandate of this number or hash, verified by today's trust list.

    Raises `Rejected`: `unknown_mandate`, `mandate_ended`, `bad_mandate`; `Unavailable` without a trust list.
    """
    key, record = wallet.mandate(name)
    if record.is_over(wallet.now()):
        raise mandate_ended()
    verified = verify_mandate(record.token, wallet.trust_list(), wallet.now())
    if verified.iss != record.issuer:
        raise Rejected("bad_mandate", "this mandate is of another issuer than the one that gave it", status=403)
    return Acting(key, record, verified)
