"""Finding what other parties did under a mandate: by its locks, in the public leaves of every log.

The seed of a mandate makes the codes of all its grants, so a grant that another party made is found by its lock,
opened by its code, kept like one's own, looked back on and stopped. Nobody has to tell us of it. One that its code
does not open was made to be hidden: it is stopped at once, and it hides no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import GrantRequest
from protocol.errors import RegieError, Rejected
from protocol.leaf import Grant, parse_leaf
from protocol.log_keys import log_keys
from protocol.policy import parse_policy, satisfied
from protocol.revocation_code import lock_for, view_hash, view_key
from protocol.trust_list import TrustedLog
from wallet.errand_history import look_back
from wallet.errand_leaves import proven_leaves
from wallet.errand_paper import stop_by_code
from wallet.errand_recover import listed_service
from wallet.mandated import codes_of, held_mandate, unknown_locks
from wallet.opened import OpenWallet
from wallet.records import Choice, GrantRecord
from wallet.recover import recover_terms
from wallet.seed import mandate_code

AFTER_END = 3600
"""Seconds after the end of a mandate until no log takes a grant under it any more, whatever its clock says."""
UNOPENED = frozenset({"unauthorized", "missing_event", "bad_event", "bad_terms"})
"""What says that the code of an act does not open it, and never will. Nobody makes such a grant in good faith; of
one whose openings were erased there is nothing left to stop."""
ACT_STOPPED = "act_stopped"
"""Code of the note that such an act was stopped."""
Note: TypeAlias = Callable[[str, RegieError], None]


@dataclass(frozen=True)
class _Wanted:
    """A code of a mandate (its hash), by number."""

    mandate: str
    number: int


def find_acts(wallet: OpenWallet, found: list[str], note: Note) -> None:
    """Look through every listed log for grants under this wallet's mandates; `found` gets their ids, `note` hears
    of logs that fail, and of acts that could not be opened or kept. Raises `Unavailable` without a trust list;
    without mandates nothing is fetched.
    """
    if all(record.is_closed for record in wallet.mandates().values()):
        return
    failed = False
    for log in wallet.trust_list().logs:
        try:
            _walk(wallet, log, found, note)
        except RegieError as error:
            failed = True
            note(log.origin, error)
    if not failed:
        _close(wallet)


def verified_head(wallet: OpenWallet, log: TrustedLog) -> VerifiedCheckpoint:
    """The log's newest checkpoint, witnessed as its policy says. Raises `Rejected`, `Unavailable`."""
    note = wallet.peers.checkpoint(log.url)
    return satisfied(parse_policy(log.policy), note, wallet.now(), log_keys=(log_keys(log),)).checkpoint


def _walk(wallet: OpenWallet, log: TrustedLog, found: list[str], note: Note) -> None:
    """Once through the leaves for all mandates. The marks go along, to the first act that is asked for again."""
    open_ones = {key: record for key, record in wallet.mandates().items() if not record.is_closed}
    checkpoint = verified_head(wallet, log)
    start = min(record.scanned.get(log.origin, 0) for record in open_ones.values())
    if start >= checkpoint.size:
        return
    locks = _locks(wallet, list(open_ones), log.origin)
    again: int | None = None
    for first, leaves in proven_leaves(wallet, log.url, checkpoint, start):
        for index, entry in enumerate(leaves, first):
            leaf = parse_leaf(entry)
            if index >= start and isinstance(leaf, Grant) and leaf.lock in locks:
                is_done = _meet(wallet, log, locks[leaf.lock], index, leaf.slot, found, note)
                again = index if again is None and not is_done else again
        _mark(wallet, list(open_ones), log, first + len(leaves) if again is None else again)


def _mark(wallet: OpenWallet, keys: list[str], log: TrustedLog, end: int) -> None:
    with wallet.vault.transaction():
        for key in keys:
            record = wallet.mandate(key)[1]
            mark = max(record.scanned.get(log.origin, 0), end)
            wallet.keep_mandate(key, replace(record, scanned={**record.scanned, log.origin: mark}))


