"""Reading at the desk: intent before effect, and values only when all else is on disk (protocol section 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import json

from protocol.attributes import short_name
from protocol.canonical import JsonValue, convert
from protocol.cohort import holds
from protocol.consent import Asked, CredentialStatus, verify_consent
from protocol.consent_api import ReadAnswer, ReleaseAnswer, ReleaseRequest
from protocol.errors import Rejected
from protocol.policy import satisfied
from protocol.reading import missing_numbers
from protocol.seal import NONCE_BYTES, aead_open
from protocol.standing import VerifiedReading
from protocol.terms import Operators
from protocol.trust_list import TrustList
from service.journal import log_event
from service.trace import span
from verifier.accept import COPY_FORMAT, FIRST_COPY_FORMAT
from verifier.assisted import check_helped
from verifier.batches import RowName
from verifier.browser import check_returned
from verifier.cosigners import kept_cosigners
from verifier.currency import outdated_of
from verifier.desk import Desk
from verifier.gate import (
    ENDED,
    REFUSALS,
    Outcome,
    PendingRead,
    Purpose,
    check_entry,
    choose_digests,
    is_same,
    make_read,
    open_answer,
    outcome_of,
    reading_values,
)
from verifier.gather import Open, gather
from verifier.grants import StoredGrant
from verifier.verify import LogTrust, Shared, check_statuses, flat_values

TRANSIENT = frozenset({"stale_checkpoint", "no_quorum", "bad_tile"})
"""What the log may answer better when it is asked for the same READ again."""


@dataclass(frozen=True)
class Opened:
    """Values for the caller, who may use them for what the entry says and no more.

    `index`: the entry in the log; `gaps`: numbers below n that this agency has no READ for; `places`: type of card
    and attribute of each value, in the order of `values`; `outdated`: types of card of which the register has a
    newer one.
    """

    values: dict[str, JsonValue]
    n: int
    index: int
    gaps: tuple[int, ...]
    places: tuple[tuple[str, str], ...] = ()
    outdated: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Context:
    """What one reading needs at every step."""

    grant: StoredGrant
    asked: Asked
    trust: TrustList
    log: LogTrust
    statuses: dict[str, CredentialStatus]
    accept_undetermined: bool
    outdated: tuple[str, ...]
    row: RowName | None


def read_grant(
    desk: Desk, grant_id: str, only: Sequence[str], purpose: Purpose, *, row: RowName | None = None
) -> Opened:
    """Read attributes under a grant: `only` these, or all. `row`: for which row of a batch.

    1. the grant stands as far as we know, consent and credential status are in order: a READ that could not be
    used is not made; 2. the same READ that is still under way, or a new one, kept before it is sent; 3. send;
    4. open (section 8.4), with what operators release where the terms name some; 5. keep n, proofs and checkpoint;
    then the values. A row of a batch has a READ of its own, whose reply key stays until the batch closes the row.
    Raises `Rejected` with the log's refusal or the rule that failed; `Unavailable`, after which the same call goes
    on with the same READ. A service that answers a question hands out values to nobody: `answers_only` 403.
    """
    context = _prepare(desk, grant_id, row)  # 1.
    if context.asked.service.answers != "values":
        raise Rejected("answers_only", "this service answers a question: no value of it is shown", status=403)
    return _read(desk, context, only, purpose)


def read_predicate(desk: Desk, grant_id: str, purpose: Purpose) -> bool:
    """Whether the question of the grant's service holds: the same gate and entry as `read_grant`; values end here.

    Raises as `read_grant`; `no_question` 404 for a service of values.
    """
    context = _prepare(desk, grant_id, None)
    question = context.asked.service.question
    if context.asked.service.answers == "values" or not question:
        raise Rejected("no_question", "this service has no question", status=404)
    only = [f"{short_name(condition.vct)}.{condition.path[0]}" for condition in question]
    opened = _read(desk, context, only, purpose)
    values = dict(zip(opened.places, opened.values.values(), strict=True))
    return all(holds(condition, values[condition.vct, condition.path[0]]) for condition in question)


def _read(desk: Desk, context: _Context, only: Sequence[str], purpose: Purpose) -> Opened:
    """Steps 2 to 5, once more where the first READ came too late."""
    digests = choose_digests(context.grant.answer.terms, only)
    with span():
        try:
            return _attempt(desk, context, digests, purpose)
        except Rejected as error:
            if error.code != "stale":
                raise
            # It never reached the log in time: made again, since an old READ is not admitted any more.
            return _attempt(desk, context, digests, purpose)


def _attempt(desk: Desk, context: _Context, digests: Sequence[str], purpose: Purpose) -> Opened:
    """Steps 2 to 5."""
    pending = _pending(desk, context, digests, purpose)  # 2.
    released = _send(desk, context, pending)  # 3.
    used = desk.store.reads.used_numbers(context.grant.answer.terms.tag_key, but=pending.read_id)
    reading = _open(desk, context, pending, released, used)  # 4.
    values = {(place.vct, place.name): value for place, value in reading.values.items()}
    if context.asked.service.answers != "values":
        values = {}  # of who answers a question not even a mark of a value is kept
    request = context.grant.request
    # While the READ can still be repeated: a reading that the alarm bell does not know is shown to nobody.
    desk.bell.note(request.id, request.service, pending, purpose, reading.index, values)
    desk.store.reads.finish(pending, reading, released, hold=context.row is not None)  # 5.
    gaps = tuple(missing_numbers([*used, reading.n]))
    places = tuple((place.vct, place.name) for place in reading.values)
    return Opened(reading_values(reading), reading.n, reading.index, gaps, places, context.outdated)


def _prepare(desk: Desk, grant_id: str, row: RowName | None) -> _Context:
    now = desk.now()
    grant = desk.store.grants.get(grant_id)
    check_returned(desk, grant_id)
    check_helped(desk, grant_id)
    if grant.state == "revoked":
        raise Rejected("revoked", "the resident ended this grant", status=410)
    if now >= grant.answer.terms.not_after:
        raise Rejected("expired", "the grant has ended", status=403)
    trust = desk.trust(now)
    asked = desk.asked(trust, grant.request, grant.request_hash)
    consent = verify_consent(grant.answer, asked, trust=trust, now=now, fresh=False)
    statuses = desk.statuses({**consent.everybody, **kept_cosigners(desk, grant, trust)}, trust, now)
    accept_undetermined = desk.accepts_undetermined(grant.request.service)
    check_statuses(statuses, accept_undetermined=accept_undetermined)
    outdated = outdated_of(grant, consent, statuses)
    log = desk.log_trust(trust, grant.log)
    return _Context(grant, asked, trust, log, statuses, accept_undetermined, outdated, row)


def _pending(desk: Desk, context: _Context, digests: Sequence[str], purpose: Purpose) -> PendingRead:
    """A READ under way that asks the same, or a new one; in the store before anybody sees it."""
    grant, now = context.grant, desk.now()
    terms = grant.answer.terms
    if context.row is not None:
        kept = desk.store.batches.pending(context.row)
        if kept is not None and not is_same(kept, terms, digests, purpose):
            # It may be in the log: another READ for this row could be a second entry.
            raise Rejected("row_changed", "the grant has changed since this row was begun", status=409)
        under_way = [] if kept is None else [kept]
    else:
        under_way = desk.store.reads.pending(grant.lock)
    for pending in under_way:
        if is_same(pending, terms, digests, purpose):
            return pending
    signer = desk.signer(now)
    made = make_read(
        terms,
        grant.slot,
        digests,
        purpose,
        case_salt=grant.request.case_salt,
        key=signer.key,
        x5c=signer.x5c,
        now=now,
        random=desk.parts.random,
    )
    desk.officers.note_read(made, purpose)
    desk.store.reads.add(grant, made, context.row)
    return made


def _send(desk: Desk, context: _Context, pending: PendingRead) -> ReadAnswer:
    try:
        return desk.log(context.log).read(pending.request)
    except Rejected as error:
        _give_up(desk, context, pending, error, outcome_of(error))
        raise


def _give_up(desk: Desk, context: _Context, pending: PendingRead, error: Rejected, outcome: Outcome) -> None:
    """After a refusal that stands; one that may pass leaves the READ as it is."""
    if outcome != "pending":
        desk.store.reads.refuse(pending.read_id, outcome, error.code)
    if error.code in ENDED:
        desk.store.grants.end(context.grant.lock, desk.now())


def _open(
    desk: Desk, context: _Context, pending: PendingRead, released: ReadAnswer, used: dict[int, str]
) -> VerifiedReading:
    """Step 4. What the log cannot answer better another time ends the READ; nothing of it is used."""
    now, log, kem = desk.now(), context.log, context.grant.request.kem
    if kem is None:
        raise Rejected("unknown_grant", "the key of this grant is gone", status=404)
    answer = context.grant.answer
    try:
        checkpoint = satisfied(log.policy, released.evidence.checkpoint, now, log_keys=(log.key,)).checkpoint
        kept = desk.kept(log, checkpoint, now)

        def open_with(pieces: Mapping[str, str] | None) -> VerifiedReading:
            return open_answer(
                answer,
                context.asked,
                pending,
                released,
                trust=context.trust,
                log=log,
                kept=kept,
                kem=kem,
                now=now,
                used=used,
                statuses=context.statuses,
                accept_undetermined=context.accept_undetermined,
                pieces=pieces,
            )

        if answer.terms.operators is None:
            return open_with(None)
        check_entry(answer, pending, released, log=log, kept=kept, now=now, used=used)
        desk.store.reads.note_entry(pending, released)
        return _from_operators(desk, context, pending, released, answer.terms.operators, open_with)
    except Rejected as error:
        if error.code not in TRANSIENT:
            _give_up(desk, context, pending, error, "refused" if error.code in REFUSALS else "void")
        raise


def _from_operators(
    desk: Desk,
    context: _Context,
    pending: PendingRead,
    released: ReadAnswer,
    operators: Operators,
    open_with: Open,
) -> VerifiedReading:
    """Each operator of the grant is asked to release; what came of each is kept, and said in the journal.

    Raises `Rejected` with the refusal of too many of them; `Unavailable`: `no_operators`.
    """
    request = ReleaseRequest(pending.token, pending.request.reply_key, released)

    def ask(name: str) -> ReleaseAnswer:
        return desk.operator(context.trust, name).release(request)

    reading, gathered = gather(operators.members, operators.needed, ask, open_with)
    outcomes = gathered.outcomes(reading)
    desk.store.reads.note_releases(pending.read_id, outcomes)
    for name, outcome in outcomes.items():
        if outcome != "agreed":
            log_event("verifier", "operator", operator=name, outcome=outcome)
    if reading is None:
        raise gathered.failure(len(operators.members), operators.needed)
    return reading


def take_shared(desk: Desk, request_id: str) -> list[Shared]:
    """What a resident shared once, handed over once: it is deleted before it is returned.

    Raises `Rejected`: `unknown_request` 404, `no_copy` 410; `not_returned`, `other_session`, `second_officer`
    403.
    """
    desk.store.requests.get(request_id)
    check_returned(desk, request_id)
    check_helped(desk, request_id)
    key = desk.copies_key()
    sealed = desk.store.requests.take_copy(request_id, desk.now())
    nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    # We sealed it ourselves, and it is gone from the store: no limit of what peers send may stop it here.
    try:
        plaintext = aead_open(key, nonce, ciphertext, COPY_FORMAT + request_id.encode())
    except Rejected:
        plaintext = aead_open(key, nonce, ciphertext, FIRST_COPY_FORMAT + request_id.encode())
        return [Shared("", "", "", json.decode(plaintext))]
    return convert(json.decode(plaintext), list[Shared])


def take_copy(desk: Desk, request_id: str) -> dict[str, JsonValue]:
    """The same as values by name. Raises as `take_shared`."""
    return flat_values(take_shared(desk, request_id))
