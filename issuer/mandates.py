"""What residents ask about mandates: whom may I act for, who for me; register, join, end (protocol section 10).

Each ask proves who asks (`mandate_caller`); its nonce is spent first, in a transaction of its own. What law allows
no more is ended before anything is answered, also in one of its own, so that a refusal does not undo it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from issuer import store, store_mandate, store_oauth
from issuer.brp import Bsn, Person
from issuer.finding import name_of
from issuer.issue import validity
from issuer.mandate import (
    MAX_LIVE,
    Registered,
    Representation,
    Why,
    by_gezag,
    check_end,
    minors_of,
)
from issuer.mandate_books import (
    SEED_BYTES,
    day_of,
    end_unlawful,
    new_id,
    sign,
    unwrap_seed,
    vcts_of,
    why_not,
    wrap_seed,
)
from issuer.mandate_caller import shown_nonce, verify_caller
from issuer.nonce import verify_nonce
from issuer.offer import Under, make_offer
from issuer.office import Office
from protocol import mandate_api as api
from protocol.attributes import credential_type
from protocol.canonical import b64u_encode, hkdf_sha256, hmac_sha256
from protocol.errors import Rejected
from protocol.openid4vci import offer_reference_link
from service.database import immediate, snapshot

UNNAMED = "-"
"""Of whom the register knows no name."""
_REFERENCE = b"regie/representation/v1"


@dataclass(frozen=True)
class _Entry:
    """One line of somebody's list: what the law says, what is registered, or both."""

    reference: str
    party: int
    law: Representation | None
    row: Registered | None

    @property
    def about(self) -> Representation | Registered:
        """What it is about, in the form that there is."""
        found = self.row or self.law
        if found is None:
            raise ValueError("an entry is about something")
        return found