def _meet(
    wallet: OpenWallet, log: TrustedLog, wanted: _Wanted, index: int, slot: int, found: list[str], note: Note
) -> bool:
    """Keep an act, or stop it when its code does not open it; whether this leaf need not be looked at again.

    Raises `Unavailable`.
    """
    try:
        grant_id = _take(wallet, log, wanted, index, slot)
    except Rejected as error:
        note(_name(wallet, wanted, index), error)
        return error.code in UNOPENED and _stop_unopened(wallet, log, wanted, index, note)
    found.append(grant_id)
    try:
        look_back(wallet, grant_id)
    except Rejected as error:  # it is kept, so it can be stopped, and is looked back on again
        note(grant_id, error)
    return True


def _stop_unopened(wallet: OpenWallet, log: TrustedLog, wanted: _Wanted, index: int, note: Note) -> bool:
    """The seed alone ends it. What the log does not take now waits in the outbox. False: it knows no such lock."""
    mandate = wallet.mandate(wanted.mandate)[1]
    try:
        stop_by_code(wallet, mandate_code(mandate, wanted.number), log_url=log.url)
    except Rejected as error:
        note(_name(wallet, wanted, index), error)
        return False
    used = max(mandate.next_code, wanted.number + 1)
    wallet.keep_mandate(wanted.mandate, replace(mandate, next_code=used))
    note(_name(wallet, wanted, index), Rejected(ACT_STOPPED, "an act that its code does not open was stopped"))
    return True


def _name(wallet: OpenWallet, wanted: _Wanted, index: int) -> str:
    return f"mandate {wallet.mandate(wanted.mandate)[1].number}, entry {index} of the log"


def _locks(wallet: OpenWallet, keys: list[str], origin: str) -> Mapping[bytes, _Wanted]:
    """Of every code under which this wallet has no grant in this log: another log takes the same lock once more,
    and what failed here may have been somebody else's success.
    """
    locks: dict[bytes, _Wanted] = {}
    grants = [one for one in wallet.grants().values() if one.body.terms.log == origin and one.state != "failed"]
    for key in keys:
        record = wallet.mandate(key)[1]
        known = [one.code_number for one in grants if one.mandate == key]
        for lock, number in unknown_locks(record, codes_of(held_mandate(record)), known).items():
            locks[lock] = _Wanted(key, number)
    return locks


def _take(wallet: OpenWallet, log: TrustedLog, wanted: _Wanted, index: int, slot: int) -> str:
    """A record of somebody else's grant; its id.

    Raises `Rejected` of `recover_terms`, `bad_event` when it is not of this mandate, `not_listed` while our
    trust list does not have the agency.
    """
    mandate = wallet.mandate(wanted.mandate)[1]
    code = mandate_code(mandate, wanted.number)
    answer = wallet.peers.events(log.url, slot, view_key(code))
    terms, opening_key = recover_terms(answer, lock_for(code, 1))
    if terms.on_behalf_of != wanted.mandate:
        raise Rejected("bad_event", "the log shows a grant with a lock of your mandate that is not under it")
    trust = wallet.trust_list()
    record = GrantRecord(
        state="active",
        code_number=wanted.number,
        made_at=terms.not_before,
        agency=replace(trust.agency(terms.recipient), services=[]),
        service=terms.service,
        client_id="",
        request="",
        choice=Choice(),
        copies={},
        body=GrantRequest(terms, b64u_encode(opening_key), b64u_encode(view_hash(code))),
        sealed=[],
        share_a="",
        ticket_exp=0,
        index=index,
        slot=slot,
        about=listed_service(trust, terms),
        mandate=wanted.mandate,
        by_other=True,
    )
    known = wallet.known_log(log.origin)
    grant_id = wallet.new_grant_id()
    with wallet.vault.transaction():
        wallet.keep_log(known)
        used = max(mandate.next_code, wanted.number + 1)
        wallet.keep_mandate(wanted.mandate, replace(mandate, next_code=used))
        wallet.vault.put("grants", grant_id, record)
    return grant_id


def _close(wallet: OpenWallet) -> None:
    """Of mandates whose time was over when every log was looked through: nothing more comes. A log does not hear
    that a mandate was ended before its time; agencies do, by the status of its cards."""
    for key, record in wallet.mandates().items():
        if not record.is_closed and wallet.now() > record.until + AFTER_END:
            wallet.keep_mandate(key, replace(record, is_closed=True))
