"""Copies asked by DCQL: never more than a service registers, of our cards and of strangers', and checked here."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.anchors import Anchors, StrangerIssuer
from protocol.asker import registers, wanted_of
from protocol.canonical import MAX_JSON_DEPTH, to_builtins
from protocol.dcql import Query, parse_query
from protocol.direct_post import MAX_PRESENTATIONS
from protocol.errors import Rejected
from protocol.key_binding import sign_key_binding
from protocol.openid4vp import VerifiedRequest
from protocol.trust_list import ServiceClaim
from protocol.x509 import authority_key_ids
from service.fetch import Fetcher
from tests.protocol import builders, foreign
from tests.protocol.builders import ADRES, HOLDER, PERSOON
from tests.protocol.foreign import PID
from tests.verifier.agency import Agency, Wallet, copy_form, error_of
from tests.verifier.holder import ELDERS, Holder
from verifier.client import StatusClient
from verifier.query import query_of, within
from verifier.reader import take_copy, take_shared

AKI = next(iter(authority_key_ids((builders.FOREIGN.leaf,))))
MIXED = builders.service(
    id="gemengd",
    claims=[
        ServiceClaim(vct=PID, path=["given_name"], needed=True),
        ServiceClaim(vct=PID, path=["address"], needed=True),
        ServiceClaim(vct=PID, path=["degrees"], needed=False),
        ServiceClaim(vct=PID, path=["nationalities"], needed=False),
        ServiceClaim(vct=PID, path=["age_equal_or_over", "18"], needed=False),
        ServiceClaim(vct=ADRES, path=["postcode"], needed=False),
        ServiceClaim(vct=ADRES, path=["woonplaats"], needed=False),
    ],
)
TRUST = builders.trust_list(agencies=[builders.agency(services=[MIXED])])


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """An agency with a service over cards of strangers, whom its home trusts by an anchor."""
    found = Agency(tmp_path, trust=TRUST, anchors=ELDERS)
    found.net.lists[foreign.STATUS["status_list"]["uri"]] = builders.FOREIGN
    return found


@pytest.fixture
def wallet(agency: Agency) -> Wallet:
    """Only to open requests with."""
    return Wallet(agency.clock, agency.log, trust=TRUST)


def pid(*paths: list[Any], query_id: str = "pid", **members: Any) -> dict[str, Any]:
    claims = {"claims": [{"path": path} for path in paths]} if paths else {}
    return {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [PID]}, **claims, **members}


def adres(*names: str, **members: Any) -> dict[str, Any]:
    claims = [{"path": [name]} for name in names]
    return {"id": "adres", "format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}, "claims": claims, **members}


def query(*credentials: dict[str, Any], **members: Any) -> Query:
    return parse_query({"credentials": list(credentials), **members})


def ask(agency: Agency, wallet: Wallet, asked: Query | None = None, **wish: Any) -> tuple[str, VerifiedRequest]:
    rid, link = agency.ask(service="gemengd", once=True, query=asked, **wish)
    return rid, wallet.open(agency, link)


def answer(agency: Agency, rid: str, request: VerifiedRequest, vp_token: dict[str, list[str]]) -> list[Any]:
    """What the desk is handed after an answer that was accepted."""
    posted = agency.post(rid, copy_form(request, vp_token))
    assert posted.status_code == 200, posted.text
    return [(card.id, card.claims) for card in take_shared(agency.desk, rid)]


def refused(agency: Agency, rid: str, request: VerifiedRequest, vp_token: dict[str, list[str]], code: str) -> None:
    before = agency.stored()
    posted = agency.post(rid, copy_form(request, vp_token))
    assert (posted.status_code, error_of(posted)) == (400, code)
    assert agency.stored() == before
    with pytest.raises(Rejected, match="no_copy"):
        take_shared(agency.desk, rid)


def rebound(agency: Agency, request: VerifiedRequest, shown: str) -> dict[str, list[str]]:
    """The same disclosures, signed again for this request: what a wallet could send that keeps to no query."""
    presented = shown[: shown.rindex("~") + 1]
    signed = {"audience": request.client_id, "nonce": request.nonce, "iat": agency.clock.time}
    return {"pid": [presented + sign_key_binding(presented, HOLDER, **signed)]}


def our_card(seed: str = "ours", **changes: Any) -> tuple[str, Any]:
    key = builders.es256(seed)
    return builders.credential(ADRES, holder=key.public, **changes), key


# --- what may be asked -----------------------------------------------------------------------------------------


def test_service_without_a_query_asks_all_that_it_registers(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet)
    holder = Holder((foreign.pid(), HOLDER), our_card())
    found = dict(answer(agency, rid, request, holder.vp_token(request)))
    assert found["card-1"] == {
        "given_name": "Erika",
        "address": foreign.CLAIMS["address"],
        "degrees": foreign.CLAIMS["degrees"],
        "nationalities": ["DE", "NL"],
        "age_equal_or_over": {"18": True},
    }
    assert set(found["adres"]) == {"postcode", "woonplaats", *builders.flags(ADRES)}


@pytest.mark.parametrize(
    "asked",
    [
        query(pid(["height"])),
        query(pid(["age_equal_or_over", "65"])),
        query(pid(["age_equal_or_over"])),
        query(pid(["age_equal_or_over", None])),
        query(adres("straat")),
        query({**adres("postcode"), "meta": {"vct_values": [ADRES, PERSOON]}}),
        query({**pid(), "meta": {"vct_values": ["urn:other:1"]}}),
        query(
            {**adres("postcode"), "meta": {"vct_values": [PERSOON]}, "claims": [{"path": ["burgerservicenummer"]}]}
        ),
        query(pid(["given_name"]), adres("straat"), credential_sets=[{"options": [["pid"], ["adres"]]}]),
        query(
            pid(
                claims=[{"id": "a", "path": ["given_name"]}, {"id": "b", "path": ["height"]}],
                claim_sets=[["a"], ["b"]],
            )
        ),
    ],
)
def test_over_asking_by_dcql_is_refused_at_the_desk(agency: Agency, asked: Query) -> None:
    with pytest.raises(Rejected, match="over_asking"):
        agency.ask(service="gemengd", once=True, query=asked)
    assert not agency.stored()["requests"]


@pytest.mark.parametrize(
    "asked",
    [
        query({"id": "m", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}}),
        query(pid(["given_name"], require_cryptographic_holder_binding=False)),
    ],
)
def test_query_for_what_cannot_be_checked_is_refused_at_the_desk(agency: Agency, asked: Query) -> None:
    with pytest.raises(Rejected, match="bad_query"):
        agency.ask(service="gemengd", once=True, query=asked)
    assert not agency.stored()["requests"]


def test_query_and_transactions_are_not_for_standing_access(agency: Agency) -> None:
    for wish in ({"query": query(adres("postcode"))}, {"transactions": [{"type": "x"}]}):
        with pytest.raises(Rejected, match="bad_wish"):
            agency.ask(service="gemengd", **wish)


def test_burgerservicenummer_needs_the_right_to_it() -> None:
    claims = [ServiceClaim(vct=PERSOON, path=["burgerservicenummer"], needed=True)]
    service = builders.service(claims=claims, bsn_law="Wabb artikel 10")
    assert within(query_of(service), service, bsn_allowed=True)
    with pytest.raises(Rejected, match="over_asking"):
        within(query_of(service), service, bsn_allowed=False)
    lawless = builders.service(claims=claims)
    with pytest.raises(Rejected, match="over_asking"):
        within(query_of(lawless), lawless, bsn_allowed=True)


def test_flags_travel_with_every_attribute_of_the_vocabulary() -> None:
    flags = builders.flags(ADRES)
    plain = within(query(adres("postcode")), MIXED, bsn_allowed=True)
    assert [claim.path[0] for claim in plain.credentials[0].claims] == ["postcode", *flags]
    claims = [{"id": "p", "path": ["postcode"]}, {"id": "w", "path": ["woonplaats"]}]
    choice = within(query(adres(claims=claims, claim_sets=[["p"], ["w"]])), MIXED, bsn_allowed=True)
    names = {claim.id: claim.path[0] for claim in choice.credentials[0].claims}
    assert [[names[one] for one in option] for option in choice.credentials[0].claim_sets] == [
        ["postcode", *flags],
        ["woonplaats", *flags],
    ]
    again = within(choice, MIXED, bsn_allowed=True)
    assert again == choice
    foreign_only = query(pid(["given_name"]), pid(query_id="none"))
    assert within(foreign_only, MIXED, bsn_allowed=True) == foreign_only


def test_type_of_others_beside_ours_does_not_let_the_flags_stay_behind() -> None:
    service = builders.service(
        claims=[ServiceClaim(vct=vct, path=["postcode"], needed=True) for vct in (ADRES, PID)]
    )
    asked = query({**adres("postcode"), "meta": {"vct_values": [ADRES, PID]}})
    with pytest.raises(Rejected, match="bad_query"):
        within(asked, service, bsn_allowed=True)
    apart = query(adres("postcode"), pid(["postcode"]), credential_sets=[{"options": [["adres"], ["pid"]]}])
    ours, theirs = within(apart, service, bsn_allowed=True).credentials
    assert [claim.path[0] for claim in ours.claims] == ["postcode", *builders.flags(ADRES)]
    assert [claim.path for claim in theirs.claims] == [["postcode"]]
    nothing = query({**pid(), "meta": {"vct_values": [ADRES, PID]}})
    assert within(nothing, service, bsn_allowed=True) == nothing


PATHS = st.lists(
    st.sampled_from(
        ["given_name", "address", "locality", "degrees", "height", "age_equal_or_over", "18", "65", None, 0]
    ),
    min_size=1,
    max_size=3,
).filter(lambda path: isinstance(path[0], str))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PATHS, min_size=1, max_size=3), st.sampled_from([[PID], [ADRES], [PID, ADRES], ["urn:other:1"]]))
def test_what_passes_asks_nothing_that_is_not_registered(paths: list[list[Any]], vcts: list[str]) -> None:
    asked = query({**pid(*paths), "meta": {"vct_values": vcts}})
    if not all(registers(MIXED, vct, path) for vct in vcts for path in paths):
        with pytest.raises(Rejected, match="over_asking"):
            within(asked, MIXED, bsn_allowed=True)
        return
    passed = within(asked, MIXED, bsn_allowed=True)
    assert all(registers(MIXED, one.vct, one.path) for item in passed.credentials for one in wanted_of(item))
    assert parse_query(json.loads(json.dumps(to_builtins(passed)))) == passed


# --- what is answered ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "claims"),
    [
        ([["given_name"]], {"given_name": "Erika"}),
        ([["address", "locality"]], {"address": {"locality": "Köln"}}),
        ([["degrees", None, "type"]], {"degrees": [{"type": "BSc"}, {"type": "MSc"}]}),
        ([["degrees", 0, "university"]], {"degrees": [{"university": "Köln"}]}),
        ([["nationalities", None]], {"nationalities": ["DE", "NL"]}),
        ([["nationalities", 0]], {"nationalities": ["DE"]}),
        ([["age_equal_or_over", "18"]], {"age_equal_or_over": {"18": True}}),
        ([], {}),
    ],
)
def test_nested_claims_of_a_stranger_are_asked_by_path(
    agency: Agency, wallet: Wallet, paths: list[Any], claims: dict[str, Any]
) -> None:
    rid, request = ask(agency, wallet, query(pid(*paths)))
    assert answer(agency, rid, request, Holder().vp_token(request)) == [("pid", claims)]


def test_claim_as_deep_as_a_credential_may_be_is_handed_over(tmp_path: Path) -> None:
    """What is kept wraps it once more; a limit met when it is handed over would lose it, since it is gone then."""
    deep: Any = 1.5
    for _ in range(MAX_JSON_DEPTH - 1):
        deep = [deep]
    service = builders.service(id="gemengd", claims=[ServiceClaim(vct=PID, path=["deep"], needed=True)])
    trust = builders.trust_list(agencies=[builders.agency(services=[service])])
    agency = Agency(tmp_path, trust=trust, anchors=ELDERS)
    agency.net.lists[foreign.STATUS["status_list"]["uri"]] = builders.FOREIGN
    rid, request = ask(agency, Wallet(agency.clock, agency.log, trust=trust))
    token = Holder((foreign.pid(deep=deep), HOLDER)).vp_token(request)
    assert answer(agency, rid, request, token) == [("card-1", {"deep": deep})]


def test_part_of_a_nested_claim_that_was_not_asked_is_dropped(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet, query(pid(["address", "locality"])))
    _, everything = ask(agency, wallet, query(pid(["address"], ["given_name"])))
    generous = Holder().vp_token(everything)["pid"][0]
    assert answer(agency, rid, request, rebound(agency, request, generous)) == [
        ("pid", {"address": {"locality": "Köln"}})
    ]


def test_answer_names_type_and_issuer_of_each_card(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet, query(pid(["given_name"])))
    assert agency.post(rid, copy_form(request, Holder().vp_token(request))).status_code == 200
    (card,) = take_shared(agency.desk, rid)
    assert (card.id, card.vct, card.issuer) == ("pid", PID, builders.FOREIGN_ID)


def test_wallet_chooses_among_claim_sets(agency: Agency, wallet: Wallet) -> None:
    claims = [
        {"id": "m", "path": ["degrees", None, "type"], "values": ["PhD"]},
        {"id": "n", "path": ["given_name"]},
        {"id": "a", "path": ["address", "locality"]},
    ]
    rid, request = ask(agency, wallet, query(pid(claims=claims, claim_sets=[["m"], ["n", "a"]])))
    found = answer(agency, rid, request, Holder().vp_token(request))
    assert found == [("pid", {"given_name": "Erika", "address": {"locality": "Köln"}})]


def test_value_that_was_not_asked_for_is_refused(agency: Agency, wallet: Wallet) -> None:
    wanted = [{"path": ["age_equal_or_over", "18"], "values": [False]}]
    rid, request = ask(agency, wallet, query(pid(claims=wanted)))
    _, any_value = ask(agency, wallet, query(pid(["age_equal_or_over", "18"])))
    shown = Holder().vp_token(any_value)["pid"][0]
    refused(agency, rid, request, rebound(agency, request, shown), "dcql_not_satisfied")


def test_credential_sets_take_one_card_or_the_other(agency: Agency, wallet: Wallet) -> None:
    either = query(
        pid(["address", "locality"]),
        adres("woonplaats"),
        credential_sets=[{"options": [["pid"], ["adres"]]}],
    )
    for holder, name in ((Holder(), "pid"), (Holder(our_card()), "adres")):
        rid, request = ask(agency, wallet, either)
        (found,) = answer(agency, rid, request, holder.vp_token(request))
        assert found[0] == name
    rid, request = ask(agency, wallet, either)
    refused(agency, rid, request, {"other": Holder().vp_token(request)["pid"]}, "dcql_not_satisfied")


def test_optional_credential_set_may_be_left_out_or_answered(agency: Agency, wallet: Wallet) -> None:
    sets = [{"options": [["pid"]]}, {"options": [["adres"]], "required": False}]
    asked = query(pid(["given_name"]), adres("postcode"), credential_sets=sets)
    both = Holder((foreign.pid(), HOLDER), our_card())
    rid, request = ask(agency, wallet, asked)
    assert [name for name, _ in answer(agency, rid, request, both.vp_token(request))] == ["pid"]
    rid, request = ask(agency, wallet, asked)
    found = answer(agency, rid, request, both.vp_token(request, extra=["adres"]))
    assert [name for name, _ in found] == ["pid", "adres"]
    rid, request = ask(agency, wallet, asked)
    only = both.vp_token(request, extra=["adres"])
    refused(agency, rid, request, {"adres": only["adres"]}, "dcql_not_satisfied")


def test_several_cards_come_only_where_several_were_asked(agency: Agency, wallet: Wallet) -> None:
    second = builders.es256("second")
    cards = ((foreign.pid(), HOLDER), (foreign.pid(cnf={"jwk": second.public.jwk()}), second))
    rid, request = ask(agency, wallet, query(pid(["given_name"], multiple=True)))
    token = Holder(*cards).vp_token(request)
    assert len(token["pid"]) == 2
    assert agency.post(rid, copy_form(request, token)).status_code == 200
    assert take_copy(agency.desk, rid) == {"given_name": "Erika", "given_name.2": "Erika"}
    rid, request = ask(agency, wallet, query(pid(["given_name"])))
    one = Holder(cards[0]).vp_token(request)["pid"]
    two = Holder(cards[1]).vp_token(request)["pid"]
    refused(agency, rid, request, {"pid": [*one, *two]}, "dcql_not_satisfied")


def test_one_presentation_does_not_count_twice(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet, query(pid(["given_name"], multiple=True)))
    (one,) = Holder().vp_token(request)["pid"]
    refused(agency, rid, request, {"pid": [one, one]}, "bad_vp_token")


def test_one_card_signed_anew_does_not_count_twice(agency: Agency, wallet: Wallet) -> None:
    """Two presentations of one card differ in their signatures, and could pass for two cards."""
    rid, request = ask(agency, wallet, query(pid(["given_name"], multiple=True)))
    holder = Holder()
    (one,), (again,) = (holder.vp_token(request)["pid"] for _ in range(2))
    assert one != again
    refused(agency, rid, request, {"pid": [one, again]}, "bad_vp_token")
    twice = query(pid(["given_name"]), pid(["address"], query_id="more"))
    rid, request = ask(agency, wallet, twice)
    assert len(answer(agency, rid, request, Holder().vp_token(request))) == 2


def test_number_of_cards_in_an_answer_is_bounded(agency: Agency, wallet: Wallet) -> None:
    asked = query(pid(["given_name"], multiple=True), pid(["given_name"], query_id="more", multiple=True))
    keys = [builders.es256(f"copy {number}") for number in range(MAX_PRESENTATIONS + 1)]
    cards = [(foreign.pid(cnf={"jwk": key.public.jwk()}), key) for key in keys]
    for many, code in ((MAX_PRESENTATIONS, None), (MAX_PRESENTATIONS + 1, "bad_vp_token")):
        rid, request = ask(agency, wallet, asked)
        shown = Holder(*cards[:many]).vp_token(request)["pid"]
        token = {"pid": shown[:10], "more": shown[10:]}
        if code is None:
            assert len(answer(agency, rid, request, token)) == many
        else:
            refused(agency, rid, request, token, code)


def test_revoked_card_among_several_is_found(agency: Agency, wallet: Wallet) -> None:
    """The status of each presentation is looked up, not that of the last one under an id."""
    second = builders.es256("second")
    revoked = foreign.pid(
        cnf={"jwk": second.public.jwk()},
        status={"status_list": {**foreign.STATUS["status_list"], "idx": 8}},
    )
    agency.net.statuses[8] = 1
    rid, request = ask(agency, wallet, query(pid(["given_name"], multiple=True)))
    for cards in (((revoked, second), (foreign.pid(), HOLDER)), ((foreign.pid(), HOLDER), (revoked, second))):
        refused(agency, rid, request, Holder(*cards).vp_token(request), "credential_revoked")


def test_trusted_authority_is_checked_by_the_key_in_the_chain(agency: Agency, wallet: Wallet) -> None:
    for value, code in ((AKI, None), ("AAAAAAAAAAAAAAAAAAAAAAAAAAA", "dcql_not_satisfied")):
        authorities = [{"type": "aki", "values": [value]}]
        rid, request = ask(agency, wallet, query(pid(["given_name"], trusted_authorities=authorities)))
        _, plain = ask(agency, wallet, query(pid(["given_name"])))
        shown = Holder().vp_token(plain)["pid"][0]
        if code is None:
            assert answer(agency, rid, request, rebound(agency, request, shown))
        else:
            refused(agency, rid, request, rebound(agency, request, shown), code)


# --- whom it is of ---------------------------------------------------------------------------------------------


def test_stranger_without_an_anchor_is_refused(tmp_path: Path) -> None:
    agency = Agency(tmp_path, trust=TRUST)
    rid, request = ask(agency, Wallet(agency.clock, agency.log, trust=TRUST), query(pid(["given_name"])))
    refused(agency, rid, request, Holder().vp_token(request), "not_listed")


def test_stranger_may_not_issue_what_its_anchor_does_not_say(tmp_path: Path) -> None:
    entry = StrangerIssuer(name="Elders", roots=builders.FOREIGN.roots, vcts=["urn:other:1"])
    agency = Agency(tmp_path, trust=TRUST, anchors=Anchors(issuers=[entry]))
    rid, request = ask(agency, Wallet(agency.clock, agency.log, trust=TRUST), query(pid(["given_name"])))
    refused(agency, rid, request, Holder().vp_token(request), "vct_not_allowed")


def test_status_list_of_a_stranger_is_fetched_and_decides(agency: Agency, wallet: Wallet) -> None:
    agency.net.statuses[foreign.STATUS["status_list"]["idx"]] = 1
    rid, request = ask(agency, wallet, query(pid(["given_name"])))
    refused(agency, rid, request, Holder().vp_token(request), "credential_revoked")
    assert foreign.STATUS["status_list"]["uri"] in agency.net.fetched


def test_status_list_that_another_issuer_signed_says_nothing(agency: Agency, wallet: Wallet) -> None:
    agency.net.lists[foreign.STATUS["status_list"]["uri"]] = builders.ISSUER
    rid, request = ask(agency, wallet, query(pid(["given_name"])))
    refused(agency, rid, request, Holder().vp_token(request), "status_undetermined")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433", "0x7f.1"])
def test_ssrf_by_the_uri_of_the_status_list_reaches_nobody(agency: Agency, wallet: Wallet, host: str) -> None:
    """A card that a stranger issued points at our own machine: nothing is fetched, its status stays unknown."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        uri = f"https://{host}:{server.getsockname()[1]}/lists/1"
        card = foreign.pid(status={"status_list": {"idx": 0, "uri": uri}})
        agency.desk.statuses_of = StatusClient(Fetcher(loopback=False))
        rid, request = ask(agency, wallet, query(pid(["given_name"])))
        refused(agency, rid, request, Holder((card, HOLDER)).vp_token(request), "status_undetermined")
        with pytest.raises(TimeoutError):
            server.accept()


def test_cards_of_two_residents_do_not_answer_one_request(agency: Agency, wallet: Wallet) -> None:
    rid, request = ask(agency, wallet, query(adres("postcode", multiple=True)))
    two = Holder(our_card("a"), our_card("b", set_id=builders.set_id("set 2")))
    refused(agency, rid, request, two.vp_token(request), "claim_mismatch")
