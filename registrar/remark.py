"""A remark on the draft: what is allowed, and still worth a second look."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.terms import BSN_ATTRIBUTE
from protocol.trust_list import Agency, Service
from registrar.lists import Lists, Product


@dataclass(frozen=True)
class Remark:
    """`place`: the entry, as `agency/service@version` or the party's id; `article`: of the law behind it.

    `is_objection`: a privacy officer would not let it pass; anything else is a matter of weighing.
    """

    code: str
    place: str
    text: str
    article: str = ""
    is_objection: bool = False


@dataclass(frozen=True)
class Case:
    """A service version to judge. `others`: the latest version of every other service of the list, and whose."""

    agency: Agency
    service: Service
    others: Sequence[tuple[Agency, Service]]
    lists: Lists

    def remark(self, code: str, text: str, article: str) -> Remark:
        """Something to weigh."""
        return Remark(code, place_of(self.agency.id, self.service), text, article)

    def objection(self, code: str, text: str, article: str) -> Remark:
        """Something that a privacy officer would not let pass."""
        return Remark(code, place_of(self.agency.id, self.service), text, article, is_objection=True)

    @property
    def is_public(self) -> bool:
        """Whether this is a public body: who may use the BSN, or offers a product of the government."""
        return self.agency.bsn_allowed or any(service.upl for service in self.agency.services)

    @property
    def product(self) -> Product | None:
        """What the list of products says of it, if that was given and knows it."""
        return (self.lists.products or {}).get(self.service.upl or "")

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Type and first name of each attribute."""
        return frozenset((claim.vct, claim.path[0]) for claim in self.service.claims)

    @property
    def asks_bsn(self) -> bool:
        """Whether the burgerservicenummer is among them."""
        return any(name == BSN_ATTRIBUTE for _, name in self.asked)


def place_of(agency_id: str, service: Service) -> str:
    """Where a service version stands, for people."""
    return f"{agency_id}/{service.id}@{service.version}"
