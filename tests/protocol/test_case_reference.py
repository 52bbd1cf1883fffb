"""One case, one way to write it: RSIN and number, an address, or the agency's own number."""

import pytest

from protocol.case_reference import CaseReference, is_rsin, parse_case_reference
from protocol.errors import Rejected

RSIN = "123456782"
CASE_URL = "https://zaken.voorbeeldstad.example/zaken/api/v1/zaken/095be615-a8ad-4c33-8e9c-c7612fbf6c9f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{RSIN}/ZAAK-2026-0000042", CaseReference(f"{RSIN}/ZAAK-2026-0000042", "ZAAK-2026-0000042", RSIN)),
        (f"  {RSIN}/ ZAAK-1 ", CaseReference(f"{RSIN}/ZAAK-1", "ZAAK-1", RSIN)),
        (f"{RSIN}/" + "z" * 40, CaseReference(f"{RSIN}/" + "z" * 40, "z" * 40, RSIN)),
        (CASE_URL, CaseReference(CASE_URL, url=CASE_URL)),
        ("Z-2026-1", CaseReference("Z-2026-1")),
        ("2026/0012", CaseReference("2026/0012")),
        ("e\u0301", CaseReference("\u00e9")),
    ],
)
def test_agency_names_a_case(text: str, expected: CaseReference) -> None:
    assert parse_case_reference(text) == expected
    assert parse_case_reference(expected.text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Z\n1",
        "x" * 257,
        f"{RSIN}/" + "z" * 41,
        f"{RSIN}/caf\u00e9",
        "123456789/ZAAK-1",
        "000000000/ZAAK-1",
        CASE_URL.replace("https", "http"),
        CASE_URL + "?expand=status",
        CASE_URL + "/",
        CASE_URL.replace("zaken.voor", "somebody@zaken.voor"),
        "https://zaken.example/zaken/1",
        "javascript://zaken/",
    ],
)
def test_what_is_no_case_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(Rejected) as info:
        parse_case_reference(text)
    assert info.value.code == "bad_case"
    assert not text.strip() or text not in info.value.detail


def test_rsin_passes_the_eleven_test() -> None:
    assert is_rsin(RSIN)
    assert not any(is_rsin(text) for text in ("123456789", "000000000", "12345678", "1234567820", "12345678x"))
