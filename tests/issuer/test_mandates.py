"""Who may act for whom at the issuer: parents, guardians, helpers; every refusal; and what nobody can stretch."""

import pytest
from sqlalchemy import select

from issuer.brp import Bsn
from issuer.mandate import Registered
from issuer.offer import BRP_CREDENTIALS, configuration
from issuer.tables import copies, mandates
from protocol import mandate_api as api
from protocol.canonical import b64u_decode, b64u_encode, to_builtins
from protocol.credential import verify_credential
from protocol.errors import Rejected
from protocol.mandate import MandateClaims, MandateService, lock_digests, verify_mandate
from service.database import snapshot
from tests.issuer import acting
from tests.issuer.acting import (
    ABEBA,
    DAY,
    FLOOR,
    JELLE,
    MELATI,
    SERVICE,
    TIJN,
    WENDE,
    Resident,
    born,
    fetch,
    holding,
    make_young,
    record,
    redeem,
    relation,
    resident,
    take_in,
)
from tests.issuer.desk import NOOR, NOW, Desk

ADRES = "urn:regie:nl:adres:1"


def ended(desk: Desk) -> list[str | None]:
    """Why each mandate ended, the oldest first."""
    with snapshot(desk.office.engine) as connection:
        return list(connection.execute(select(mandates.c.reason).order_by(mandates.c.made)).scalars())


def revoked(desk: Desk) -> list[bool]:
    """Of copies under a mandate, whether each is revoked."""
    with snapshot(desk.office.engine) as connection:
        rows = connection.execute(select(copies.c.revoked).where(copies.c.mandate.is_not(None))).scalars()
        return [one is not None for one in rows]


# ---- parents


def test_parent_of_a_young_child_gets_cards_of_the_child(desk: Desk) -> None:
    make_young(desk)
    noor = resident(desk)
    found = noor.one(state="open")
    assert (found["kind"], found["name"], found["party"]) == ("ouder", "Wende Brandsma", 1)
    assert found["signers"] == [[1, 2]]
    taken = noor.taken(state="open")
    verified = verify_mandate(taken["mandate"], desk.trust, NOW)
    assert verified.mandate.signers == [[1, 2]]
    assert verified.mandate.locks == lock_digests(b64u_decode(taken["seed"]))
    assert verified.mandate.until == taken["until"] <= NOW + 730 * DAY
    token = redeem(desk, taken)
    for kind in map(configuration, BRP_CREDENTIALS):
        text, _ = fetch(desk, token, kind.configuration_id)
        credential = verify_credential(text, desk.trust, NOW)
        assert (credential.issuer_jwt.vct, credential.issuer_jwt.party) == (kind.vct, 1)
        assert credential.issuer_jwt.mandate == verified.hash
        assert credential.issuer_jwt.exp <= taken["until"]
        assert "999100002" not in text
    assert not [name for name in ("Wende", "999105206") if name in str(to_builtins(verified.mandate))]


def test_other_parent_joins_the_same_mandate_and_a_new_phone_gets_it_again(desk: Desk) -> None:
    make_young(desk)
    noor, jelle = resident(desk), resident(desk, JELLE)
    first, other = noor.taken(state="open"), jelle.taken(state="registered")
    again = noor.taken(state="registered")
    assert first["mandate"] == other["mandate"] == again["mandate"]
    assert first["seed"] == other["seed"] == again["seed"]
    assert (first["party"], other["party"], again["party"]) == (1, 2, 1)
    assert len({one["offer"] for one in (first, other, again)}) == 3
    assert noor.one(state="registered")["delegates"] == ["Noor Elisabeth Verhulst", "Jelle Brandsma"]


