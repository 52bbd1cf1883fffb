"""The agency at work: its home, the trust list in force, its log and the issuers behind one object.

`accept` and `reader` hold the two long acts; here is what they share, and asking.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.checkpoint import VerifiedCheckpoint, VerifiedStanding
from protocol.consent import Asked, CredentialStatus, StandingAnswer
from protocol.errors import RegieError, Rejected
from protocol.formats import VerifiedContent
from protocol.issuer_jwt import VerifiedIssuerJwt, issuer_roots
from protocol.light_check import KeptCheckpoint, verify_kept, verify_light_check
from protocol.openid4vp import build_authorization_url, check_registration, verify_request_object
from protocol.policy import satisfied
from protocol.presentation import grant_leaf
from protocol.request_object import PLAIN_MODE, sign_request_object
from protocol.status_list import StatusList, StatusReference, verify_status_token
from protocol.trust_list import Agency, Service, TrustedLog, TrustList
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import Home
from service.trust import TrustSource
from verifier.ask import CopyMode, Office, Request, Wish, make_request
from verifier.bell import Bell
from verifier.client import LogClient, OperatorClient, StatusClient
from verifier.config import DATABASE, VerifierConfig
from verifier.officers import Officers
from verifier.sessions import hash_of
from verifier.signing import Signer, load_copies_key, load_registrations, load_signer
from verifier.store import Store
from verifier.verify import LogTrust, grant_opening_of, log_trust, status_of


@dataclass(frozen=True)
class Parts:
    """What tests replace."""

    clock: Clock
    fetcher: Fetcher
    random: Callable[[int], bytes]


def default_parts() -> Parts:
    """The machine's clock, network and randomness."""
    return Parts(SystemClock(), Fetcher(), secrets.token_bytes)


