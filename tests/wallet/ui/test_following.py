"""When the register changes, in the browser: the standing choice, new data by hand, how to go on after the end."""

import re
from html import unescape

import pytest

from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import TX_CODE, Neighbours
from tests.wallet.ui.face import Face
from wallet.errand_grant import grant
from wallet.errand_receive import receive
from wallet.records import Choice

PAGE = "/agreements/1"


def says(face: Face, path: str = PAGE) -> str:
    """What a page says, without its markup."""
    answer = face.get(path)
    assert answer.status_code == 200, answer.text
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main)))


@pytest.fixture
def given(face: Face, neighbours: Neighbours) -> None:
    with face.keeper.in_use() as wallet:
        grant(wallet, neighbours.agency.ask(), Choice())


def move(face: Face, neighbours: Neighbours, **changes: object) -> None:
    """The register changes, and the address comes again."""
    neighbours.clock.advance(DAY)
    neighbours.issuer.attribute_changes[ADRES] = {"postcode": "2345CD", **changes}
    face.unlock()  # a day later it has locked itself
    with face.keeper.in_use() as wallet:
        receive(wallet, neighbours.issuer.link("adres"), TX_CODE)


def versions(neighbours: Neighbours) -> list[int]:
    return [one.terms.version for one in neighbours.log.grants]


def test_resident_makes_the_standing_choice_and_takes_it_back(
    face: Face, neighbours: Neighbours, given: None
) -> None:
    assert "sends nothing by itself" in says(face)  # never a yes in advance
    assert face.post(f"{PAGE}/follow", {"follow": "yes"}, page=PAGE).status_code == 303
    assert "sends new data by itself when the register changes" in says(face)
    face.post(f"{PAGE}/follow", {"follow": "no"}, page=PAGE)
    assert "sends nothing by itself" in says(face)
    assert face.post(f"{PAGE}/follow", {"follow": "perhaps"}, page=PAGE).status_code == 400


def test_resident_sends_new_data_by_hand_and_sees_when(face: Face, neighbours: Neighbours, given: None) -> None:
    assert "Your data have changed" not in says(face)
    move(face, neighbours)
    assert "Your data have changed" in says(face)
    assert "They get the newest of these data" in says(face, f"{PAGE}/renew")
    assert versions(neighbours) == [1]
    assert face.post(f"{PAGE}/renew", page=f"{PAGE}/renew").status_code == 303
    assert versions(neighbours) == [1, 2]
    told = says(face)
    assert "Renewed on" in told
    assert "got your new data" in told
    assert "Your data have changed" not in told
    assert face.get(f"{PAGE}/renew").status_code == 303


def test_secret_data_go_elsewhere_only_with_a_second_yes(
    face: Face, holder: Resident, neighbours: Neighbours, given: None
) -> None:
    holder.write_trust(version=2, agencies=[builders.agency(bsn_allowed=False)])
    with face.keeper.in_use() as wallet:
        record = wallet.grant("1")
        wallet.update_grant("1", agency=builders.agency(bsn_allowed=False, services=[]))
        assert record.state == "active"
    move(face, neighbours, geheimhouding=True)
    page = f"{PAGE}/renew"
    assert "The register keeps your data secret" in says(face, page)
    assert 'name="sure" value="1" checked' not in face.get(page).text
    assert face.post(page, page=page).status_code == 422
    assert versions(neighbours) == [1]
    assert face.post(page, {"sure": "1"}, page=page).status_code == 303
    assert versions(neighbours) == [1, 2]


def test_resident_reads_how_to_go_on_after_the_end(face: Face, given: None) -> None:
    told = says(face, f"{PAGE}/extend")
    assert "never gets longer" in told
    assert "Ask Gemeente Voorbeeld for a new request" in told