def test_child_of_twelve_without_a_wallet_is_represented_and_with_one_decides_together(desk: Desk) -> None:
    noor = resident(desk)
    before = noor.taken(name="Wende Brandsma")
    assert noor.one(name="Wende Brandsma")["signers"] == [[1, 2]]
    fetch(desk, redeem(desk, before), "adres")
    wende = resident(desk, WENDE)
    assert ended(desk) == ["gezag_changed"], "a minor who has a wallet decides together with her parents"
    assert revoked(desk) == [True]
    own = wende.one(role="self")
    assert (own["party"], own["state"], own["signers"]) == (0, "open", [[0], [1, 2]])
    taken = wende.taken(role="self")
    parent = noor.taken(name="Wende Brandsma")
    assert taken["mandate"] == parent["mandate"] != before["mandate"]
    assert (taken["party"], parent["party"]) == (0, 1)
    text, _ = fetch(desk, redeem(desk, taken), "adres")
    assert verify_credential(text, desk.trust, NOW).issuer_jwt.party == 0


def test_young_child_with_a_wallet_sees_the_mandate_and_gets_no_card(desk: Desk) -> None:
    make_young(desk)
    child, noor = resident(desk, WENDE), resident(desk)
    assert child.listed() == []
    taken = noor.taken(state="open")
    seen = child.taken(role="self")
    assert (seen["seed"], seen["party"]) == (taken["seed"], 0)
    assert "offer" not in seen
    assert child.end(taken["id"]).status_code == 200
    assert ended(desk) == ["by_party"]


def test_from_sixteen_nobody_acts_by_gezag(desk: Desk) -> None:
    noor = resident(desk)
    found = noor.one(name="Tijn Hidde Brandsma")
    assert (found["state"], found["why"]) == ("closed", "decides_alone")
    answer = noor.take(found["reference"])
    assert (answer.status_code, answer.json["code"]) == (409, "not_representable")
    assert ended(desk) == []
    assert resident(desk, TIJN).listed() == []


@pytest.mark.parametrize(
    ("type_", "why"),
    [("GezagNietTeBepalen", "gezag_undetermined"), ("TijdelijkGeenGezag", "gezag_none")],
)
def test_undetermined_gezag_goes_to_the_counter(desk: Desk, type_: str, why: str) -> None:
    take_in(desk, born(WENDE, "2018-09-30", gezag=[relation(type_, WENDE)]))
    noor = resident(desk)
    found = noor.one(name="Wende Brandsma")
    assert (found["state"], found["why"]) == ("counter", why)
    assert noor.take(found["reference"]).json["code"] == "not_representable"
    assert ended(desk) == []


def test_gezag_under_investigation_and_unknown_age_go_to_the_counter(desk: Desk) -> None:
    both = relation("GezamenlijkOuderlijkGezag", WENDE, NOOR, JELLE)
    take_in(desk, born(WENDE, "2018-09-30", gezag=[{**both, "inOnderzoek": True}]))
    noor = resident(desk)
    assert noor.one(name="Wende Brandsma")["why"] == "under_investigation"
    take_in(desk, record(WENDE, geboorte={"datum": {"type": "DatumOnbekend"}}))
    assert noor.one(name="Wende Brandsma")["why"] == "age_unknown"


def test_one_parent_and_a_guardian_act_alone(desk: Desk) -> None:
    alone = relation("EenhoofdigOuderlijkGezag", WENDE, NOOR)
    take_in(desk, born(WENDE, "2018-09-30", gezag=[alone]), record(NOOR, gezag=[alone]))
    assert resident(desk).one(name="Wende Brandsma")["signers"] == [[1]]
    guard = relation("Voogdij", WENDE, MELATI)
    take_in(desk, born(WENDE, "2018-09-30", gezag=[guard]), record(MELATI, gezag=[guard]))
    found = resident(desk, MELATI).one(name="Wende Brandsma")
    assert (found["kind"], found["signers"], found["state"]) == ("voogd", [[1]], "open")


def test_parent_under_curatele_does_not_act(desk: Desk) -> None:
    make_young(desk)
    take_in(desk, record(NOOR, indicatieCurateleRegister=True))
    assert resident(desk).one(name="Wende Brandsma")["state"] == "counter"
    assert resident(desk, JELLE).one(name="Wende Brandsma")["delegates"] == ["Jelle Brandsma"]


