"""A log whose shares operators hold: it takes no share, gives none, and keeps all its other rules."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from consentlog.tables import shares
from protocol.canonical import b64u_encode
from protocol.consent_api import GrantRequest
from protocol.operators import deal
from protocol.presentation import seal_deposit
from protocol.terms import Terms
from protocol.trust_list import LogOperators, sign_trust_list
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import Given, SmallTown
from tests.protocol import builders
from tests.protocol.builders import NOW
from tests.protocol.dealing import NAMES
from tests.protocol.granting import POSTCODE

LISTED = LogOperators(needed=2, members=list(NAMES[:3]))


class DealtTown(SmallTown):
    """A small town whose trust list names operators for the log."""

    operators: LogOperators | None = LISTED

    def publish_trust(self, version: int = 1, **changes: Any) -> None:
        logs = [msgspec.structs.replace(self.entry, policy=self.policy, operators=self.operators)]
        trust = builders.trust_list(logs=logs, version=version, exp=NOW + 500 * builders.DAY, **changes)
        self.trust_list.write_text(sign_trust_list(trust, builders.REGISTRAR))

    def grant_request(
        self, code: bytes | None = None, *, b: bytes | None = None, version: int = 1, **terms: Any
    ) -> tuple[bytes, bytes, GrantRequest]:
        """A grant that is dealt as listed, unless `operators` says otherwise; None: its share is deposited."""
        listed = terms.pop("operators", self.operators)
        if listed is None:
            return super().grant_request(code, b=b, version=version, **terms)
        dealing = deal(listed.needed, listed.members, os.urandom)
        members = {**terms, "operators": dealing.operators}
        code, b, request = super().grant_request(code, b=dealing.b, version=version, **members)
        return code, b, msgspec.structs.replace(request, deposit=None)

    def held(self) -> int:
        """Shares in the store."""
        assert self.node is not None
        with self.node.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(shares)).scalar_one())


@pytest.fixture
def town(tmp_path: Path) -> Any:
    with DealtTown(tmp_path).running() as running:
        yield running


def post(town: DealtTown, request: GrantRequest) -> Any:
    return town.send("POST", "/v1/grants", request)


def refuses(town: DealtTown, request: GrantRequest, code: str, status: int = 400) -> None:
    assert town.node is not None
    before = town.node.tree.size
    assert code_of(post(town, request)) == (status, code)
    assert town.node.tree.size == before


def test_log_takes_a_grant_whose_shares_operators_hold_and_keeps_none(town: DealtTown) -> None:
    given = town.grant()
    assert given.terms.operators is not None
    assert town.held() == 0
    again = town.parsed(post(town, given.request), type(given.answer))
    assert (again.index, again.slot) == (given.answer.index, given.answer.slot)


def test_log_with_operators_refuses_grants_without(town: DealtTown) -> None:
    refuses(town, town.grant_request(operators=None)[2], "bad_terms")


@pytest.mark.parametrize(
    "listed",
    [
        LogOperators(needed=1, members=LISTED.members),
        LogOperators(needed=2, members=LISTED.members[:2]),
        LogOperators(needed=2, members=LISTED.members[::-1]),
        LogOperators(needed=2, members=[*LISTED.members[:2], NAMES[4]]),
    ],
)
def test_log_refuses_grants_that_are_dealt_otherwise_than_listed(town: DealtTown, listed: LogOperators) -> None:
    refuses(town, town.grant_request(operators=listed)[2], "bad_terms")


def test_log_without_operators_refuses_grants_with(tmp_path: Path) -> None:
    town = DealtTown(tmp_path)
    town.operators = None
    town.publish_trust(version=2)
    with town.running():
        refuses(town, town.grant_request(operators=LISTED)[2], "bad_terms")
        town.grant()
        assert town.held() == 1


def test_log_refuses_a_deposit_beside_operators(town: DealtTown) -> None:
    _, _, request = town.grant_request()
    deposit = seal_deposit(builders.LOG_DEPOSIT_KEY.public_bytes(), request.terms, bytes(32))
    refuses(town, msgspec.structs.replace(request, deposit=b64u_encode(deposit)), "bad_form")
    without = msgspec.structs.replace(town.grant_request(operators=None)[2], deposit=None)
    refuses(town, without, "bad_form")


def test_read_gets_its_entry_and_its_proofs_but_no_share(town: DealtTown) -> None:
    given = town.grant()
    sent, answer = town.read(given, POSTCODE)
    assert (answer.n, answer.sealed) == (0, None)
    assert b'"sealed"' not in town.post_read(sent).data
    assert town.read(given, POSTCODE)[1].n == 1


def test_read_after_the_stop_is_refused_as_ever(town: DealtTown) -> None:
    given = town.grant()
    town.read(given)
    town.revoke(given)
    assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")


def test_old_grants_keep_their_share_when_operators_come(tmp_path: Path) -> None:
    town = DealtTown(tmp_path)
    town.operators = None
    town.publish_trust(version=2)
    with town.running():
        old = town.grant()
        town.operators = LISTED
        town.publish_trust(version=3)
        sent, answer = town.read(old)
        assert len(town.shares(sent, answer)) == len(sent.read.claims)
        new = town.grant()
        assert town.read(new)[1].sealed is None
        assert town.held() == 1


def refreshed(town: DealtTown, given: Given, **terms: Any) -> GrantRequest:
    return town.refresh_request(given, **terms)[1]


def test_refresh_deals_anew(town: DealtTown) -> None:
    given = town.grant()
    request = refreshed(town, given)
    assert isinstance(request.terms, Terms)
    assert post(town, request).status_code == 201
    assert town.held() == 0


def test_attack_refresh_that_puts_the_share_back_into_the_log(town: DealtTown) -> None:
    given = town.grant()
    refuses(town, refreshed(town, given, operators=None), "widened", 403)
