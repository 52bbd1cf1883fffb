"""One visit to the counter: a form on paper, a wallet that lives as long as the visit, and two officers.

    scan      the sheets are read, and the signed request behind their code is fetched and compared with them
    ask       rows in doubt are asked of the resident; what the paper says plainly nobody changes
    cards     the resident's cards come into the visit's own wallet, by the issuer's offer and code
    second    another officer looks at everything with the resident, and says yes
    granted   the receipt is printed; then keys and wallet are destroyed

A no needs no cards and no second officer: it is passed on at once.
"""

import secrets
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocol.canonical import b64u_encode
from protocol.errors import RegieError, Rejected
from protocol.openid4vp import VerifiedRequest, parse_authorization_url
from protocol.paper_form import Form
from service.home import Home
from wallet import counter_book as book
from wallet.config import VAULT, WalletConfig
from wallet.errand_grant import Granted, allow, carry_on
from wallet.errand_receive import Received, receive
from wallet.errand_request import read_again, read_request, refuse
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet, Surroundings, create_wallet, wallet_of
from wallet.paper_scan import Scan, read_sheet
from wallet.paper_ticks import Answer, ReadRow, choice_of_form, form_of, outcome_of, read_form, with_told
from wallet.records import GrantRecord
from wallet.seed import grant_code
from wallet.state import waits_for_log
from wallet.vault import open_vault

Step: TypeAlias = Literal["scan", "ask", "refuse", "cards", "second", "begun", "granted", "refused"]
FOLDER = "visit-"
"""Of the homes of visits, within the counter's."""


@dataclass(frozen=True)
class Paper:
    """What was scanned, and the request that it answers."""

    scans: tuple[Scan, ...]
    request: VerifiedRequest
    form: Form
    rows: tuple[ReadRow, ...]


@dataclass
class Visit:
    """One visit; every step takes its lock. `first` and `second` are accounts at the provider."""

    id: str
    first: str
    began: int
    wallet: OpenWallet
    counter: Surroundings
    lock: threading.RLock = field(default_factory=threading.RLock)
    paper: Paper | None = None
    answers: tuple[Answer, ...] | None = None
    told: frozenset[int] = frozenset()
    cards: tuple[Received, ...] = ()
    second: str | None = None
    grant_id: str | None = None
    refused: bool = False
    has_receipt: bool = False

    @property
    def step(self) -> Step:
        """Where it stands."""
        if self.refused:
            return "refused"
        if self.grant_id is not None:
            record = self.wallet.grant(self.grant_id)
            return "granted" if record.state in ("active", "uncertain") and record.stop is None else "begun"
        if self.paper is None:
            return "scan"
        if self.answers is None:
            return "ask"
        if outcome_of(self.paper.form.rows, self.answers) == "refuse":
            return "refuse"
        return "second" if self.cards else "cards"

    @property
    def record(self) -> GrantRecord:
        """Of the grant. Raises `Rejected`: `not_this_step`."""
        if self.grant_id is None:
            raise Rejected("not_this_step", "nothing was granted in this visit", status=409)
        return self.wallet.grant(self.grant_id)


def begin(counter: Surroundings, config: WalletConfig, officer: str) -> Visit:
    """A new wallet under a passphrase that only this process ever knows."""
    id_ = secrets.token_hex(8)
    home = Home(counter.home.path / f"{FOLDER}{id_}")
    passphrase = b64u_encode(counter.random(32)).encode()
    create_wallet(home, config, passphrase, "small")
    around = Surroundings(home, counter.peers, counter.trust, counter.clock, counter.random)
    vault = open_vault(home.file(VAULT), passphrase, counter.random)
    return Visit(id_, officer, counter.now(), wallet_of(around, vault), counter)


def scan(visit: Visit, officer: str, pictures: Sequence[bytes]) -> None:
    """1. the sheets are read, all of one request; 2. it is fetched and verified as any wallet does; 3. the sheets
    say what it asks; 4. the form was not used before.

    Raises `Rejected`: `not_this_step`, `first_officer`, those of reading sheets and requests, `form_used`.
    """
    with visit.lock:
        _check(visit, officer, "scan", "ask", "cards", "refuse")
        scans = tuple(read_sheet(data) for data in pictures)  # 1.
        links = {one.ink.code.link for one in scans}
        if len(links) != 1:
            raise Rejected("no_form" if not links else "other_form", "scan all sheets of one form")
        (link,) = links
        request = read_request(visit.wallet, link)  # 2.
        form = form_of(parse_authorization_url(link), request)
        rows = read_form(form, [one.ink for one in scans])  # 3.
        book.check_unused(visit.counter.home, form.digest)  # 4.
        in_order = tuple(sorted(scans, key=lambda one: one.ink.code.sheet))
        visit.paper, visit.answers, visit.told = Paper(in_order, request, form, rows), None, frozenset()
        if all(row.answer is not None for row in rows):
            visit.answers = with_told(rows, {})