def test_desk_issues_nothing_again_in_the_sets_of_who_acts(desk: Desk) -> None:
    make_young(desk)
    fetch(desk, redeem(desk, resident(desk).taken(state="open")), "adres")
    (issued,) = desk.office.issued(WENDE)
    with pytest.raises(Rejected, match="unknown_id"):
        desk.office.offer(WENDE, ("adres",), replaces=issued.offer_id)


# ---- the end of it


def test_change_of_gezag_ends_the_mandate_and_its_cards(desk: Desk) -> None:
    make_young(desk)
    noor = resident(desk)
    taken = noor.taken(state="open")
    fetch(desk, redeem(desk, taken), "adres")
    guard = relation("Voogdij", WENDE, MELATI)
    take_in(desk, born(WENDE, "2018-09-30", gezag=[guard]))
    assert (ended(desk), revoked(desk)) == (["gezag_changed"], [True])
    assert noor.one(name="Wende Brandsma")["state"] == "counter"
    assert bearer_post(desk, taken).status_code == 401


def bearer_post(desk: Desk, taken: dict[str, str]) -> object:
    bearer = api.board_bearer(b64u_decode(taken["seed"]))
    return desk.client.get(f"/v1/mandates/{taken['id']}/proposals", headers={"Authorization": f"Bearer {bearer}"})


@pytest.mark.parametrize(("who", "reason"), [(WENDE, "deceased"), (JELLE, "delegate_deceased")])
def test_death_of_either_ends_the_mandate(desk: Desk, who: Bsn, reason: str) -> None:
    make_young(desk)
    noor = resident(desk)
    taken = noor.taken(state="open")
    token = redeem(desk, taken)
    fetch(desk, token, "adres")
    dead = {"overlijden": {"datum": acting.date("2026-11-20")}}
    take_in(desk, born(WENDE, "2018-09-30", **dead) if who == WENDE else record(who, **dead))
    assert (ended(desk), revoked(desk)) == ([reason], [True])
    answer = desk.post_credential(token, "adres", desk.proofs(1))
    assert answer.status_code == 401, "nothing more can be fetched"


def test_birthday_ends_the_mandate_by_itself(desk: Desk) -> None:
    make_young(desk, "2015-01-10")
    noor = resident(desk)
    taken = noor.taken(name="Wende Brandsma")
    text, _ = fetch(desk, redeem(desk, taken), "adres")
    assert verify_credential(text, desk.trust, NOW).issuer_jwt.exp <= taken["until"] < NOW + 60 * DAY
    desk.clock.time = taken["until"]
    found = noor.one(name="Wende Brandsma")
    assert (found["state"], ended(desk)) == ("open", ["over"])


