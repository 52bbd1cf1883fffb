"""Grants that several parties sign (protocol section 10): asked for on the issuer's board, agreed to from there.

Who proposes keeps the grant in the vault and sends nothing to the log before somebody of every group has signed
its terms. Who agrees verifies the agency's request and the terms as if the request were his own.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from protocol.canonical import b64u_encode, canonical_bytes, sha256
from protocol.cosign import cosign, verify_cosigned
from protocol.credential import split_sd_jwt
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.mandate_api import BoardAnswer, BoardProposal, Cosigned, Proposal
from protocol.narrowing import check_within
from protocol.openid4vp import VerifiedRequest, verify_request_object
from protocol.reading import verify_ticket
from protocol.terms import Terms, check_terms
from wallet.choose import Chosen, sets_of
from wallet.errand_acting import acting_of
from wallet.errand_intend import chosen_again
from wallet.errand_mandate import seed_of
from wallet.errand_request import spend_all
from wallet.mandated import Acting, check_proposed, others_needed
from wallet.opened import OpenWallet
from wallet.records import Copy, GrantRecord
from wallet.records_mandate import Joint
from wallet.seed import key_of


@dataclass(frozen=True)
class Waiting:
    """A proposal of another party that this wallet may sign, verified. `number` with `mandate` (hash) names it on
    the board, `reference` what was shown of it: a yes to that is to nothing else.
    """

    mandate: str
    number: int
    name: str
    expires: int
    request: VerifiedRequest
    terms: Terms
    is_signed: bool

    @property
    def reference(self) -> str:
        """`MANDATE.NUMBER.H(JCS(T))`, for a URL."""
        return f"{self.mandate}.{self.number}.{b64u_encode(sha256(canonical_bytes(self.terms)))}"


def gather_signatures(wallet: OpenWallet, grant_id: str, record: GrantRecord) -> GrantRecord:
    """One round for a grant of ours that waits: put it on the board, or look what came. A request that ran out
    meanwhile ends it: nothing was given.

    Raises `Rejected`: `mandate_ended`, `request_expired`; `Unavailable` when the board cannot be reached.
    """
    if record.joint is None or record.mandate is None or record.joint.is_complete:
        return record
    acting = acting_of(wallet, record.mandate)
    try:
        request = verify_request_object(record.request, record.client_id, wallet.trust_list(), wallet.now())
    except Rejected as error:
        if error.code not in ("expired", "request_expired"):
            raise
        wallet.update_grant(grant_id, state="failed", problem="not_cosigned", sealed=[], share_a="", deposits=[])
        raise Rejected(
            "not_cosigned",
            "the others did not sign in time, so nothing was given; ask for a new request",
            status=410,
        ) from error
    joint = record.joint
    if joint.proposal is None:
        board = _propose(wallet, acting, record)
        mine = [one for one in board.proposals if one.proposal.terms == record.body.terms]
        if not mine:
            raise Unavailable("no_board", "the issuer did not put your request where the others can see it")
        joint = replace(joint, proposal=str(mine[-1].number))
    else:
        mandate = acting.record
        board = wallet.peers.mandates.board(mandate.issuer, mandate.id, seed_of(mandate))
    signed = _signatures(wallet, acting, record, request, joint, board)
    return wallet.update_grant(grant_id, joint=replace(joint, cosigned=signed), problem=None)


def _propose(wallet: OpenWallet, acting: Acting, record: GrantRecord) -> BoardAnswer:
    mandate, terms = acting.record, record.body.terms
    copy = chosen_again(wallet, record)[min(record.copies)].copy
    signed = cosign(
        split_sd_jwt(copy.credential).jwt,
        key_of(wallet.secrets(), copy),
        terms,
        client_id=record.client_id,
        now=wallet.now(),
    )
    proposal = Proposal(mandate.party, record.request, record.client_id, terms, signed)
    return wallet.peers.mandates.propose(mandate.issuer, mandate.id, seed_of(mandate), proposal)


def _signatures(
    wallet: OpenWallet,
    acting: Acting,
    record: GrantRecord,
    request: VerifiedRequest,
    joint: Joint,
    board: BoardAnswer,
) -> list[str]:
    """One good signature for each group that needs one; what does not verify is passed over: anybody with the seed
    may write on the board.
    """
    mine = next((one for one in board.proposals if str(one.number) == joint.proposal), None)
    found: dict[int, str] = {}
    for one in mine.cosigned if mine else []:
        party = _party_of(wallet, acting, one.cosigned, record.body.terms, request.client_id)
        if party is not None:
            found.setdefault(party, one.cosigned)
    chosen = [next((found[party] for party in group if party in found), None) for group in joint.groups]
    return [text for text in chosen if text is not None]


def _party_of(wallet: OpenWallet, acting: Acting, text: str, terms: Terms, client_id: str) -> int | None:
    """Who signed these terms; None for what does not verify."""
    try:
        return verify_cosigned(
            text, terms, client_id=client_id, mandate=acting.verified, trust=wallet.trust_list(), now=wallet.now()
        ).party
    except Rejected:
        return None


def proposals(wallet: OpenWallet) -> list[Waiting]:
    """What others ask this wallet to sign too, under every mandate that it is a signer of. A proposal that is not
    as it must be is not shown. Raises `Unavailable` without a trust list.
    """
    found = []
    for key, record in wallet.mandates().items():
        if record.is_over(wallet.now()):
            continue
        try:
            acting = acting_of(wallet, key)
            if not others_needed(acting.verified, record.party):
                continue
            board = wallet.peers.mandates.board(record.issuer, record.id, seed_of(record))
        except RegieError:
            continue
        for one in board.proposals:
            if one.proposal.party == record.party:
                continue
            try:
                found.append(_verified(wallet, acting, one))
            except Rejected:
                continue
    return found


def _verified(wallet: OpenWallet, acting: Acting, one: BoardProposal) -> Waiting:
    """1. the agency's own request, in force; 2. terms within it, with its ticket; 3. within the mandate, and with
    a lock that we can stop. Raises `Rejected`.
    """
    trust, now, terms = wallet.trust_list(), wallet.now(), one.proposal.terms
    request = verify_request_object(one.proposal.request, one.proposal.client_id, trust, now)  # 1.
    if request.consent is None or request.service is None or request.agency is None:
        raise Rejected("not_standing", "this proposal is not for standing access")
    check_terms(terms)  # 2.
    check_within(terms, request.consent, request.service)
    verify_ticket(request.consent.ticket, request.agency, terms, now)
    check_proposed(acting, terms, request.request_hash)  # 3.
    record = acting.record
    signed = any(  # junk in our name does not keep us from signing
        _party_of(wallet, acting, each.cosigned, terms, request.client_id) == record.party for each in one.cosigned
    )
    return Waiting(acting.hash, one.number, record.name, one.expires, request, terms, signed)


def agree(wallet: OpenWallet, waiting: Waiting) -> None:
    """Sign the terms of a proposal, looked at anew. 1. a copy of ours that no other agency has seen, which lasts
    as long as the terms; 2. kept as spent on this agency; 3. to the board.

    Raises `Rejected`: `proposal_gone`, `no_copies_left`, those of rules and the issuer; `Unavailable`.
    """
    acting = acting_of(wallet, waiting.mandate)
    record = acting.record
    board = wallet.peers.mandates.board(record.issuer, record.id, seed_of(record))
    one = next((each for each in board.proposals if each.number == waiting.number), None)
    if one is None or one.proposal.terms != waiting.terms:
        raise Rejected("proposal_gone", "this is not asked any more; ask who wanted it to begin again", status=404)
    again = _verified(wallet, acting, one)
    asker = again.request.asker.id
    chosen = _choose(wallet, acting, again.terms, asker)  # 1.
    with wallet.vault.transaction():  # 2.
        spend_all(wallet, [chosen], asker)
    signed = cosign(
        split_sd_jwt(chosen.copy.credential).jwt,
        key_of(wallet.secrets(), chosen.copy),
        again.terms,
        client_id=again.request.client_id,
        now=wallet.now(),
    )
    body = Cosigned(record.party, signed)
    wallet.peers.mandates.cosign(record.issuer, record.id, seed_of(record), waiting.number, body)  # 3.


def _choose(wallet: OpenWallet, acting: Acting, terms: Terms, asker: str) -> Chosen:
    """A copy under the mandate, of a set that this agency has seen or nobody."""
    usable: dict[str, Copy] = {
        name: copy
        for name, copy in wallet.copies().items()
        if copy.mandate == acting.hash and copy.agency in (None, asker) and copy.exp >= terms.not_after
    }
    for members in sets_of(usable):
        name = min(members)
        return Chosen(name, members[name])
    raise Rejected(
        "no_copies_left",
        "no card under this mandate lasts long enough, or all are in use; get more: `regie wallet refill`",
    )


def find_proposal(wallet: OpenWallet, number: int) -> Waiting:
    """The one that `regie wallet proposals` calls by this number. Raises `Rejected`: `proposal_gone`."""
    for waiting in proposals(wallet):
        if waiting.number == number:
            return waiting
    raise Rejected("proposal_gone", "nobody asks this of you now; `regie wallet proposals` lists", status=404)
