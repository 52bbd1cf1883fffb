"""Cards that the register has changed since: fetched again in the sets that they had (protocol section 9).

A status list says of a copy that a newer one exists; its issuer then issues the whole batch again, by the
identifier that it gave with it. New copies of a set that an agency has seen are spent on that agency as the old
ones are, and unspent copies with the old data leave the vault.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from protocol.errors import RegieError, Rejected
from wallet.errand_check import find_standings
from wallet.errand_client import meet, refresh
from wallet.errand_receive import Received, deliver, named
from wallet.opened import OpenWallet
from wallet.receive import find_source, plan_batches
from wallet.records import Access, Copy

MAX_AGAIN = 16
"""Batches asked for again at once; the rest comes the next time."""


@dataclass
class RenewReport:
    """`received`: what came again; `stuck`: cards that are out of date and that the issuer named no way to renew;
    `problems`: issuer and code of what went wrong.
    """

    received: list[Received] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def renew_cards(wallet: OpenWallet) -> RenewReport:
    """1. which copies are out of date; 2. of each issuer's, the batches that have not come again yet; 3. fetched.

    Never raises for an issuer. Raises `Unavailable` without a trust list.
    """
    report, copies = RenewReport(), wallet.copies()
    standings = find_standings(wallet)  # 1.
    outdated = {
        name: copies[name]
        for name, standing in standings.items()
        if standing == "superseded" and name in copies and not has_newer(copies[name], copies)
    }
    accesses = wallet.vault.all("accesses", Access)
    for name, access in accesses.items():  # 2.
        wanted = batches_again(access, outdated.values())
        if not wanted or access.refresh_token is None:
            continue
        try:
            report.received += _fetch_again(wallet, name, access, wanted)  # 3.
        except RegieError as error:
            report.problems.append((access.issuer, error.code))
    report.stuck = sorted({copy.configuration for copy in outdated.values() if not _can_come(copy, accesses)})
    return report


def has_newer(copy: Copy, copies: Mapping[str, Copy]) -> bool:
    """Whether the same card is here anew, in the same set."""
    place = (copy.issuer, copy.vct, copy.set_id, copy.mandate)
    return any(
        (other.issuer, other.vct, other.set_id, other.mandate) == place and other.received > copy.received
        for other in copies.values()
    )


def batches_again(access: Access, outdated: Collection[Copy]) -> dict[str, list[str]]:
    """Identifiers by configuration, of what came with this access."""
    found: dict[str, list[str]] = {}
    for copy in outdated:
        if copy.identifier and _came_with(copy, access):
            names = found.setdefault(copy.configuration, [])
            if copy.identifier not in names and sum(map(len, found.values())) < MAX_AGAIN:
                names.append(copy.identifier)
    return {configuration: names for configuration, names in found.items() if names}


def _came_with(copy: Copy, access: Access) -> bool:
    return (
        copy.issuer in access.signed_by
        and copy.configuration in access.configurations
        and copy.mandate == access.mandate
    )


def _can_come(copy: Copy, accesses: Mapping[str, Access]) -> bool:
    return bool(copy.identifier) and any(
        _came_with(copy, access) and access.refresh_token is not None for access in accesses.values()
    )


def _fetch_again(wallet: OpenWallet, name: str, access: Access, wanted: Mapping[str, list[str]]) -> list[Received]:
    """Raises `Rejected`: those of `refresh` and `deliver`; `wrong_identifier` when it gives something else."""
    if access.mandate is not None:
        raise Rejected("mandate_unsupported", "cards under a mandate are renewed by taking the mandate again")
    source = find_source(access.issuer, wallet.trust_list())
    client = meet(wallet, source, login=access.client_id is not None, server=None, known=access)
    batches = plan_batches(client.metadata, list(wanted), client.source)
    renewed, token = refresh(wallet, client, name, access, wanted)
    received: list[Received] = []
    for batch in batches:
        for identifier in named(token, batch):
            if identifier not in wanted[batch.configuration]:
                raise Rejected("wrong_identifier", "the issuer names another batch than the one asked for")
            received += deliver(wallet, client, renewed, [(batch, identifier)])
    return received
