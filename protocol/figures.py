"""The figures of an agency for one month, as they may leave it (**ours**): signed, noised, no small number.

A `regie-figures+jwt` states the budget that it spent, so that who reads it knows what it is worth. The unit of
privacy is one agreement: what is asked, answered, read, stopped and complained of it in this month.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws
from protocol.keys import Es256Private
from protocol.terms import Basis, Form, Name, Oin, Time
from protocol.trust_list import TrustList, verify_agency_jws

FIGURES_TYPE = "regie-figures+jwt"
FIGURES_FORMAT: Literal["regie/figures/v1"] = "regie/figures/v1"
MAX_FIGURES_BYTES = 1024 * 1024
MAX_CELLS = 4_096
FLOOR = 10
"""No cell of fewer agreements leaves an agency."""
FAMILIES: dict[str, tuple[str, ...]] = {
    "decided": ("given_hour", "given_day", "given_week", "given_later", "refused", "unanswered"),
    "running": ("running",),
    "stopped": ("stopped",),
    "read": ("read",),
    "rights": ("on_time", "late"),
}
"""What is counted. `decided`: how requests ended, and how long giving took; `running`: agreements at the end of
the month; `read`: readings, of each agreement at most the family's `bound`; `rights`: requests about rights that
were answered."""
Month: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9]{4}-(0[1-9]|1[0-2])\Z")]
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]


class Spent(Form, frozen=True):
    """What one family of counts cost.

    `bound`: how much one agreement changes its counts at most; `epsilon_thousandths` for that; `least`: smaller
    noised counts are left out.
    """

    family: Literal["decided", "running", "stopped", "read", "rights"]
    bound: Annotated[int, Meta(ge=1, le=1000)]
    epsilon_thousandths: Annotated[int, Meta(ge=1, le=100_000)]
    least: Annotated[int, Meta(ge=FLOOR, le=2**53)]


class FiguresService(Form, frozen=True):
    """A service as the trust list names it; its figures are those of all its versions together."""

    id: Name
    basis: Basis
    nl: Label
    en: Label


class FigureCell(Form, frozen=True):
    """One count of a service, noised; None: too small to leave, or it would give a small one away."""

    service: Name
    name: Name
    count: Count | None = None


class Figures(Form, frozen=True):
    """The payload. `delta_billionths`: the chance besides epsilon that the floor shows (docs/figures.md)."""

    format: Literal["regie/figures/v1"]
    iss: Oin
    agency: Label
    month: Month
    iat: Time
    floor: Annotated[int, Meta(ge=FLOOR, le=1000)]
    delta_billionths: Annotated[int, Meta(ge=0, le=1_000_000)]
    spent: Annotated[list[Spent], Meta(min_length=1, max_length=len(FAMILIES))]
    services: Annotated[list[FiguresService], Meta(max_length=512)]
    cells: Annotated[list[FigureCell], Meta(max_length=MAX_CELLS)]

    @property
    def epsilon_thousandths(self) -> int:
        """What the month cost one agreement at most: families add up, since it may stand in each of them."""
        return sum(each.epsilon_thousandths for each in self.spent)

    def count(self, service: str, name: str) -> int | None:
        """One cell; None when it was left out."""
        found = (cell.count for cell in self.cells if (cell.service, cell.name) == (service, name))
        return next(found, None)


_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}


def sign_figures(figures: Figures, key: Es256Private, x5c: Sequence[str]) -> str:
    """By the agency, as it signs its READs. Raises `Rejected`: `bad_figures` for what no reader would accept."""
    _check(figures)
    return sign_jws(figures, key, typ=FIGURES_TYPE, header={"x5c": list(x5c)})


def verify_figures(token: str, trust: TrustList, now: int) -> Figures:
    """1. form; 2. signed by the listed agency that it names, with a certificate of then; 3. under the name of the
    list: what people see beside the counts is nobody's to choose; 4. not from the future; 5. every cell of a known
    service and name, once, no shown count below what its family leaves out.

    Raises `Rejected`: `bad_figures`, `not_listed`, `other_name`, and those of `verify_agency_jws`.
    """
    figures = parse_figures(token)  # 1.
    agency = trust.agency(figures.iss)
    verify_agency_jws(token, typ=FIGURES_TYPE, agency=agency, now=figures.iat, max_bytes=MAX_FIGURES_BYTES)  # 2.
    if figures.agency != agency.name:  # 3.
        raise Rejected("other_name", "the trust list has another name for the agency that signed these figures")
    if figures.iat > now + 60:  # 4.
        raise _bad("the figures are from the future")
    _check(figures)  # 5.
    return figures


def parse_figures(token: str) -> Figures:
    """The payload, whose signature nobody has looked at. Raises `Rejected`: `too_large`, `bad_figures`."""
    if len(token) > MAX_FIGURES_BYTES:
        raise Rejected("too_large", "figures of a month are no longer than a megabyte")
    try:
        payload = parse_jws(token, typ=FIGURES_TYPE, max_bytes=MAX_FIGURES_BYTES).payload
        return parse_struct(payload, Figures, max_bytes=MAX_FIGURES_BYTES)
    except Rejected as error:
        raise Rejected("bad_figures", error.detail) from error


def _check(figures: Figures) -> None:
    least = {each.family: each.least for each in figures.spent}
    services = {service.id for service in figures.services}
    seen = [(cell.service, cell.name) for cell in figures.cells]
    if len(least) != len(figures.spent) or len(set(seen)) != len(seen) or len(services) != len(figures.services):
        raise _bad("a family, a service or a cell stands there twice")
    for cell in figures.cells:
        family = _FAMILY_OF.get(cell.name, "")
        if cell.service not in services or family not in least:
            raise _bad("a cell of an unknown service or name")
        if cell.count is not None and cell.count < max(figures.floor, least[family]):
            raise _bad("a cell is smaller than what may leave the agency")


def check_month(text: str) -> str:
    """`2026-10`. Raises `Rejected`: `bad_month`."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise Rejected("bad_month", "a month is written like 2026-10")
    return text


def _bad(detail: str) -> Rejected:
    return Rejected("bad_figures", detail)