class Mandates:
    """Around one office."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._key = office.codes_key
        self._engine = office.engine

    # ---- who asks

    def caller(self, ask: api.Ask) -> Bsn:
        """0. this register knows who has authority, for one that was not asked cannot tell who may not act; 1. the
        nonce is ours, and spent by this; 2. the copy is good and signs this ask; 3. it was given to somebody and
        still counts; 4. what law allows him no more is ended.

        Raises `Rejected`: `no_mandates` 404, `invalid_nonce`, `bad_presentation`, `mandate_chain` 403,
        `credential_revoked` 403.
        """
        if "gezag" not in self._office.credentials:
            raise Rejected("no_mandates", "this issuer does not know who has authority over whom", status=404)  # 0
        now, signer = self._office.clock.now(), self._office.signer
        nonce = shown_nonce(ask)
        remembered, expires = verify_nonce(self._key, nonce, now)  # 1
        with immediate(self._engine) as connection:
            if not store_oauth.spend_nonces(connection, {remembered: expires}, now):
                raise Rejected("invalid_nonce", "c_nonce was used before")
        shown = verify_caller(ask, issuer=signer.issuer, key=signer.key.public, nonce=nonce, now=now)  # 2
        with immediate(self._engine) as connection:
            found = store_mandate.holder_of(connection, shown.list_number, shown.index)  # 3
            if found is None:
                raise Rejected("bad_presentation", "this copy is of nobody here")
            if not found[1]:
                raise Rejected("credential_revoked", "the copy was revoked", status=403)
            end_unlawful(connection, found[0], now, day_of(now))  # 4
        return found[0]

    def person(self, connection: Connection, bsn: Bsn) -> Person:
        """What the register says. Raises `Rejected`: `unknown_person` 404."""
        person = store_mandate.find_person(connection, bsn)
        if person is None:
            raise Rejected("unknown_person", "the register no longer knows this person", status=404)
        return person

    # ---- the list

    def representations(self, ask: api.RepresentationsAsk) -> api.RepresentationsAnswer:
        """Whom the caller may act for, and who may act for him. Raises as `caller`."""
        caller = self.caller(ask)
        with snapshot(self._engine) as connection:
            shown = [self._shown(connection, entry) for entry in self._entries(connection, caller)]
        shown.sort(key=lambda one: (one.name, one.reference))
        return api.RepresentationsAnswer(shown[: api.MAX_REPRESENTATIONS])

    def _entries(self, connection: Connection, caller: Bsn) -> list[_Entry]:
        rows = store_mandate.live_of(connection, caller)
        found, used = [], set()
        for law in self._laws(connection, caller):
            party = law.party_of(caller)
            row = next((one for one in rows if _is_same(one, law)), None)
            # A minor who signs nothing sees what is registered, and has nothing to register.
            if party is None or (party == 0 and row is None and not any(0 in group for group in law.signers)):
                continue
            used.add(row.id if row else "")
            found.append(_Entry(self._reference(caller, law.represented, law.kind), party, law, row))
        for row in rows:
            party = row.party_of(caller)
            if row.id not in used and party is not None:
                found.append(_Entry(self._reference(caller, row.represented, row.id), party, None, row))
        return found

    def _laws(self, connection: Connection, caller: Bsn) -> list[Representation]:
        """What the register says now of the caller as a minor, and of the minors that his record names."""
        now = self._office.clock.now()
        found: list[Representation] = []
        for bsn in (caller, *minors_of(self.person(connection, caller))):
            people = store_mandate.people_of(connection, (bsn, caller))
            if bsn in people:
                with_wallet = store_mandate.has_wallet(connection, bsn, now)
                found += by_gezag(people[bsn], people, day_of(now), has_wallet=with_wallet)
                found += _unnamed(bsn, caller, found)
        return found

    def _reference(self, caller: Bsn, represented: Bsn, what: str) -> str:
        """Opaque, of this caller only, and the same each time. An operand of commands: no hyphen begins it."""
        text = f"{caller} {represented} {what}".encode()
        return hmac_sha256(hkdf_sha256(self._key, _REFERENCE), text).hex()

    def _shown(self, connection: Connection, entry: _Entry) -> api.Representation:
        about, row = entry.about, entry.row
        why = None if row or entry.law is None else entry.law.why
        state = "registered" if row else "open"
        if why is not None:
            state = "closed" if why == "decides_alone" else "counter"
        return api.Representation(
            reference=entry.reference,
            role="self" if entry.party == 0 else "delegate",
            kind=about.kind,
            name=self.name(connection, about.represented),
            state=state,  # type: ignore[arg-type]
            delegates=[self.name(connection, bsn) for bsn in about.delegates],
            party=entry.party,
            signers=[list(group) for group in about.signers] or None,
            until=about.until or None,
            id=row.id if row else None,
            claims=list(row.claims) if row and row.claims else None,
            services=list(row.services) if row and row.services else None,
            why=why,
        )

    def name(self, connection: Connection, bsn: Bsn) -> str:
        """The full name of somebody."""
        person = store_mandate.find_person(connection, bsn)
        return (name_of(person) if person else "") or UNNAMED

    # ---- register, join

    def take(self, ask: api.MandateAsk) -> api.MandateAnswer:
        """The mandate behind a reference, registered now or joined (again), with cards for who signs under it.

        Raises `Rejected`: `unknown_reference` 404 (also for somebody else's), `not_representable` 409,
        `mandate_ended` 409, `too_many` 409, and as `caller`.
        """
        caller = self.caller(ask)
        with immediate(self._engine) as connection:
            entries = self._entries(connection, caller)
            entry = next((one for one in entries if one.reference == ask.reference), None)
            if entry is None:
                raise Rejected("unknown_reference", "there is no such representation of you", status=404)
            row = entry.row or self._register(connection, entry)
            return self._join(connection, row, entry.party)

    def _register(self, connection: Connection, entry: _Entry) -> Registered:
        law = entry.law
        if law is None or law.why is not None:
            raise Rejected("not_representable", "the register does not allow this", status=409)
        made = Registered(
            new_id(self._office.random), "gezag", law.kind, law.represented, law.delegates, law.signers, law.until
        )
        return self.register(connection, made)

    def register(self, connection: Connection, made: Registered, *, evidence: str | None = None) -> Registered:
        """Sign a mandate and keep it; it ends with our certificate or with two years, if not before.

        Raises `Rejected`: `mandate_ended` 409, `too_many` 409.
        """
        now = self._office.clock.now()
        made = self.limited(connection, made)
        seed = self._office.random(SEED_BYTES)
        made = replace(made, token=sign(made, seed, self._office.signer, now))
        wrapped = wrap_seed(self._key, made.id, seed, self._office.random)
        store_mandate.add_mandate(connection, made, wrapped, now, evidence=evidence)
        return made

    def limited(self, connection: Connection, made: Registered) -> Registered:
        """With an end that our cards can have. Raises as `register`."""
        now = self._office.clock.now()
        made = replace(made, until=min(made.until, validity(now, self._office.signer.not_after).exp))
        try:
            check_end(made.until, now)
        except Rejected as error:
            raise Rejected("mandate_ended", "it would end before a card could be given", status=409) from error
        live = store_mandate.live_of(connection, made.represented, confirmed=False)
        if sum(one.represented == made.represented for one in live) >= MAX_LIVE:
            raise Rejected("too_many", f"nobody has more than {MAX_LIVE} mandates given", status=409)
        return made

    def _join(self, connection: Connection, row: Registered, party: int) -> api.MandateAnswer:
        seed = self.seed_of(connection, row.id)
        link = tx_code = None
        if row.signs(party):
            opened = [credential_type(vct).configuration_id for vct in vcts_of(row)]
            names = tuple(name for name in opened if name in self._office.credentials)
            now = self._office.clock.now()
            offer, tx_code = make_offer(
                row.represented,
                names,
                key=self._key,
                now=now,
                random=self._office.random,
                under=Under(row.id, party),
            )
            store.add_offer(connection, offer, now)
            link = offer_reference_link(f"{self._office.signer.issuer}/offers/{offer.id}")
        name = self.name(connection, row.represented)
        return api.MandateAnswer(
            row.id, row.token, b64u_encode(seed), party, row.kind, name, row.until, link, tx_code
        )

    def seed_of(self, connection: Connection, id_: str) -> bytes:
        """What the parties of a live mandate share. Raises `Rejected`: `mandate_ended` 409."""
        wrapped = store_mandate.wrapped_seed(connection, id_)
        if wrapped is None:
            raise Rejected("mandate_ended", "the mandate has ended", status=409)
        return unwrap_seed(self._key, id_, wrapped)

    # ---- the end

    def end(self, id_: str, ask: api.EndAsk) -> api.EndAnswer:
        """Either side ends it, for ever. Raises `Rejected`: `bad_form`, `unknown_mandate` 404, as `caller`."""
        caller, now = self.caller(ask), self._office.clock.now()
        if ask.id != id_:
            raise Rejected("bad_form", "the address names another mandate than what was signed")
        with immediate(self._engine) as connection:
            row = store_mandate.find_mandate(connection, id_)
            if row is None or row.party_of(caller) is None or not row.token:
                raise Rejected("unknown_mandate", "there is no such mandate of yours", status=404)
            if row.ended is None:
                store_mandate.end_mandate(connection, id_, "by_party", now)
            return api.EndAnswer(id_, row.ended if row.ended is not None else now)

    def is_lawful(self, connection: Connection, row: Registered) -> bool:
        """Whether law allows it at this moment."""
        now = self._office.clock.now()
        return why_not(connection, row, now, day_of(now)) is None


def _is_same(row: Registered, law: Representation) -> bool:
    is_of = row.source == "gezag" and row.represented == law.represented and law.why is None
    return is_of and (row.kind, row.delegates, row.signers) == (law.kind, law.delegates, law.signers)


def _unnamed(child: Bsn, caller: Bsn, found: Sequence[Representation]) -> list[Representation]:
    """The caller's record names the minor, and the minor's record does not let him act: a clerk looks."""
    of_child = [one for one in found if one.represented == child]
    if child == caller or any(one.party_of(caller) is not None for one in of_child):
        return []
    undetermined: Why = "gezag_undetermined"
    why = next((one.why for one in of_child if one.why is not None), undetermined)
    return [Representation("ouder", child, (caller,), why=why)]
