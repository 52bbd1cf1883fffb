"""Visits to the counter: two officers, one form, and a wallet that does not outlive them. Without pages."""

import json
from pathlib import Path

import pytest

from protocol.canonical import b64u_decode
from protocol.errors import Rejected, Unavailable
from protocol.openid4vp import parse_authorization_url
from protocol.paper_form import Form, Row, form_rows
from protocol.revocation_code import lock_for
from protocol.terms import Place, places_of
from service.home import Home
from tests.protocol import builders
from tests.protocol.builders import ADRES, PERSOON
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import AGENCY_HOST, LOG_HOST, TX_CODE, Neighbours
from tests.wallet.pens import Sheet, drawn, png
from wallet import visit as rules
from wallet.counter_book import BOOK
from wallet.counter_config import CounterConfig
from wallet.visit import Visit
from wallet.visits import VISIT_SECONDS, Visits

FLAGS = {"geheimhouding", "inOnderzoek", "opschorting"}
FIRST, SECOND = "b.bakker", "m.mulder"
ROWS = form_rows(
    [Row(ADRES, "postcode", True), Row(ADRES, "huisnummer", False), Row(PERSOON, "geslachtsnaam", False)]
)


class PaperCounter:
    """The counter among the neighbours, and what people do there."""

    def __init__(self, folder: Path, neighbours: Neighbours, trust: Path) -> None:
        self.neighbours = neighbours
        self.home = Home(folder / "counter").create()
        self.home.write_config(
            CounterConfig(
                role="counter",
                url="https://balie.voorbeeld.example",
                name="Gemeente Voorbeeld",
                trust_list=str(trust),
                registrar=builders.REGISTRAR.public.jwk(),
            )
        )
        self.visits = Visits(self.home, fetcher=neighbours, clock=neighbours.clock)

    def restarted(self) -> Visits:
        """The program, from the start."""
        self.visits.held.close()  # as the death of a process does
        return Visits(self.home, fetcher=self.neighbours, clock=self.neighbours.clock)

    def form(self, link: str) -> tuple[Form, str]:
        """What the agency prints."""
        element = next(iter(self.neighbours.agency.requests.values()))["element"]
        parsed = parse_authorization_url(link)
        service, version = element.service, element.service_version
        asked = (parsed.client_id, parsed.request_uri, service, version, element.max_not_after, element.max_reads)
        return Form(*asked, ROWS), link

    def sheet(self, *answers: str, link: str | None = None) -> Sheet:
        """A signed sheet of a new request; `-` leaves a row open."""
        form, link = self.form(link or self.neighbours.agency.ask())
        made = drawn(form, link=link).sign()
        for row, answer in enumerate(answers):
            if answer != "-":
                made.cross(row, answer)
        return made

    def ready(self, *answers: str) -> Visit:
        """Up to the second officer."""
        visit = self.visits.begin(FIRST)
        rules.scan(visit, FIRST, [png(self.sheet(*answers).picture)])
        self.bring_cards(visit)
        return visit

    def bring_cards(self, visit: Visit) -> None:
        rules.take_cards(visit, FIRST, self.neighbours.issuer.link("persoon", "adres"), TX_CODE)

    def wallets(self) -> list[Path]:
        return list(self.home.path.glob("visit-*"))

    def book(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.home.read(BOOK).decode().splitlines()]


@pytest.fixture
def counter(tmp_path: Path, neighbours: Neighbours) -> PaperCounter:
    return PaperCounter(tmp_path, neighbours, Resident(tmp_path, neighbours).trust_path)


def places(visit: Visit) -> list[Place]:
    """What the terms of the grant name."""
    return places_of(visit.record.body.terms)


def gave_nothing(neighbours: Neighbours) -> bool:
    """Neither log nor agency heard anything."""
    return neighbours.log.grants == [] and neighbours.agency.answers == 0


