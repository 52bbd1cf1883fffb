"""A month leaves the agency: counted, noised, signed, kept, in this order; and months of others come in."""

from protocol.errors import Rejected
from protocol.figures import Figures, parse_figures, sign_figures, verify_figures
from protocol.reading import TICKET_LIFETIME
from verifier.desk import Desk
from verifier.figures import Contribution, Noise, Period, Publisher, make_figures, period_of
from verifier.figures_count import rights_of
from verifier.figures_store import FiguresStore, Released


def release_month(desk: Desk, store: FiguresStore, month: str, noise: Noise) -> Released:
    """The one file of a month; the second time it is the same, and nothing is drawn.

    Raises `Rejected`: `bad_month`, `month_not_over` 409, `not_listed`; `Unavailable` when the trust list or the
    noise cannot be had.
    """
    period = period_of(month)
    known = store.find(month)
    if known is not None:
        return known
    now = desk.now()
    agency = desk.agency(desk.trust(now))
    publisher = Publisher(agency.id, agency.name, agency.services)
    figures = make_figures(publisher, month, count_month(desk, period), noise, now=now)
    signer = desk.signer(now)
    token = sign_figures(figures, signer.key, signer.x5c)
    return store.keep(Released(month, now, figures.epsilon_thousandths, token))


def count_month(desk: Desk, period: Period) -> dict[str, list[Contribution]]:
    """What happened in a month, by family: exact, so it stays in this process."""
    rows = desk.store.figures
    rights = rights_of(desk.store.seen.asked(), period)
    return {
        "decided": rows.decided(period, TICKET_LIFETIME),
        "running": rows.running(period.end),
        "stopped": rows.stopped(period),
        "read": rows.read(period),
        "rights": [Contribution(request, rows.service_of(request), name, 1) for request, name in rights],
    }


def take_figures(desk: Desk, store: FiguresStore, token: str) -> Figures:
    """A file of another agency, verified and kept; again is no error.

    Raises `Rejected`: those of `verify_figures`, `own_figures` for one of ours, `other_figures` 409 for a second,
    different file of a month.
    """
    now = desk.now()
    figures = verify_figures(token.strip(), desk.trust(now), now)
    if figures.iss == desk.config.oin:
        raise Rejected("own_figures", "these are this agency's own figures")
    store.take(figures.iss, figures.month, token.strip())
    return figures


def all_figures(store: FiguresStore) -> list[Figures]:
    """Our own months and those of others, the newest first; each was verified when it was kept."""
    own = [parse_figures(each.token) for each in store.released()]
    others = [parse_figures(token) for token in store.taken()]
    return sorted([*own, *others], key=lambda each: each.month, reverse=True)
