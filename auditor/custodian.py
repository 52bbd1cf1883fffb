"""An operator at work: takes deposits and releases pieces over what its cosigner has replayed, and keeps house."""

import threading
import time
from collections.abc import Callable

from auditor.config import Config, deposit_keys, epochs_of, log_keys
from auditor.cosigner import Cosigner
from auditor.operator import Followed, verify_deposit, verify_release
from auditor.shares import Ended, Shares
from auditor.store import Store
from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import VerifiedCheckpoint, verify_checkpoint
from protocol.consent_api import DepositAnswer, DepositRequest, ReleaseAnswer, ReleaseRequest
from protocol.errors import Rejected, Unavailable
from protocol.reading import parse_read
from protocol.trust_list import TrustList
from service.clock import Clock
from service.home import Home
from service.journal import log_event

CATCH_UP_SECONDS = 5.0
"""How long a request waits while another one fetches the leaves that both need."""
UPKEEP_SECONDS = 60.0
CLEAN_SECONDS = 5.0
"""How long destroyed pieces may stay in the write-ahead log."""
_PAUSE = 0.02


class Custodian:
    """One for a cosigner that holds shares; thread-safe. Refusals are raised as they come."""

    def __init__(
        self,
        home: Home,
        config: Config,
        store: Store,
        cosigner: Cosigner,
        *,
        trust: Callable[[], TrustList],
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._name, self._origin = config.name or "", config.log
        self._deposit_keys = deposit_keys(home)
        self._replica = cosigner.replica
        self._trust = trust
        self._clock = clock
        ended = Ended(cosigner.replica.is_live, store.is_kept)
        self.shares = Shares(store.engine, epochs_of(home), ended, random)
        cosigner.on_revoked = self.shares.destroy
        self._stop = threading.Event()

    def deposit(self, request: DepositRequest) -> DepositAnswer:
        """`POST /v1/deposits`, with checked terms: kept durably when this returns.

        Raises `Rejected`: those of `verify_deposit` and, before it catches up, of `verify_checkpoint`,
        `unknown_lock` 404, `revoked` 410; `Unavailable`.
        """
        log = self._followed(self._trust())
        found = verify_deposit(request, log, self._deposit_keys.all(), self._clock.now())
        lock = found.held.lock
        if self._replica.lock(lock) is None:
            # What only retired keys signed is good for looking back; it must not lead the replica anywhere.
            verify_checkpoint(found.checkpoint.note, log.keys)
            self._catch_up(found.checkpoint)
        state = self._replica.lock(lock)
        if state is None or (state.slot, state.grant_index) != (found.held.slot, found.index):
            raise Rejected("unknown_lock", "the leaves have no such grant", status=404)
        self.shares.keep(found)
        return DepositAnswer(request.terms.lock)

    def release(self, request: ReleaseRequest) -> ReleaseAnswer:
        """`POST /v1/releases`: this operator's pieces for a READ whose entry it has seen, sealed.

        1. the grant is one it holds pieces of; 2. READ, checkpoint and entry (`verify_release`); 3. its own replay
        knows that checkpoint; 4. its own rows, its clock (`decide_release`), in the transaction that notes it.
        Raises `Rejected`: `unknown_checkpoint` 409 and those of the parts; `Unavailable`.
        """
        held = self.shares.held(b64u_decode(parse_read(request.read).read.lock))  # 1.
        trust, now = self._trust(), self._clock.now()
        asked = verify_release(request, held, self._followed(trust), trust, now)  # 2.
        if not self._replica.is_known(asked.checkpoint):  # 3.
            self._catch_up(asked.checkpoint)
            if not self._replica.is_known(asked.checkpoint):
                raise Rejected("unknown_checkpoint", "this operator has replayed another tree", status=409)
        return ReleaseAnswer(b64u_encode(self.shares.release(asked, self._name, self._clock.now())))  # 4.

    def _followed(self, trust: TrustList) -> Followed:
        _, keys, policy = log_keys(trust, self._origin)
        return Followed(self._name, self._origin, keys, policy)

    def _catch_up(self, checkpoint: VerifiedCheckpoint) -> None:
        """Replay up to a checkpoint that is ahead. Raises `Rejected`: the broken rule, 403; `Unavailable`."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while self._replica.size < checkpoint.size:
            try:
                self._replica.advance(checkpoint)
            except Rejected as error:
                raise Rejected(error.code, error.detail, status=403) from error
            except Unavailable as error:
                if error.code != "busy" or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)  # another request fetches them already

    # Keeping house.

    def start(self) -> None:
        """Keep house from now on, in a thread that dies with the process."""
        threading.Thread(target=self._run, name="custodian", daemon=True).start()

    def stop(self) -> None:
        """End that thread soon."""
        self._stop.set()

    def _run(self) -> None:
        next_upkeep = 0.0
        while not self._stop.is_set():
            try:
                if time.monotonic() >= next_upkeep:
                    next_upkeep = time.monotonic() + UPKEEP_SECONDS
                    self.keep_house()
                if self.shares.has_remains:
                    self.shares.clean()
            except Unavailable as error:
                log_event("auditor", "upkeep_failed", code=error.code)
            self._stop.wait(CLEAN_SECONDS)

    def keep_house(self) -> None:
        """Destroy what has expired; once a day begin an epoch, wrap all pieces anew and destroy the old key."""
        now = self._clock.now()
        self.shares.destroy_expired(now)
        self.shares.begin_epoch(now)
        while self.shares.rewrap_step() and not self._stop.is_set():
            pass
