"""The form on paper of one request: exactly what its signed object asks, sheet by sheet. Pure."""

from dataclasses import dataclass

from protocol.attributes import credential_type
from protocol.errors import Rejected
from protocol.openid4vp import parse_authorization_url
from protocol.paper_form import Form, Row, form_rows, mark_text, sheet_code
from protocol.terms import parse_element
from verifier.ask import Request


@dataclass(frozen=True)
class Sheet:
    """One page to tick. `first`: the number of its first row, from 1; `marks`: the texts of its three marks."""

    number: int
    of: int
    first: int
    code: str
    marks: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def is_last(self) -> bool:
        """Whether the signature stands here."""
        return self.number == self.of


def form_of_request(request: Request, link: str) -> Form:
    """Raises `Rejected`: `not_standing` for a copy, which no paper can give."""
    if request.kind != "standing":
        raise Rejected("not_standing", "a form is for access that lasts, not for a copy", status=409)
    element = parse_element(request.transactions[0])
    vcts = {item.id: item.meta.vct_values[0] for item in request.query.credentials}
    asked = (Row(vcts[claim.credential], str(claim.path[0]), claim.needed) for claim in element.claims)
    return Form(
        client_id=request.client_id,
        request_uri=parse_authorization_url(link).request_uri,
        service=element.service,
        version=element.service_version,
        until=element.max_not_after,
        reads=element.max_reads,
        rows=form_rows(row for row in asked if row.name not in credential_type(row.vct).flags),
    )


def sheets_of(form: Form, link: str) -> tuple[Sheet, ...]:
    """What is printed. Raises `Rejected`: `form_too_long`, `empty_form`."""
    digest, first, found = form.digest, 1, []
    for number, rows in enumerate(form.sheets, 1):
        marks = tuple(mark_text(number, place, digest) for place in range(3))
        found.append(Sheet(number, len(form.sheets), first, sheet_code(link, number, digest), marks, rows))
        first += len(rows)
    return tuple(found)
