"""A service that answers a question: its pages say who works it out, who hears what, and what is asked."""

from typing import Any

import pytest

from protocol.service_law import Condition
from tests.protocol import builders
from tests.protocol.builders import ADRES
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from tests.wallet.ui.face import Face
from tests.wallet.ui.test_request import grants, opened, press, text_of
from wallet.ui.counting import Counting, counting_of

ASKER = builders.party("municipality", san_dns="vraag.voorbeeld.example")
ASKER_ID = "00000099000000002000"


def service(answers: str, **changes: Any) -> Any:
    question = [Condition(vct=ADRES, path=["postcode"], op="equal", value="1234AB")]
    members = {"version": 2, "mode": "view", "answers": answers, "question": question, "asked_by": ASKER_ID}
    return builders.service(**{**members, **changes})


@pytest.mark.parametrize(
    ("answers", "said", "unsaid"),
    [
        ("yes_no", "Gemeente Vraag hears only yes or no about you.", "a number of people"),
        (
            "count",
            "Gemeente Vraag hears only a number of people, and not even that exactly.",
            "yes or no about you",
        ),
    ],
)
def test_request_and_agreement_say_who_hears_what(
    face: Face, holder: Resident, neighbours: Neighbours, answers: str, said: str, unsaid: str
) -> None:
    asker = builders.agency(id=ASKER_ID, name="Gemeente Vraag", roots=ASKER.roots, services=[])
    holder.write_trust(agencies=[builders.agency(services=[service(answers)]), asker], version=2)
    path = opened(face, neighbours.agency.ask())
    page = text_of(face.get(path).text)
    for words in ("This organisation works it out", said, "Postal code is: 1234AB", "They do not get your data."):
        assert words in page
    assert unsaid not in page
    press(face, path, answer="only_needed")
    ((number,), (record,)) = zip(*face_grants(face), strict=True)
    assert record.about is not None
    assert said in text_of(face.get(f"/agreements/{number}").text)


def face_grants(face: Face) -> list[tuple[str, Any]]:
    with face.keeper.in_use() as wallet:
        return list(wallet.grants().items())


def test_request_of_a_service_of_values_says_nothing_of_it(face: Face, neighbours: Neighbours) -> None:
    assert "works it out" not in text_of(face.get(opened(face, neighbours.agency.ask())).text)
    assert grants(face) == []


def test_asker_that_no_list_has_is_shown_by_its_number() -> None:
    assert counting_of(service("count"), None, "en") == counting_of(service("count"), builders.TRUST, "en")
    found = counting_of(service("count"), builders.TRUST, "nl")
    assert isinstance(found, Counting)
    assert (found.asker, found.is_count, found.conditions[0].label) == (ASKER_ID, True, "Postcode")
    assert counting_of(builders.service(), None, "nl") is None
    assert counting_of(None, None, "nl") is None