class Desk:
    """One agency; safe for many threads. Raises `Rejected`: `no_home` and those of a bad home."""

    def __init__(self, home: Home, parts: Parts | None = None) -> None:
        self.parts = parts or default_parts()
        self.config = home.config(VerifierConfig)
        self.home = home
        self.store = Store(home.file(DATABASE))
        self.officers = Officers(home, self.store, self.parts.random)
        self.bell = Bell(home, self.parts.random)
        self.statuses_of = StatusClient(self.parts.fetcher)
        self._trust = TrustSource(home, self.config.trust_list, self.config.registrar, fetcher=self.parts.fetcher)

    def now(self) -> int:
        """POSIX seconds."""
        return self.parts.clock.now()

    def trust(self, now: int) -> TrustList:
        """The list in force. Raises `Unavailable`: `trust_list`."""
        return self._trust.current(now)

    def agency(self, trust: TrustList) -> Agency:
        """This agency as listed. Raises `Rejected`: `not_listed`."""
        return trust.agency(self.config.oin)

    def signer(self, now: int) -> Signer:
        """The agency's signing key, whose certificate is in force."""
        return load_signer(self.home, now)

    def copies_key(self) -> bytes:
        """What seals copies at rest."""
        return load_copies_key(self.home)

    def log_trust(self, trust: TrustList, origin: str) -> LogTrust:
        """Keys and policy of a grant's log. Raises `Rejected`: `not_listed`; `Unavailable`: `log_policy`."""
        return log_trust(trust.log(origin))

    def log(self, log: LogTrust) -> LogClient:
        """A log over HTTP."""
        return LogClient(self.parts.fetcher, log.url)

    def operator(self, trust: TrustList, name: str) -> OperatorClient:
        """One operator over HTTP. Raises `Rejected`: `not_listed` when it has left the trust list."""
        return OperatorClient(self.parts.fetcher, trust.witness(name).url)

    def accepts_undetermined(self, service: str) -> bool:
        """Whether the service goes on when an issuer cannot tell a credential's status."""
        return service in self.config.accept_undetermined

    # --- asking --------------------------------------------------------------------------------------

    def service(self, trust: TrustList, name: str) -> Service:
        """The newest version of a service of this agency, or `id@version`. Raises `Rejected`: `not_listed`."""
        service_id, _, version = name.rpartition("@")
        if service_id and version.isdigit():
            return trust.service(self.config.oin, service_id, int(version))
        found = [service for service in self.agency(trust).services if service.id == name]
        if not found:
            raise Rejected("not_listed", "the trust list has no such service of this agency", status=403)
        return max(found, key=lambda service: service.version)

    def ask(self, name: str, wish: Wish) -> tuple[str, str]:
        """A new request, stored: its id, and what to hand out.

        That is the link for the wallet or, for the same device, an address of this agency for the browser of the
        resident: a secret, since whoever opens it first is the session that the wallet has to come back to.
        It is verified as a wallet will, so that nothing goes out that a wallet must refuse.
        Raises `Rejected`: `over_asking`, `not_listed`, `bad_wish`, `bad_query`, `bad_config`, `log_closed`.
        """
        now = self.now()
        trust = self.trust(now)
        signer, service = self.signer(now), self.service(trust, name)
        office = Office(
            self.agency(trust),
            self.config.url,
            signer.client_id,
            signer.key,
            signer.x5c,
            self._open_log(trust, now),
            self._copy_mode(signer),
            load_registrations(self.home, self.config.oin, service),
        )
        request = make_request(office, service, wish, now=now, random=self.parts.random)
        self._check_as_wallet(request, signer, trust, now)
        token = sign_request_object(request.payload, signer.key, signer.chain)
        start = self.parts.random(16) if wish.same_device else None
        self.store.requests.add(request, start=None if start is None else hash_of(start))
        self.store.requests.add_object(request.id, sha256(token.encode("ascii")), token, None)
        if start is not None:
            return request.id, f"{self.config.url}/start/{b64u_encode(start)}"
        return request.id, self.link(request)

    def _copy_mode(self, signer: Signer) -> CopyMode:
        config = self.config
        by_host = config.client_id_prefix == "x509_san_dns"
        client_id = signer.client_id_at(config.url) if by_host else signer.client_id
        return CopyMode(client_id, config.response_mode == PLAIN_MODE, config.transaction_types)

    @staticmethod
    def _check_as_wallet(request: Request, signer: Signer, trust: TrustList, now: int) -> None:
        """As our wallet will, which knows no transactions of others: of these it only sees the rest."""
        payload = dict(request.payload)
        if request.kind == "copy":
            payload.pop("transaction_data", None)
        token = sign_request_object(payload, signer.key, signer.chain)
        check_registration(verify_request_object(token, request.client_id, trust, now))

    def _open_log(self, trust: TrustList, now: int) -> TrustedLog:
        """The log for new grants. Raises `Rejected`: `not_listed`, `log_closed` 410."""
        log = trust.log(self.config.log)
        if not log.takes_grants(now):
            raise Rejected(
                "log_closed", "this log takes no new grants: name the next one with `verifier use-log`", status=410
            )
        return log

    def link(self, request: Request) -> str:
        """What a wallet opens or scans."""
        return build_authorization_url(request.client_id, f"{self.config.url}/requests/{request.id}")

    def request_object(self, request_id: str, wallet_nonce: str | None) -> str:
        """The signed object of an open request; kept before it is sent, since answers carry its hash.

        Fetching again gives the same object: networks repeat, and previews fetch first.
        Raises `Rejected`: `unknown_request` 404, `request_ended` 410, `too_many_fetches` 429.
        """
        now = self.now()
        stored = self.store.requests.get(request_id)
        signer = self.signer(now)
        if stored.state != "open" or now >= stored.request.exp or not signer.is_client(stored.request.client_id):
            raise Rejected("request_ended", "this request has ended", status=410)
        token = sign_request_object(stored.request.payload, signer.key, signer.chain, wallet_nonce=wallet_nonce)
        return self.store.requests.add_object(request_id, sha256(token.encode("ascii")), token, wallet_nonce)

    # --- what accepting and reading share ------------------------------------------------------------

    def asked(self, trust: TrustList, request: Request, request_hash: bytes) -> Asked:
        """What was asked, with its service version as listed. Raises `Rejected`: `not_listed`."""
        service = trust.service(self.config.oin, request.service, request.service_version)
        return request.asked(service, request_hash)

    def statuses(
        self, credentials: Mapping[str, VerifiedIssuerJwt], trust: TrustList, now: int, *, anew: bool = False
    ) -> dict[str, CredentialStatus]:
        """Status of each credential; undetermined when its list cannot be had or trusted. `anew`: by a list of
        this second, not by one that may still be used.
        """
        return {
            name: self._status(credential.status, issuer_roots(credential, trust), now, anew=anew)
            for name, credential in credentials.items()
        }

    def statuses_of_copy(self, contents: Mapping[str, VerifiedContent], now: int) -> dict[str, CredentialStatus]:
        """The same for what was shown once, whichever its format."""
        return {
            name: self._status(shown.status, shown.status_roots, now, is_listed=shown.is_listed)
            for name, shown in contents.items()
        }

    def _status(
        self,
        reference: StatusReference | None,
        roots: Sequence[bytes],
        now: int,
        *,
        is_listed: bool = True,
        anew: bool = False,
    ) -> CredentialStatus:
        found = None if reference is None else self._status_list(reference.uri, roots, now, anew=anew)
        return status_of(reference, found, is_listed=is_listed)

    def _status_list(self, uri: str, roots: Sequence[bytes], now: int, *, anew: bool) -> StatusList | None:
        row = self.store.seen.status_list(uri)
        minimum = row["iat"] if row else 0
        try:
            if row:
                known = verify_status_token(row["token"], uri=uri, roots=roots, now=now)
                if known.is_fresh(row["fetched"], now) and (not anew or row["fetched"] == now):
                    return known
        except Rejected:
            pass  # expired, or of an issuer whose roots changed: ask again
        try:
            token = self.statuses_of.token(uri)
            found = verify_status_token(token, uri=uri, roots=roots, now=now, minimum_iat=minimum)
        except RegieError:
            return None
        self.store.seen.keep_status_list(uri, token, found.iat, now)
        return found

    def current_standing(
        self, answer: StandingAnswer, grant_index: int, log: LogTrust, now: int
    ) -> VerifiedStanding:
        """The light check on the log's newest checkpoint, for a grant that was verified otherwise.

        Raises `Rejected` as `verify_light_check`; `Unavailable` when the log does not answer.
        """
        client, slot = self.log(log), answer.sealed.slot
        chunk = client.status_chunk(slot)
        checkpoint = satisfied(log.policy, chunk.checkpoint, now, log_keys=(log.key,)).checkpoint
        leaf = grant_leaf(answer.terms, slot, b64u_decode(answer.sealed.opening_key)).to_bytes()
        evidence = client.evidence(slot, grant_index, leaf, size=checkpoint.size, chunk=chunk)
        return verify_light_check(
            evidence,
            grant_opening_of(answer),
            log_key=log.key,
            policy=log.policy,
            now=now,
            kept=self.kept(log, checkpoint, now),
        )

    def kept(self, log: LogTrust, checkpoint: VerifiedCheckpoint, now: int) -> KeptCheckpoint | None:
        """The checkpoint kept from before, once `checkpoint` is found to be of the same history.

        Two that contradict each other are stored as evidence. Raises `Rejected`: `bad_consistency`; `Unavailable`.
        """
        known = self.store.seen.kept_checkpoint(log.origin)
        if known is None:
            return None
        try:
            kept = self.log(log).kept(known.size, known.root, checkpoint.size)
            verify_kept(checkpoint, kept)
        except Rejected as error:
            if error.code == "bad_consistency":
                self.store.seen.add_contradiction(log.origin, known.note, checkpoint.note, now)
            raise
        return kept
