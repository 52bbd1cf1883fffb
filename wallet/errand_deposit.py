"""Pieces of a share to the operators that guard it (protocol section 7): kept until each has its own.

The same bytes are sent again until an operator has answered, so a crash anywhere costs nothing.
"""

from concurrent.futures import ThreadPoolExecutor

from protocol.consent_api import DepositRequest
from protocol.errors import RegieError
from wallet.opened import OpenWallet
from wallet.records import Deposit, GrantRecord

OVER = frozenset({"revoked", "expired"})
"""The operator says that the grant has ended: nobody needs these pieces any more."""


def deliver_deposits(wallet: OpenWallet, grant_id: str) -> GrantRecord:
    """To all operators that wait for theirs, at the same time; what is delivered is forgotten here.

    Never raises for an operator: who is down, or refuses, stays in the record.
    """
    record = wallet.grant(grant_id)
    if not record.deposits or record.slot is None or record.proof is None or record.stop is not None:
        return record
    known = {witness.name: witness.url for witness in wallet.known_log(record.body.terms.log).cosigners}
    body = record.body
    slot, proof = record.slot, record.proof

    def deliver(deposit: Deposit) -> str | None:
        """None when the operator has it, else why not."""
        url = known.get(deposit.operator)
        if url is None:
            return "not_listed"
        request = DepositRequest(body.terms, slot, body.opening_key, proof, deposit.sealed)
        try:
            answer = wallet.peers.deposit(url, request)
        except RegieError as error:
            return error.code
        return None if answer.lock == body.terms.lock else "bad_answer"

    with ThreadPoolExecutor(max_workers=len(record.deposits)) as pool:
        codes = list(pool.map(deliver, record.deposits))
    left = [
        deposit
        for deposit, code in zip(record.deposits, codes, strict=True)
        if code is not None and code not in OVER
    ]
    return wallet.update_grant(grant_id, deposits=left)
