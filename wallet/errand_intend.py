"""Intending a grant: everything about it is made and kept in the vault before a byte of it leaves."""

from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest, verify_request_object
from wallet.choose import Chosen
from wallet.errand_acting import acting_of
from wallet.errand_profile import profile_of
from wallet.errand_request import spend
from wallet.grant import Draft, decide_grant, draft_grant
from wallet.mandated import Acting, check_code, others_needed
from wallet.opened import OpenWallet
from wallet.records import Choice, GrantRecord
from wallet.records_mandate import Joint
from wallet.seed import grant_code, mandate_code


def check_open(wallet: OpenWallet, request: VerifiedRequest) -> None:
    """Before the resident is asked anything. Raises `Rejected`: `not_listed`, `log_closed`."""
    element = request.consent
    if element is not None and not wallet.trust_list().log(element.log.origin).takes_grants(wallet.now()):
        raise Rejected(
            "log_closed",
            "the agency asks for access in a log that takes no new grants any more; ask it for a new request",
            status=410,
        )


def same_request(wallet: OpenWallet, ticket: str, choice: Choice, mandate: str | None) -> str | None:
    """An unfinished grant for this ticket, of this very choice and for the same person; a finished one is refused.

    Raises `Rejected`: `already_granted`, `other_choice`.
    """
    for grant_id, record in wallet.grants().items():
        if record.body.ticket != ticket or record.state == "failed":
            continue
        if record.state in ("intended", "logged", "delivering") and record.stop is None:
            if record.mandate != mandate or not _is_same_choice(record.choice, choice):
                raise Rejected(
                    "other_choice",
                    f"you began grant {grant_id} for this request with another choice; finish that one with "
                    f"`regie wallet sync`, or stop it with `regie wallet revoke {grant_id}`",
                    status=409,
                )
            return grant_id
        raise Rejected(
            "already_granted", f"you have answered this request before; see grant {grant_id}", status=409
        )
    return None


def _is_same_choice(one: Choice, other: Choice) -> bool:
    """Terms are fixed at the first try: a second one that says something else must not get them silently."""
    return replace(one, without=()) == replace(other, without=()) and set(one.without) == set(other.without)


def _draft(
    wallet: OpenWallet,
    request: VerifiedRequest,
    choice: Choice,
    chosen: dict[str, Chosen],
    number: int,
    acting: Acting | None,
) -> Draft:
    decision = decide_grant(request, choice)
    trust = wallet.trust_list()
    log = trust.log(decision.element.log.origin)
    operators = [trust.witness(name) for name in log.operators.members] if log.operators is not None else []
    return draft_grant(
        request,
        decision,
        chosen,
        log,
        operators=operators,
        code=_code(wallet, number, acting),
        now=wallet.now(),
        random=wallet.random,
        mandate=acting.verified if acting else None,
    )


def _code(wallet: OpenWallet, number: int, acting: Acting | None) -> bytes:
    if acting is None:
        return grant_code(wallet.secrets(), number)
    check_code(acting, number)
    return mandate_code(acting.record, number)


def _next_number(wallet: OpenWallet, acting: Acting | None) -> int:
    return wallet.secrets().next_code if acting is None else wallet.mandate(acting.hash)[1].next_code


def _use_up(wallet: OpenWallet, number: int, acting: Acting | None) -> None:
    """Code `number` is never used again. Inside a transaction."""
    if acting is None:
        wallet.keep_secrets(replace(wallet.secrets(), next_code=number + 1))
    else:
        wallet.keep_mandate(acting.hash, replace(wallet.mandate(acting.hash)[1], next_code=number + 1))


def intend(
    wallet: OpenWallet,
    request: VerifiedRequest,
    choice: Choice,
    chosen: dict[str, Chosen],
    acting: Acting | None = None,
) -> str:
    """Everything into the vault, in one transaction with the code's number and the spent set. `acting`: for whom,
    if not for the resident; when others have to sign too, the record waits for them.
    """
    number = _next_number(wallet, acting)
    draft = _draft(wallet, request, choice, chosen, number, acting)
    groups = others_needed(acting.verified, acting.record.party) if acting else []
    record = GrantRecord(
        state="intended",
        code_number=number,
        made_at=wallet.now(),
        agency=replace(draft.agency, services=[]),
        service=request.service.name.en if request.service else "",
        client_id=request.client_id,
        request=request.token,
        choice=choice,
        copies={query_id: item.name for query_id, item in chosen.items()},
        body=draft.body,
        sealed=draft.sealed,
        share_a=draft.share_a,
        ticket_exp=draft.ticket_exp,
        deposits=draft.deposits,
        about=request.service,
        follow=profile_of(wallet).follow,
        mandate=acting.hash if acting else None,
        joint=Joint(groups) if groups else None,
    )
    known = wallet.known_log(draft.body.terms.log)
    grant_id = wallet.new_grant_id()
    with wallet.vault.transaction():
        _use_up(wallet, number, acting)
        wallet.keep_log(known)
        spend(wallet, chosen, draft.agency.id)
        wallet.vault.put("grants", grant_id, record)
    return grant_id


def next_code(wallet: OpenWallet, grant_id: str, record: GrantRecord) -> GrantRecord:
    """The log has this lock (of another wallet with this seed): the same decision again, under the next code."""
    request = reread(wallet, record)
    chosen = chosen_again(wallet, record)
    acting = acting_of(wallet, record.mandate) if record.mandate is not None else None
    number = _next_number(wallet, acting)
    draft = _draft(wallet, request, record.choice, chosen, number, acting)
    with wallet.vault.transaction():
        _use_up(wallet, number, acting)
        return wallet.update_grant(
            grant_id,
            joint=replace(record.joint, proposal=None, cosigned=[]) if record.joint else None,
            code_number=number,
            body=draft.body,
            sealed=draft.sealed,
            share_a=draft.share_a,
            deposits=draft.deposits,
        )


def chosen_again(wallet: OpenWallet, record: GrantRecord) -> dict[str, Chosen]:
    copies = wallet.copies()
    return {query_id: Chosen(name, copies[name]) for query_id, name in record.copies.items()}


def reread(wallet: OpenWallet, record: GrantRecord) -> VerifiedRequest:
    """The kept request, verified as if it came now. Raises `Rejected`: `expired` and the rest."""
    return verify_request_object(record.request, record.client_id, wallet.trust_list(), wallet.now())
