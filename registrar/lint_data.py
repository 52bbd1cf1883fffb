"""What a privacy officer would object to in the attributes that a service asks (AVG article 5(1)(c)). Pure."""

from collections.abc import Iterator

from protocol.attributes import CREDENTIAL_TYPES
from registrar.remark import Case, Remark

MANY_ATTRIBUTES = 12
_MINIMAL = "AVG articles 5(1)(c) and 25"
_PERSON, _ADDRESS = "urn:regie:nl:persoon:1", "urn:regie:nl:adres:1"
_FAMILY, _CUSTODY = "urn:regie:nl:gezin:1", "urn:regie:nl:gezag:1"
_TWICE = (
    (_PERSON, "volledigeNaam", ("voornamen", "geslachtsnaam")),
    (_ADDRESS, "adresregel1", ("straat", "huisnummer")),
    (_ADDRESS, "adresregel2", ("postcode", "woonplaats")),
)
_OF_OTHERS = {
    (_FAMILY, "partner"), (_FAMILY, "kinderen"), (_FAMILY, "ouders"), (_CUSTODY, "gezag"), (_CUSTODY, "gezagOver"),
}  # fmt: skip
_ORIGIN = {(_PERSON, "nationaliteiten"), (_PERSON, "geboorteland"), (_PERSON, "geboorteplaats")}
_WHERE = {"straat", "huisnummer", "postcode", "adresregel1", "adresregel2", "adresregel3"}


def data_remarks(case: Case) -> Iterator[Remark]:
    """The attributes of one service version, and those that others ask for the same product."""
    claims = case.service.claims
    if len(claims) > MANY_ATTRIBUTES:
        yield case.remark("many_attributes", f"asks more than {MANY_ATTRIBUTES} attributes", _MINIMAL)
    if not any(claim.needed for claim in claims):
        yield case.remark("nothing_needed", "no attribute is needed: then why ask?", _MINIMAL)
    yield from _more_than_similar(case)
    yield from _derived(case)
    yield from _kinds(case)


def _more_than_similar(case: Case) -> Iterator[Remark]:
    similar = [other for _, other in case.others if other.upl is not None and other.upl == case.service.upl]
    if not similar:
        return
    theirs = {(claim.vct, claim.path[0]) for other in similar for claim in other.claims}
    more = case.asked - theirs - _flags()
    if more:
        text = f"asks {_names(more)}, which no other service of this product asks"
        yield case.objection("more_than_similar", text, _MINIMAL)


def _derived(case: Case) -> Iterator[Remark]:
    if (_PERSON, "geboortedatum") in case.asked:
        text = "asks the date of birth: if only an age counts, ask 18 or over (leeftijdBoven18) instead"
        yield case.remark("derived_available", text, _MINIMAL)
    for vct, whole, parts in _TWICE:
        double = {(vct, part) for part in parts} & case.asked
        if (vct, whole) in case.asked and double:
            yield case.remark("asked_twice", f"asks {whole}, and {_names(double)} which it contains", _MINIMAL)


def _kinds(case: Case) -> Iterator[Remark]:
    others, origin = case.asked & _OF_OTHERS, case.asked & _ORIGIN
    if others:
        text = f"asks {_names(others)}: data of other people, children maybe, who did not answer; tell them"
        yield case.remark("data_of_others", text, "AVG article 14 and recital 38")
    if origin:
        text = f"asks {_names(origin)}: say why, for who decides by it may discriminate"
        yield case.remark("origin_asked", text, "AVG article 5(1)(a); Grondwet article 1")
    where = {(vct, name) for vct, name in case.asked if vct == _ADDRESS and name in _WHERE}
    if where and not case.is_public:
        text = f"asks {_names(where)} for a party that is no public body: who is under secrecy is found by it"
        yield case.remark("secret_to_private", text, "Wet BRP articles 2.59 and 3.21")


def _names(attributes: frozenset[tuple[str, str]] | set[tuple[str, str]]) -> str:
    return ", ".join(sorted(name for _, name in attributes))


def _flags() -> frozenset[tuple[str, str]]:
    return frozenset((vct, flag) for vct, kind in CREDENTIAL_TYPES.items() for flag in kind.flags)
