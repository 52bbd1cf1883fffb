"""Grants on behalf of somebody: the log alone refuses what is wider than the mandate; nothing changes by it."""

import os
from typing import Any

import msgspec
import pytest

from protocol.canonical import b64u_encode
from protocol.consent_api import GrantAnswer, GrantRequest, RevocationAnswer
from protocol.revocation_code import code_from_seed, lock_for, revocation_secret
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol import builders
from tests.protocol import mandates as m
from tests.protocol.builders import ADRES, AGENCY_ID, DAY, NOW, SERVICE_ID

OPEN = m.token()
NARROW = m.token(
    claims=[{"vct": ADRES, "names": ["postcode", "huisnummer"]}],
    services=[{"recipient": AGENCY_ID, "service": SERVICE_ID}],
    until=NOW + 100 * DAY,
)
WITHIN = {"not_after": NOW + 50 * DAY}


def refused(town: SmallTown, request: GrantRequest) -> tuple[int, str]:
    """Status and code; no leaf, slot or share came of it."""
    before = (town.leaves(), town.node.tree.size if town.node else 0)
    answer = code_of(town.send("POST", "/v1/grants", request))
    town.settle()
    assert (town.leaves(), town.node.tree.size if town.node else 0) == before
    return answer


def asked(town: SmallTown, token: str = NARROW, **terms: Any) -> GrantRequest:
    return town.grant_request(mandate=token, **{**WITHIN, **terms})[2]


def test_grant_refresh_and_stop_under_a_mandate(town: SmallTown) -> None:
    """Whoever holds the mandate's seed stops what another party granted and refreshed."""
    given = town.grant(mandate=NARROW, **WITHIN)
    town.advance(DAY)
    _, again = town.refresh_request(given)
    assert again.terms.on_behalf_of == given.terms.on_behalf_of
    made = town.parsed(town.send("POST", "/v1/grants", again), GrantAnswer)
    assert town.parsed(town.send("POST", "/v1/grants", again), GrantAnswer).slot == made.slot  # not heard
    theirs = code_from_seed(m.SEED, 0)
    answer = town.post_revocation(revocation_secret(theirs, 2))
    assert town.parsed(answer, RevocationAnswer).slot == made.slot


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "schuldhulp"},
        {"recipient": "00000099000000009999"},
        {"not_after": NOW + 100 * DAY + 1},
        {"lock": b64u_encode(lock_for(bytes(16), 1))},
        {"lock": m.lock(2)},
    ],
    ids=["another service", "another agency", "a longer term", "a foreign lock", "the lock of another version"],
)
def test_attack_mandate_is_stretched(town: SmallTown, changes: dict[str, Any]) -> None:
    """The agency's ticket is good for what it asks: only the mandate is not."""
    request = asked(town, **changes)
    named = {name: changes[name] for name in ("service",) if name in changes}
    request = msgspec.structs.replace(request, ticket=town.ticket(**named))
    status, code = refused(town, request)
    assert status == 403
    assert code == ("bad_ticket" if "recipient" in changes else "mandate_widened")
    assert town.grant(mandate=NARROW, **WITHIN).answer.slot == 0


def test_attack_lock_of_a_version_that_the_others_do_not_look_for(town: SmallTown) -> None:
    code = code_from_seed(m.SEED, 5)
    hidden = asked(town, lock=m.lock(2, code))
    hidden = msgspec.structs.replace(hidden, mandate=m.shown(NARROW, code=code, version=2))
    assert refused(town, hidden) == (403, "mandate_widened")


def test_attack_attribute_that_the_mandate_does_not_name(town: SmallTown) -> None:
    only = m.token(claims=[{"vct": ADRES, "names": ["postcode"]}])
    assert refused(town, asked(town, only)) == (403, "mandate_widened")
    of_persons = m.token(claims=[{"vct": builders.PERSOON, "names": ["geslachtsnaam"]}])
    assert refused(town, asked(town, of_persons)) == (403, "mandate_widened")


@pytest.mark.parametrize(
    "token",
    [
        m.token(builders.STRANGER),
        m.token(iss="https://elders.example"),
        m.token(builders.AGENCY),
        OPEN[:-4] + "AAAA",
    ],
    ids=["a root that nobody listed", "an issuer that nobody listed", "an agency", "another signature"],
)
def test_attack_mandate_that_no_listed_issuer_signed(town: SmallTown, token: str) -> None:
    assert refused(town, asked(town, token)) == (403, "bad_mandate")


def test_mandate_left_out_swapped_or_added(town: SmallTown) -> None:
    request = asked(town)
    without = msgspec.structs.replace(request, mandate=None)
    assert refused(town, without) == (403, "bad_mandate")
    swapped = msgspec.structs.replace(request, mandate=m.shown(OPEN))
    assert refused(town, swapped) == (403, "bad_mandate")
    plain = msgspec.structs.replace(town.grant_request()[2], mandate=m.shown(OPEN))
    assert refused(town, plain) == (403, "bad_mandate")
    unsalted = msgspec.structs.replace(request, mandate=NARROW)
    assert refused(town, unsalted) == (400, "bad_form")


def test_mandate_that_has_ended(town: SmallTown) -> None:
    over = m.token(iat=NOW - 2 * DAY, until=NOW)
    assert refused(town, asked(town, over)) == (403, "mandate_ended")


def test_attack_refresh_moves_the_grant_out_of_reach(town: SmallTown) -> None:
    """One party refreshes to a lock whose code the represented person does not have."""
    given = town.grant(mandate=NARROW, **WITHIN)
    town.advance(DAY)
    own = os.urandom(16)
    _, away = town.refresh_request(given, lock=b64u_encode(lock_for(own, 2)))
    for shown in (away.mandate, m.shown(NARROW, code=own, version=2), m.shown(NARROW)):
        assert refused(town, msgspec.structs.replace(away, mandate=shown)) == (403, "mandate_widened")
    _, good = town.refresh_request(given)
    assert refused(town, msgspec.structs.replace(good, mandate=None)) == (403, "bad_mandate")
    town.parsed(town.send("POST", "/v1/grants", good), GrantAnswer)


def test_attack_refresh_drops_the_represented_person(town: SmallTown) -> None:
    given = town.grant(mandate=NARROW, **WITHIN)
    town.advance(DAY)
    _, own = town.refresh_request(given, on_behalf_of=None)
    assert refused(town, msgspec.structs.replace(own, mandate=None)) == (403, "widened")