def test_either_side_ends_a_mandate_for_ever(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    wish = floor.wish(melati.invite()).json
    taken = melati.taken(kind="helper")
    token = redeem(desk, taken)
    fetch(desk, token, "adres")
    answer = floor.end(wish["id"])
    assert answer.json == {"id": wish["id"], "ended": NOW}
    assert melati.end(wish["id"]).json == answer.json, "again is no error"
    assert revoked(desk) == [True]
    assert melati.listed() == [] == floor.listed()
    assert desk.post_credential(token, "gezin", desk.proofs(1)).status_code == 401
    with snapshot(desk.office.engine) as connection:
        assert connection.execute(select(mandates.c.seed)).scalars().all() == [None], "the seed goes with it"


# ---- helpers


def test_helper_gets_what_the_wish_names_and_no_more(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    invitation = melati.invite()
    who = floor.post("invitations/lookups", api.InvitedAsk("", invitation)).json
    assert who["name"] == "Melati Kusuma"
    claims = [MandateClaims(ADRES, ["postcode"])]
    answer = floor.wish(invitation, claims=claims)
    assert (answer.status_code, answer.json["name"]) == (200, "Melati Kusuma")
    assert floor.one(role="self")["kind"] == "helper"
    taken = melati.taken(kind="helper")
    mandate = verify_mandate(taken["mandate"], desk.trust, NOW).mandate
    assert (mandate.services, mandate.claims, mandate.signers) == ([SERVICE], claims, [[1]])
    token = redeem(desk, taken)
    text, _ = fetch(desk, token, "adres")
    assert set(verify_credential(text, desk.trust, NOW).disclosures) == {
        "postcode", "geheimhouding", "inOnderzoek", "opschorting",
    }  # fmt: skip
    denied = desk.post_credential(token, "persoon", desk.proofs(1))
    assert denied.json["error"] == "credential_request_denied"
    seen = floor.taken(role="self")
    assert seen["seed"] == taken["seed"]
    assert "offer" not in seen


def test_invitation_serves_one_wish_for_a_week(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    invitation = melati.invite()
    assert floor.wish(invitation).status_code == 200
    again = floor.wish(invitation)
    assert (again.status_code, again.json["code"]) == (404, "bad_invitation")
    late = melati.invite()
    desk.clock.time += api.INVITATION_SECONDS
    assert floor.wish(late).json["code"] == "bad_invitation"
    assert floor.wish("A" * 43).json["code"] == "bad_invitation"
    assert ended(desk) == [None]


def test_nobody_invites_or_is_owed_more_than_the_limits(desk: Desk) -> None:
    melati = resident(desk, MELATI)
    for _ in range(8):
        melati.invite()
    assert melati.post("invitations", api.InvitationAsk("")).json["code"] == "too_many"


# ---- stretching, at the issuer alone


def refused(desk: Desk, answer: object, status: int, code: str) -> None:
    """A refusal that made nothing."""
    assert (answer.status_code, answer.json["code"]) == (status, code)  # type: ignore[attr-defined]
    assert desk.rows()["mandates"] == 0


def test_wish_for_every_service_is_refused(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    invitation = melati.invite()
    refused(desk, floor.wish(invitation, services=[]), 400, "bad_form")
    refused(desk, floor.wish(invitation, services=[SERVICE, SERVICE]), 400, "bad_wish")


def test_wish_for_attributes_that_there_are_not_is_refused(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    invitation = melati.invite()
    for claims, code in (
        ([MandateClaims(ADRES, ["burgerservicenummer"])], "unknown_attribute"),
        ([MandateClaims("urn:other:1", ["postcode"])], "unknown_vct"),
        ([MandateClaims(ADRES, ["postcode", "postcode"])], "bad_wish"),
        ([MandateClaims(ADRES, ["postcode"]), MandateClaims(ADRES, ["straat"])], "bad_wish"),
    ):
        refused(desk, floor.wish(invitation, claims=claims), 400, code)


def test_wish_for_a_longer_term_is_refused(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    invitation = melati.invite()
    refused(desk, floor.wish(invitation, days=367), 403, "mandate_widened")
    refused(desk, floor.wish(invitation, until=NOW), 400, "bad_wish")


def test_chain_is_refused_whatever_is_asked_with_a_card_of_another(desk: Desk) -> None:
    floor, melati, abeba = resident(desk, FLOOR), resident(desk, MELATI), resident(desk, ABEBA)
    floor.wish(melati.invite())
    helper = holding(desk, redeem(desk, melati.taken(kind="helper")), "persoon")
    before = desk.rows()["mandates"]
    for answer in (
        helper.wish(abeba.invite()),
        helper.post("representations", api.RepresentationsAsk("")),
        helper.post("invitations", api.InvitationAsk("")),
        helper.take("A" * 43),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "mandate_chain")
    assert desk.rows()["mandates"] == before


def test_reference_of_somebody_else_is_unknown(desk: Desk) -> None:
    make_young(desk)
    noor, melati = resident(desk), resident(desk, MELATI)
    for reference in (noor.one(state="open")["reference"], "A" * 43):
        refused(desk, melati.take(reference), 404, "unknown_reference")


def test_child_or_ward_lets_nobody_help_and_helps_nobody(desk: Desk) -> None:
    melati = resident(desk, MELATI)
    wende = resident(desk, WENDE)
    refused(desk, wende.wish(melati.invite()), 403, "not_competent")
    refused(desk, wende.post("invitations", api.InvitationAsk("")), 403, "not_competent")
    take_in(desk, record(FLOOR, indicatieCurateleRegister=True))
    floor = resident(desk, FLOOR)
    refused(desk, floor.wish(melati.invite()), 403, "not_competent")
    refused(desk, melati.wish(melati.invite()), 400, "bad_wish")


def test_curatele_ends_what_a_resident_wished_before(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    floor.wish(melati.invite())
    take_in(desk, record(FLOOR, indicatieCurateleRegister=True))
    assert ended(desk) == ["not_competent"]


def test_stranger_ends_nothing(desk: Desk) -> None:
    floor, melati, abeba = resident(desk, FLOOR), resident(desk, MELATI), resident(desk, ABEBA)
    id_ = floor.wish(melati.invite()).json["id"]
    for answer in (abeba.end(id_), melati.end("A" * 22)):
        assert (answer.status_code, answer.json["code"]) == (404, "unknown_mandate")
    other = floor.signed(api.EndAsk("", "A" * 22))
    answer = desk.client.post(f"/v1/mandates/{id_}/ends", json=to_builtins(other))
    assert answer.json["code"] == "bad_form"
    assert ended(desk) == [None]


# ---- who asks


def post_list(desk: Desk, ask: object) -> tuple[int, str]:
    answer = desk.client.post("/v1/representations", json=to_builtins(ask))
    return answer.status_code, answer.json.get("code", "")


def test_replayed_presentation_is_refused(desk: Desk) -> None:
    ask = resident(desk).signed(api.RepresentationsAsk(""))
    assert post_list(desk, ask) == (200, "")
    assert post_list(desk, ask) == (400, "invalid_nonce")


def test_signature_for_something_else_is_refused(desk: Desk) -> None:
    noor = resident(desk)
    ask = api.RepresentationsAsk("")
    for signed in (
        noor.signed(ask, audience="https://other.example"),
        noor.signed(ask, consent=bytes(32)),
        noor.signed(ask, consent=None),
        noor.signed(ask, consent=api.ask_digest(api.InvitationAsk(""))),
        noor.signed(ask, iat=NOW - 400),
        Resident(desk, noor.jwt, acting.resident(desk).key).signed(ask),
        resident(desk, name="adres").signed(ask),
        Resident(desk, resign(noor.jwt), noor.key).signed(ask),
    ):
        assert post_list(desk, signed) == (400, "bad_presentation")
    assert post_list(desk, noor.signed(ask, nonce="x")) == (400, "invalid_nonce")
    assert post_list(desk, api.RepresentationsAsk("a.b.c~d.e.f")) == (400, "bad_presentation")


def resign(jwt: str) -> str:
    """The same text with a signature of nobody."""
    return f"{jwt.rpartition('.')[0]}.{b64u_encode(bytes(range(64)))}"


def test_revoked_card_asks_nothing(desk: Desk) -> None:
    noor = resident(desk)
    for one in desk.office.issued(NOOR):
        desk.office.revoke(one.offer_id, "gestolen")
    assert post_list(desk, noor.signed(api.RepresentationsAsk(""))) == (403, "credential_revoked")


def test_wish_is_kept_as_it_was_signed(desk: Desk) -> None:
    floor, melati = resident(desk, FLOOR), resident(desk, MELATI)
    invitation = melati.invite()
    floor.wish(invitation)
    with snapshot(desk.office.engine) as connection:
        row = connection.execute(select(mandates)).one()
    assert row.token.count(".") == 2
    assert invitation in row.evidence
    assert b64u_decode(melati.taken(kind="helper")["seed"]) not in row.seed, "the database alone opens nothing"


def test_registered_knows_its_parties() -> None:
    row = Registered("A" * 22, "wish", "helper", FLOOR, (MELATI,), ((1,),), NOW)
    assert [row.party_of(bsn) for bsn in (FLOOR, MELATI, NOOR)] == [0, 1, None]
    assert MandateService("0" * 20, "x") != SERVICE
