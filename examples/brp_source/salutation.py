"""How a letter begins, what stands above an address, and how somebody is named in a sentence: `aanhef`,
`aanschrijfwijze` and `gebruikInLopendeTekst` of BRP API Personen 2.7.0. Pure.

All three are of the same parts: the own name, the partner's, or both joined by a hyphen, as the person chose
(`aanduidingNaamgebruik`: E own, P partner's, V partner's first, N partner's last), with or without titles:

    titre de courtoisie   a woman who uses the name of a partner with a title, by the woman's form of that title
    own title             unless only the partner's name is used, or the title has no form for the gender
    own predicate         as a title, and not by a woman with a partner or with an ex-partner's name
"""

from dataclasses import dataclass, replace
from typing import Any

from examples.brp_source.dates import gba_of
from examples.brp_source.names import COURTESY, PREDICATES, Party, capital, initials, joined, party_of, title_form

_RANKS = {"G": "hooggeboren", "GI": "hooggeboren"}
_HIGHNESS = frozenset({"P", "PS"})


@dataclass(frozen=True)
class Naming:
    """Whose name is used, how (`use`: E, P, V or N), and the partner: the current one of the oldest marriage,
    else the last former one."""

    own: Party
    use: str
    partner: Party | None = None
    has_partner: bool = False

    @property
    def effective(self) -> "Naming":
        """A partner whose surname is not known gives no name: as if only the own one were used."""
        return self if self.partner and self.partner.surname else replace(self, use="E")

    @property
    def is_nameless(self) -> bool:
        """The own surname is needed and not known."""
        return self.use != "P" and not self.own.surname


def naming_of(person: dict[str, Any]) -> Naming:
    """From a person whose dates are those of the API."""
    use = ((person.get("naam") or {}).get("aanduidingNaamgebruik") or {}).get("code") or "E"
    partners = person.get("partners") or []
    current = [partner for partner in partners if "ontbindingHuwelijkPartnerschap" not in partner]
    if current:
        chosen = min(current, key=lambda one: gba_of((one.get("aangaanHuwelijkPartnerschap") or {}).get("datum")))
    elif partners:
        chosen = max(partners, key=lambda one: gba_of(one["ontbindingHuwelijkPartnerschap"].get("datum")))
    else:
        return Naming(party_of(person), "E")
    return Naming(party_of(person), use, party_of(chosen), bool(current))


def _courtesy(naming: Naming) -> str:
    """The woman's form of the partner's title, where she may use it; else empty."""
    if naming.own.gender != "V" or naming.use == "E" or naming.partner is None:
        return ""
    return COURTESY.get(naming.partner.title, "")


def _own_title(naming: Naming) -> str:
    """The own title or predicate as it is used; else empty."""
    return title_form(naming.own.title, naming.own.gender) if _may_use_title(naming) else ""


def _may_use_title(naming: Naming) -> bool:
    if naming.use == "P":
        return False
    is_woman_with_predicate = naming.own.title in PREDICATES and naming.own.gender == "V"
    return not (is_woman_with_predicate and (naming.has_partner or naming.use != "E"))


def _rank(title: str, gender: str) -> str:
    """How a title is addressed; empty where it has no form for the gender. A prince is one in every gender."""
    if title in _HIGHNESS:
        return "hoogheid"
    word = {"M": "heer", "V": "vrouwe"}.get(gender)
    return f"{_RANKS.get(title, 'hoogwelgeboren')} {word}" if title and word else ""


def _surnames(naming: Naming, own_title: str = "", courtesy: str = "") -> str:
    """The surnames in the order of `use`, each after its title."""
    own = joined(own_title, naming.own.prefix, naming.own.surname)
    partner = naming.partner or Party()
    other = joined(courtesy, partner.prefix, partner.surname)
    match naming.use:
        case "P":
            return other
        case "V":
            return f"{other}-{own}"
        case "N":
            return f"{own}-{other}"
    return own


def opening(naming: Naming) -> str | None:
    """`aanhef`. None when the name that it needs is not known."""
    partner = naming.partner
    is_hers = not naming.own.title or partner is None or partner.gender in ("", "M")
    if is_hers and partner and _courtesy(naming):
        return capital(_rank(partner.title, "V"))
    naming = naming.effective
    rank = _rank(naming.own.title, naming.own.gender) if _may_use_title(naming) else ""
    if rank:
        return capital(rank)
    if naming.is_nameless:
        return None
    word = {"M": "Geachte heer", "V": "Geachte mevrouw"}.get(naming.own.gender)
    return f"{word} {capital(_surnames(naming))}" if word else f"Geachte {_with_initials(naming)}"


def _with_initials(naming: Naming) -> str:
    return capital(joined(initials(naming.own.first), _surnames(naming)))


def address_name(naming: Naming) -> dict[str, str] | None:
    """`aanschrijfwijze`: {naam, aanspreekvorm?}. None when the name that it needs is not known."""
    naming = naming.effective
    if naming.is_nameless:
        return None
    courtesy, title = _courtesy(naming), _own_title(naming)
    # A predicate goes before the initials, unless the partner's name does.
    before = title if naming.own.title in PREDICATES and naming.use in "EN" else ""
    surnames = _surnames(naming, "" if before else title, courtesy)
    answer = {"naam": capital(joined(before, initials(naming.own.first), surnames))}
    # A woman who is a ridder has no form of that title above her address, though a letter to her opens with it.
    is_used = bool(title) or (naming.own.title in _HIGHNESS and _may_use_title(naming))
    rank = _rank(naming.own.title, naming.own.gender) if is_used else ""
    if courtesy and naming.partner:
        rank = _rank(naming.partner.title, "V")
    return {**answer, "aanspreekvorm": f"De {rank}"} if rank else answer


def running_text(naming: Naming) -> str | None:
    """`gebruikInLopendeTekst`. None when the name that it needs is not known."""
    naming = naming.effective
    if naming.is_nameless:
        return None
    courtesy, title = _courtesy(naming), _own_title(naming)
    surnames = _surnames(naming, title, courtesy)
    if title if naming.use in "EN" else courtesy:
        return surnames
    word = {"M": "de heer", "V": "mevrouw"}.get(naming.own.gender)
    return f"{word} {capital(surnames)}" if word else capital(joined(initials(naming.own.first), surnames))
