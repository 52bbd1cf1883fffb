"""After a restore: walk through the log's public leaves since the backup and take back the grants of ours."""

from collections.abc import Callable

from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import GrantRequest
from protocol.credential import split_sd_jwt
from protocol.disclosure import digest_of
from protocol.errors import RegieError, Rejected
from protocol.log_keys import log_keys
from protocol.narrowing import check_refresh
from protocol.policy import parse_policy, satisfied
from protocol.revocation_code import lock_for, view_hash, view_key
from protocol.terms import Terms
from protocol.trust_list import Service, TrustList
from wallet.errand_history import look_back
from wallet.errand_leaves import proven_leaves
from wallet.errand_versions import take_newer
from wallet.opened import OpenWallet
from wallet.records import Choice, Copy, GrantRecord, KnownLog
from wallet.records_refresh import RefreshIntent
from wallet.recover import FoundGrant, find_grants, own_locks, recover_terms
from wallet.revoke import auditing_cosigners
from wallet.seed import grant_code


def recover_grants(wallet: OpenWallet, found: list[str], note: Callable[[str, RegieError], None]) -> None:
    """For every log that a backup left a mark for, and those that it did not know yet: from their beginning.

    `found` gets the ids; `note` hears of logs that fail.
    """
    secrets = wallet.secrets()
    if secrets.restored:
        trust = wallet.trust_list()
        known_logs = wallet.vault.all("logs", KnownLog)
        with wallet.vault.transaction():
            for log in trust.logs:
                if log.origin not in known_logs:
                    wallet.keep_log(KnownLog(log, auditing_cosigners(trust), scan_from=0))
            wallet.keep_secrets(replace(secrets, restored=False))
    for origin, known in wallet.vault.all("logs", KnownLog).items():
        if known.scan_from is None:
            continue
        try:
            _walk(wallet, origin, known.scan_from, found)
        except RegieError as error:
            note(origin, error)


def _walk(wallet: OpenWallet, origin: str, start: int, found: list[str]) -> None:
    """From leaf `start` to the present end, window by window; the mark goes along and is taken away at the end."""
    log = wallet.known_log(origin).log
    note = wallet.peers.checkpoint(log.url)
    policy, key = parse_policy(log.policy), log_keys(log)
    checkpoint = satisfied(policy, note, wallet.now(), log_keys=(key,)).checkpoint
    locks = own_locks(wallet.secrets(), _own_versions(wallet))
    for first, leaves in proven_leaves(wallet, log.url, checkpoint, start):
        for grant in find_grants(first, leaves, locks):
            take = _take_back if grant.version == 1 else _take_newer
            found.append(take(wallet, origin, grant))
        wallet.keep_log(replace(wallet.known_log(origin), scan_from=first + len(leaves)))
    wallet.keep_log(replace(wallet.known_log(origin), scan_from=None))


def _own_versions(wallet: OpenWallet) -> dict[int, int]:
    """Newest version by number of its code, of our own seed; codes of mandates are counted apart."""
    return {
        record.code_number: record.body.terms.version
        for record in wallet.grants().values()
        if record.mandate is None
    }


def _take_back(wallet: OpenWallet, origin: str, grant: FoundGrant) -> str:
    """The terms out of the grant's events, a record of it, and its copies spent again on that agency.

    Raises `Rejected` of `recover_terms` and `verify_history`: the log then shows what is not ours.
    """
    code = grant_code(wallet.secrets(), grant.number)
    answer = wallet.peers.events(wallet.known_log(origin).log.url, grant.slot, view_key(code))
    terms, opening_key = recover_terms(answer, lock_for(code, 1))
    trust = wallet.trust_list()
    agency = trust.agency(terms.recipient)
    copies = _copies_of(wallet, terms)
    record = GrantRecord(
        state="active",
        code_number=grant.number,
        made_at=terms.not_before,
        agency=replace(agency, services=[]),
        service=terms.service,
        client_id="",
        request="",
        choice=Choice(),
        copies={query_id: name for query_id, (name, _) in copies.items()},
        body=GrantRequest(terms, b64u_encode(opening_key), b64u_encode(view_hash(code))),
        sealed=[],
        share_a="",
        ticket_exp=0,
        index=grant.index,
        slot=grant.slot,
        about=listed_service(trust, terms),
    )
    grant_id = wallet.new_grant_id()
    with wallet.vault.transaction():
        secrets = wallet.secrets()
        wallet.keep_secrets(replace(secrets, next_code=max(secrets.next_code, grant.number + 1)))
        sets = {(copy.issuer, copy.set_id) for _, copy in copies.values()}
        for name, copy in wallet.copies().items():
            if (copy.issuer, copy.set_id) in sets:
                wallet.vault.put("copies", name, replace(copy, agency=terms.recipient))
        wallet.vault.put("grants", grant_id, record)
    look_back(wallet, grant_id)
    return grant_id


def _take_newer(wallet: OpenWallet, origin: str, grant: FoundGrant) -> str:
    """A later version of a grant that is here: a refresh that was made since the backup; the grant's id.

    What ended the version before was the refresh; a stop that was seen in it is none. Raises `Rejected` of
    `recover_terms`, `check_refresh` and `verify_history`.
    """
    grants = wallet.grants().items()
    grant_id, record = next(
        (name, each) for name, each in grants if each.mandate is None and each.code_number == grant.number
    )
    code = grant_code(wallet.secrets(), grant.number)
    answer = wallet.peers.events(wallet.known_log(origin).log.url, grant.slot, view_key(code))
    terms, opening_key = recover_terms(answer, lock_for(code, grant.version))
    check_refresh(record.body.terms, terms)
    body = GrantRequest(terms, b64u_encode(opening_key), b64u_encode(view_hash(code)))
    copies = {query_id: name for query_id, (name, _) in _copies_of(wallet, terms).items()}
    intent = RefreshIntent(body, {**record.copies, **copies}, [], "", [], wallet.now())
    with wallet.vault.transaction():
        take_newer(wallet, grant_id, intent, slot=grant.slot, index=grant.index)
        wallet.update_grant(grant_id, state="active", stop=None, renewed_at=terms.not_before)
    look_back(wallet, grant_id)
    return grant_id


def listed_service(trust: TrustList, terms: Terms) -> Service | None:
    """The version of the service that terms name, while it is listed."""
    try:
        return trust.service(terms.recipient, terms.service, terms.service_version)
    except Rejected:
        return None


def _copies_of(wallet: OpenWallet, terms: Terms) -> dict[str, tuple[str, Copy]]:
    """The copies that a grant used, by DCQL id: those that hold a disclosure with a digest of the terms."""
    wanted = {b64u_decode(claim.digest): claim.credential for claim in terms.claims}
    found: dict[str, tuple[str, Copy]] = {}
    for name, copy in wallet.copies().items():
        for encoded in split_sd_jwt(copy.credential).disclosures:
            query_id = wanted.get(digest_of(encoded))
            if query_id is not None:
                found[query_id] = (name, copy)
    return found
