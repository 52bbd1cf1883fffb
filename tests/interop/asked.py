"""DCQL queries of the interop tests, and the credential of a stranger that some of them ask for."""

from typing import Any

ADRES, PERSOON, DIPLOMA = "urn:regie:nl:adres:1", "urn:regie:nl:persoon:1", "https://diploma.example/diploma"
FLAGS = {"geheimhouding": False, "inOnderzoek": [], "opschorting": False}


def credential(name: str, vct: str, *claims: list[Any] | dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A credential query; a claim is its path, or the whole of it."""
    asked = [claim if isinstance(claim, dict) else {"path": claim} for claim in claims]
    return {"id": name, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": asked, **rest}


POSTCODE = {"credentials": [credential("adres", ADRES, ["postcode"], ["huisnummer"])]}
AGES = {
    "credentials": [
        credential(
            "leeftijd",
            PERSOON,
            {"id": "oud", "path": ["leeftijdBoven65"], "values": ["ja"]},
            {"id": "volwassen", "path": ["leeftijdBoven18"], "values": ["ja"]},
            claim_sets=[["oud"], ["volwassen"]],
        )
    ]
}
"""Two claim sets, of which only the second can be had: the first wants another value."""
EITHER = {
    "credentials": [
        credential("diploma", DIPLOMA, ["awarded"]),
        credential("adres", ADRES, ["gemeente"]),
        credential("persoon", PERSOON, ["leeftijdBoven18"]),
    ],
    "credential_sets": [
        {"options": [["diploma"], ["adres"]]},
        {"options": [["persoon"]], "required": False},
    ],
}
"""A diploma or else an address, and an age if the holder likes."""
SCHOOL = {
    "credentials": [
        credential("diploma", DIPLOMA, ["name", "family"], ["languages", None], ["courses", 1, "mark"])
    ]
}
"""Deep in a stranger's credential: an object, all elements of an array, one element of another."""
BOTH = {"credentials": [*SCHOOL["credentials"], credential("adres", ADRES, ["postcode"])]}
"""A card of the register and a stranger's, together."""
