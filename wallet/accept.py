"""What an issuer sent, judged before it is kept: an issuer may lie, or be somebody else.

No credential is accepted before it is verified whole: by the trust list or an anchor of the home, and bound to our
keys.
"""

from collections.abc import Mapping, Sequence

from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.formats import VerifiedContent, credential_format
from protocol.keys import Es256Public
from protocol.trust_list import TrustList
from wallet.card import claims_of
from wallet.receive import Batch, Source
from wallet.records import Copy


def verify_batch(
    credentials: Sequence[str],
    keys: Sequence[Es256Public],
    batch: Batch,
    source: Source,
    trust: TrustList,
    now: int,
) -> tuple[VerifiedContent, ...]:
    """Every copy of one type, or none.

    1. a copy for each key; a stranger may make fewer (8.3); 2. each verifies by its format: chain to the listed
    issuer or an anchor, dates, and of our vocabulary all and only the attributes of the type; 3. it is of this
    issuer, or of some stranger's, of the type that was asked for, and the resident's own, or under the mandate
    that it was asked for; 4. it is bound to a key that was proven for it, each to another, and of a listed issuer
    in their order; 5. the copies say the same, 6. and have nothing by which two agencies could link them: no
    common salt or status index, and of a listed issuer no common set and no dates of their own.
    Raises `Rejected`: `wrong_number`, `wrong_issuer`, `wrong_vct`, `wrong_mandate`, `wrong_key`,
    `differing_copies`, `linkable_copies` and those of `verify_issued`.
    """
    wanted = len(keys) if batch.is_bound else 1
    if not (len(credentials) == wanted or (not source.is_listed and 0 < len(credentials) < wanted)):  # 1.
        raise Rejected("wrong_number", "the issuer sent another number of copies than asked for")
    made_by = credential_format(batch.format)
    verified = tuple(made_by.verify_issued(credential, trust, now) for credential in credentials)  # 2.
    for copy in verified:
        if copy.is_listed != source.is_listed or (source.is_listed and copy.iss != source.id):  # 3.
            raise Rejected("wrong_issuer", "the credential is of another issuer than the offer")
        if copy.vct != batch.vct:
            raise Rejected("wrong_vct", "the credential is of another type than the one asked for")
        _check_under(copy, batch)
    _check_holders([copy.holder for copy in verified], keys if batch.is_bound else [None], source)  # 4.
    if any(copy.claims != verified[0].claims for copy in verified):  # 5.
        raise Rejected("differing_copies", "the copies of one credential do not say the same")
    _check_unlinkable(verified, is_listed=source.is_listed)  # 6.
    return verified


def _check_under(copy: VerifiedContent, batch: Batch) -> None:
    """Whose card it is: what comes as the resident's own is never somebody else's, nor the other way round."""
    wanted = (b64u_decode(batch.under.mandate), batch.under.party) if batch.under else (None, None)
    if (copy.mandate, copy.party) != wanted:
        raise Rejected("wrong_mandate", "the credential is under another mandate than the one it was asked for")


def _check_holders(
    holders: Sequence[Es256Public | None], keys: Sequence[Es256Public | None], source: Source
) -> None:
    in_place = list(holders) == list(keys) if source.is_listed else set(holders) <= set(keys)
    if not in_place or len(set(holders)) != len(holders):
        raise Rejected("wrong_key", "the credential is bound to a key that is not yours")


def _check_unlinkable(copies: Sequence[VerifiedContent], *, is_listed: bool) -> None:
    statuses = [(copy.status.uri, copy.status.idx) for copy in copies if copy.status]
    marks = [mark for copy in copies for mark in copy.marks]
    distinct = len(set(statuses)) == len(statuses) and len(set(marks)) == len(marks)
    if is_listed:
        dates = {(copy.iat, copy.nbf, copy.exp) for copy in copies}
        sets = {copy.set_id for copy in copies}
        distinct = distinct and len(sets) == len(statuses) == len(copies) and len(dates) == 1
    if not distinct:
        raise Rejected(
            "linkable_copies", "two copies could be recognised as one person's; the issuer must repair it"
        )


def check_sets(batches: Sequence[Sequence[VerifiedContent]]) -> None:
    """Copy i of every type carries the same `set` (protocol section 2), so that all are of one person.

    Raises `Rejected`: `mixed_sets`.
    """
    if len({tuple(copy.set_id for copy in batch) for batch in batches}) > 1:
        raise Rejected("mixed_sets", "the credentials of this offer do not belong together")


def superseded(copies: Mapping[str, Copy], new: VerifiedContent) -> list[str]:
    """Names of unspent copies of the same type that say something else than `new`: they hold old data.

    Only of our vocabulary, where a resident has one card of a type: a stranger may have made two diplomas.
    """
    if new.set_id is None:
        return []
    return [
        name
        for name, copy in copies.items()
        if (copy.issuer, copy.vct, copy.agency) == (new.iss, new.vct, None)
        and copy.mandate == (None if new.mandate is None else b64u_encode(new.mandate))
        and claims_of(copy) != new.claims
    ]