def tell(visit: Visit, officer: str, told: Mapping[int, Answer]) -> None:
    """What the resident says of the rows in doubt. Raises `Rejected`: `not_in_doubt`, `still_in_doubt`."""
    with visit.lock:
        _check(visit, officer, "ask")
        if visit.paper is not None:
            visit.answers, visit.told = with_told(visit.paper.rows, told), frozenset(told)


def take_cards(visit: Visit, officer: str, link: str, tx_code: str) -> None:
    """The resident's cards, from the issuer where somebody has seen the identity document. Raises as `receive`."""
    with visit.lock:
        _check(visit, officer, "cards")
        visit.cards = tuple(receive(visit.wallet, link, tx_code))


def say_no(visit: Visit, officer: str) -> None:
    """Pass on that the resident does not want it. Raises `Rejected`: `form_used`."""
    with visit.lock:
        _check(visit, officer, "refuse")
        paper = _paper(visit)
        book.use_form(visit.counter.home, paper.form.digest)
        refuse(visit.wallet, paper.request)
        visit.refused = True
        book.write_down(visit.counter.home, visit.counter.now(), "refused", paper.form.digest, officer, None)


def confirm(visit: Visit, officer: str) -> Granted:
    """By an officer who is not the first. 1. the form is used from now on; 2. what ends the grant is kept beside,
    until the receipt is handed over; 3. the grant, of exactly the yeses.

    Raises `Rejected`: `not_this_step`, `same_officer` 403, `form_used` 409 and those of granting, after which the
    form can be used again; `Unavailable` when the grant was begun: `go_on` finishes it.
    """
    with visit.lock:
        if visit.step != "second":
            raise Rejected("not_this_step", "this visit is at another step", status=409)
        if officer == visit.first:
            raise Rejected("same_officer", "the second officer is somebody else than the first", status=403)
        paper, answers = _paper(visit), visit.answers or ()
        book.use_form(visit.counter.home, paper.form.digest)  # 1.
        wallet, home = visit.wallet, visit.counter.home
        book.keep_until_printed(home, visit.id, grant_code(wallet.secrets(), wallet.secrets().next_code))  # 2.
        number = wallet.new_grant_id()
        try:
            request = read_again(wallet, paper.request)
            granted = allow(wallet, request, choice_of_form(request, paper.form.rows, answers))  # 3.
        except RegieError:
            record = wallet.grants().get(number)
            if record is None or record.state == "failed":
                book.is_printed(home, visit.id)
                book.give_back(home, paper.form.digest)
            else:
                visit.grant_id, visit.second = number, officer
            raise
        visit.grant_id, visit.second = granted.id, officer
        book.write_down(home, wallet.now(), "granted", paper.form.digest, visit.first, officer)
        return granted


def go_on(visit: Visit) -> None:
    """Finish a grant that was begun. Raises `Unavailable` while somebody cannot be reached."""
    with visit.lock:
        if visit.step != "begun" or visit.grant_id is None or visit.second is None:
            raise Rejected("not_this_step", "this visit is at another step", status=409)
        carry_on(visit.wallet, visit.grant_id)
        digest = _paper(visit).form.digest
        book.write_down(visit.counter.home, visit.wallet.now(), "granted", digest, visit.first, visit.second)


def hand_over(visit: Visit) -> GrantRecord:
    """The receipt comes out: from here on the resident can stop the grant. Raises: `not_this_step`."""
    with visit.lock:
        if visit.step != "granted":
            raise Rejected("not_this_step", "there is no receipt in this visit", status=409)
        visit.has_receipt = True
        book.is_printed(visit.counter.home, visit.id)
        return visit.record


def finish(visit: Visit) -> None:
    """Destroy keys and wallet. A grant whose receipt never came out is stopped first: nobody could stop it later.

    Raises `Rejected`: `stops_waiting` while that stop cannot be delivered; nothing is destroyed then.
    """
    with visit.lock:
        left = visit.grant_id is not None and not visit.has_receipt
        if left and waits_for_log(stop_grant(visit.wallet, visit.grant_id or "")):
            raise Rejected("stops_waiting", "the stop of this agreement is still to be delivered", status=409)
        if left or (visit.grant_id is None and not visit.refused):
            digest = visit.paper.form.digest if visit.paper else b""
            book.write_down(visit.counter.home, visit.counter.now(), "left", digest, visit.first, visit.second)
        destroy(visit)
        book.is_printed(visit.counter.home, visit.id)


def destroy(visit: Visit) -> None:
    """The wrapping of the wallet's key is overwritten, then all is deleted; scans were in memory only."""
    visit.wallet.vault.shred()
    visit.wallet.vault.close()
    shutil.rmtree(visit.wallet.home.path, ignore_errors=True)


def _check(visit: Visit, officer: str, *steps: Step) -> None:
    if visit.step not in steps:
        raise Rejected("not_this_step", "this visit is at another step", status=409)
    if officer != visit.first:
        raise Rejected("first_officer", "another officer began this visit, and does this part", status=403)


def _paper(visit: Visit) -> Paper:
    if visit.paper is None:
        raise Rejected("not_this_step", "no form was scanned in this visit", status=409)
    return visit.paper