def test_a_form_becomes_a_grant_of_exactly_its_yeses(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.ready("yes", "no", "yes")
    rules.confirm(visit, SECOND)
    assert visit.step == "granted"
    assert {place.name for place in places(visit)} - FLAGS == {"postcode", "geslachtsnaam"}
    code = visit.wallet.code(rules.hand_over(visit))
    counter.visits.finish(visit)
    assert counter.wallets() == []
    assert list(counter.home.path.glob("unprinted-*")) == []
    assert len(neighbours.agency.grants) == 1
    assert [b64u_decode(grant.terms.lock) for grant in neighbours.log.grants] == [lock_for(code, 1)]
    (line,) = counter.book()
    assert (line["ending"], line["first"], line["second"]) == ("granted", FIRST, SECOND)


def test_attack_one_officer_as_both(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.ready("yes", "yes", "yes")
    with pytest.raises(Rejected, match="same_officer"):
        rules.confirm(visit, FIRST)
    assert visit.step == "second"
    assert gave_nothing(neighbours)
    assert list(counter.home.path.glob("used-*")) == []


def test_attack_a_form_used_twice(counter: PaperCounter, neighbours: Neighbours) -> None:
    link = neighbours.agency.ask()
    scan = png(counter.sheet("yes", "yes", "yes", link=link).picture)
    one, other = counter.visits.begin(FIRST), counter.visits.begin(FIRST)
    for visit in (one, other):
        rules.scan(visit, FIRST, [scan])
        counter.bring_cards(visit)
    rules.confirm(one, SECOND)
    with pytest.raises(Rejected, match="form_used"):
        rules.confirm(other, SECOND)
    third = counter.restarted().begin(FIRST)
    with pytest.raises(Rejected, match=r"form_used|http_error"):
        rules.scan(third, FIRST, [scan])
    assert len(neighbours.log.grants) == len(neighbours.agency.grants) == 1


def test_attack_a_form_of_another_request(counter: PaperCounter, neighbours: Neighbours) -> None:
    form, _ = counter.form(neighbours.agency.ask())
    other = neighbours.agency.ask()
    made = drawn(form, link=other).sign().cross(0, "yes").cross(1, "yes").cross(2, "yes")
    visit = counter.visits.begin(FIRST)
    with pytest.raises(Rejected, match="other_form"):
        rules.scan(visit, FIRST, [png(made.picture)])
    assert visit.step == "scan"
    assert gave_nothing(neighbours)


def test_attack_another_answer_than_the_paper(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.visits.begin(FIRST)
    rules.scan(visit, FIRST, [png(counter.sheet("yes", "no", "-").picture)])
    assert visit.step == "ask"
    for told in ({1: "yes", 2: "yes"}, {2: "yes", 3: "yes"}):
        with pytest.raises(Rejected, match="not_in_doubt"):
            rules.tell(visit, FIRST, told)  # type: ignore[arg-type]
    with pytest.raises(Rejected, match="still_in_doubt"):
        rules.tell(visit, FIRST, {})
    with pytest.raises(Rejected, match="first_officer"):
        rules.tell(visit, SECOND, {2: "yes"})
    rules.tell(visit, FIRST, {2: "no"})
    counter.bring_cards(visit)
    rules.confirm(visit, SECOND)
    assert {place.name for place in places(visit)} - FLAGS == {"postcode"}


def test_attack_steps_out_of_their_order(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.visits.begin(FIRST)
    for attempt in (
        lambda: rules.confirm(visit, SECOND),
        lambda: rules.tell(visit, FIRST, {}),
        lambda: rules.take_cards(visit, FIRST, neighbours.issuer.link("adres"), TX_CODE),
        lambda: rules.say_no(visit, FIRST),
        lambda: rules.hand_over(visit),
        lambda: rules.go_on(visit),
    ):
        with pytest.raises(Rejected, match="not_this_step"):
            attempt()
    assert gave_nothing(neighbours)


def test_a_no_is_passed_on_by_one_officer_and_uses_the_form(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.visits.begin(FIRST)
    scan = png(counter.sheet("no", "yes", "yes").picture)  # no to what is needed
    rules.scan(visit, FIRST, [scan])
    assert visit.step == "refuse"
    rules.say_no(visit, FIRST)
    assert len(neighbours.agency.declined) == 1
    counter.visits.finish(visit)
    assert counter.wallets() == []
    assert neighbours.log.grants == []


def test_a_refusal_of_the_log_leaves_the_form_for_another_try(
    counter: PaperCounter, neighbours: Neighbours
) -> None:
    visit = counter.visits.begin(FIRST)
    rules.scan(visit, FIRST, [png(counter.sheet("yes", "yes", "yes").picture)])
    rules.take_cards(visit, FIRST, neighbours.issuer.link("persoon"), TX_CODE)  # a card is missing
    with pytest.raises(Rejected, match="no_card"):
        rules.confirm(visit, SECOND)
    assert list(counter.home.path.glob("used-*")) == list(counter.home.path.glob("unprinted-*")) == []
    assert visit.step == "second"
    assert gave_nothing(neighbours)


def test_a_grant_that_was_begun_is_finished_later(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.ready("yes", "yes", "yes")
    neighbours.down.add(AGENCY_HOST)
    with pytest.raises(Unavailable):
        rules.confirm(visit, SECOND)
    assert visit.step == "begun"
    neighbours.down.clear()
    rules.go_on(visit)
    assert visit.step == "granted"
    assert len(neighbours.agency.grants) == 1


def test_without_a_receipt_the_grant_is_stopped_when_the_visit_ends(
    counter: PaperCounter, neighbours: Neighbours
) -> None:
    visit = counter.ready("yes", "yes", "yes")
    rules.confirm(visit, SECOND)
    counter.visits.finish(visit)
    assert [grant.revoked is not None for grant in neighbours.log.grants] == [True]
    assert counter.wallets() == []


def test_a_stop_that_cannot_be_delivered_keeps_the_wallet(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.ready("yes", "yes", "yes")
    rules.confirm(visit, SECOND)
    neighbours.down |= {LOG_HOST}
    with pytest.raises(Rejected, match="stops_waiting"):
        counter.visits.finish(visit)
    assert len(counter.wallets()) == 1
    neighbours.down.clear()
    counter.visits.finish(counter.visits.find(visit.id))
    assert counter.wallets() == []


def test_second_server_on_one_home_leaves_open_visits_alone(counter: PaperCounter) -> None:
    """It would take open visits for what a crash left: delete their wallets, and stop what has no receipt yet."""
    visit = counter.visits.begin(FIRST)
    before = sorted(path.name for path in counter.home.path.iterdir())
    with pytest.raises(Unavailable, match="in_use"):
        Visits(counter.home, fetcher=counter.neighbours, clock=counter.neighbours.clock)
    assert sorted(path.name for path in counter.home.path.iterdir()) == before
    assert counter.visits.find(visit.id) is visit
    counter.visits.close()
    Visits(counter.home, fetcher=counter.neighbours, clock=counter.neighbours.clock).close()


def test_a_crash_before_the_receipt_stops_the_grant_at_the_next_start(
    counter: PaperCounter, neighbours: Neighbours
) -> None:
    visit = counter.ready("yes", "yes", "yes")
    rules.confirm(visit, SECOND)
    visit.wallet.vault.close()  # the process is gone: nobody has the passphrase
    counter.restarted()
    assert counter.wallets() == []
    assert [grant.revoked is not None for grant in neighbours.log.grants] == [True]


def test_a_visit_that_nobody_comes_back_to_ends(counter: PaperCounter, neighbours: Neighbours) -> None:
    visit = counter.ready("yes", "yes", "yes")
    neighbours.clock.advance(VISIT_SECONDS + 1)
    with pytest.raises(Rejected, match="visit_over"):
        counter.visits.find(visit.id)
    assert counter.wallets() == []
    assert gave_nothing(neighbours)
