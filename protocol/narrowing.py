"""Terms only ever get narrower (**ours**; protocol sections 3, 4, 5 and 9).

A request asks no more than is registered, a grant gives no more than was asked, a refresh no more than the version
before it; shares are dealt as the trust list says. Each party that could be misled checks this for itself.
"""

from collections.abc import Iterable, Mapping

from protocol.attributes import credential_type
from protocol.errors import Rejected
from protocol.terms import BSN_ATTRIBUTE, ConsentElement, Context, Operators, Place, Terms, places_of
from protocol.trust_list import Agency, LogOperators, Service, may_use_bsn


def _over_asking(detail: str) -> Rejected:
    return Rejected("over_asking", detail, status=403)


def _widened(detail: str) -> Rejected:
    return Rejected("widened", detail, status=403)


def check_element(element: ConsentElement, vcts: Mapping[str, str], agency: Agency, service: Service) -> None:
    """The request asks nothing that the service version does not register: wallet and verifier both check.

    `vcts`: credential type of each DCQL id. **Not** the end date, which depends on when the grant begins.
    Raises `Rejected`: `over_asking` 403.
    """
    if (element.recipient, element.service, element.service_version) != (agency.id, service.id, service.version):
        raise _over_asking("request names another agency or service than its registration")
    if element.mode == "store" and service.mode == "view":
        raise _over_asking("asks to store what is registered for viewing")
    if element.retention != service.retention:
        raise _over_asking("asks another retention than registered")
    if any(claim.credential not in vcts for claim in element.claims):
        raise _over_asking("asks an attribute of a credential that is not queried")
    _check_registered([Place(c.credential, vcts[c.credential], c.path[0]) for c in element.claims], service)
    if not may_use_bsn(agency, service) and any(claim.path == [BSN_ATTRIBUTE] for claim in element.claims):
        raise _over_asking("this agency has no right to the burgerservicenummer for this service")


def is_registered(place: Place, service: Service) -> bool:
    """Whether the service version registers the attribute; register flags go with every type that it registers.

    Raises `Rejected`: `unknown_vct`.
    """
    paths = [claim.path for claim in service.claims if claim.vct == place.vct]
    return [place.name] in paths or (place.name in credential_type(place.vct).flags and bool(paths))


def _check_registered(places: Iterable[Place], service: Service) -> None:
    if not all(is_registered(place, service) for place in places):
        raise _over_asking("an attribute is not registered for this service")


def check_within(terms: Terms, element: ConsentElement, service: Service) -> None:
    """T is never wider than asked and registered, and holds what is needed. The caller MUST `check_terms` first.

    1. the same parties, service version, ground, retention, log; a mode not wider; 2. attributes asked or flags of
    asked credentials, and registered; 3. dates within `max_not_after` and the longest term; 4. reads, case
    and context at least as narrow; 5. everything `needed` is there.
    Raises `Rejected`: `widened` 403, `over_asking` 403, `needed_missing`.
    """
    asked = (element.recipient, element.service, element.service_version, element.retention, element.log.origin)
    if (terms.recipient, terms.service, terms.service_version, terms.retention, terms.log) != asked:  # 1.
        raise _widened("parties, service, retention or log differ from the request")
    if (terms.service, terms.service_version, terms.basis) != (service.id, service.version, service.basis):
        raise _over_asking("service or ground differ from the registration")
    if terms.mode == "store" and "view" in (element.mode, service.mode):
        raise _widened("mode is wider than asked")
    places = places_of(terms)  # 2.
    wanted = {(claim.credential, claim.path[0]) for claim in element.claims}
    touched = {credential for credential, _ in wanted}
    for place in places:
        is_flag = place.name in credential_type(place.vct).flags and place.credential in touched
        if (place.credential, place.name) not in wanted and not is_flag:
            raise _widened("an attribute was not asked for")
    _check_registered(places, service)
    if terms.not_after > element.max_not_after:  # 3.
        raise _widened("ends later than asked")
    if terms.not_after - terms.not_before > service.longest_term:
        raise _over_asking("lasts longer than registered")
    if not _is_fewer(terms.max_reads, element.max_reads):  # 4.
        raise _widened("more reads than asked")
    if terms.case != element.case or not is_context_within(terms.context, element.context):
        raise _widened("case or context differ from the request")
    granted = {(place.credential, place.name) for place in places}  # 5.
    if any(claim.needed and (claim.credential, claim.path[0]) not in granted for claim in element.claims):
        raise Rejected("needed_missing", "an attribute without which the service cannot work is not granted")


def check_listed_operators(terms: Terms, listed: LogOperators | None) -> None:
    """T deals its shares as the trust list says for its log: to these operators, this many needed, or to none.

    The log when it takes a grant, and the agency when it accepts one. Raises `Rejected`: `bad_terms`.
    """
    dealt = None if terms.operators is None else (terms.operators.needed, terms.operators.members)
    if dealt != (None if listed is None else (listed.needed, listed.members)):
        raise Rejected("bad_terms", "shares are not dealt as the trust list says for this log")


def check_refresh(old: Terms, new: Terms) -> None:
    """A refresh (protocol section 9) renews digests and may narrow, nothing else. Both MUST be checked terms.

    1. the next version under another lock; 2. nothing else changes but not_before (never earlier),
    digest, size, share; 3. fewer or equal attributes, an earlier or equal end, fewer or equal reads; 4. shares are
    dealt anew, to operators of whom at least as many are needed.
    Raises `Rejected`: `widened` 403.
    """
    if new.version != old.version + 1 or new.lock == old.lock:  # 1.
        raise _widened("a refresh is the next version under a lock of its own")
    changeable = ("lock", "version", "not_before", "not_after", "max_reads", "claims", "operators")  # 2.
    if any(getattr(old, name) != getattr(new, name) for name in Terms.__struct_fields__ if name not in changeable):
        raise _widened("a refresh changes no more than the protocol names")
    if not set(places_of(new)) <= set(places_of(old)):  # 3.
        raise _widened("a refresh adds an attribute")
    if new.not_before < old.not_before or new.not_after > old.not_after:
        raise _widened("a refresh lasts longer")
    if not _is_fewer(new.max_reads, old.max_reads):
        raise _widened("a refresh admits more reads")
    _check_dealt_anew(old.operators, new.operators)  # 4.


def _check_dealt_anew(old: Operators | None, new: Operators | None) -> None:
    if old is None:
        return
    if new is None or new.needed < old.needed:
        raise _widened("fewer operators are needed after a refresh")
    if set(old.pieces) & set(new.pieces):
        raise _widened("a refresh deals a piece again")


def _is_fewer(value: int | None, limit: int | None) -> bool:
    """None is without limit."""
    return limit is None or (value is not None and value <= limit)


def meet_contexts(context: Context | None, limit: Context | None) -> Context | None:
    """The moments and zones that both admit; None when neither limits. Raises `Rejected`: `no_moment_left`."""
    inner, outer = context or Context(), limit or Context()
    days = sorted(set(inner.days or range(1, 8)) & set(outer.days or range(1, 8)))
    (first, last), (low, high) = inner.hours or (0, 24), outer.hours or (0, 24)
    hours = [max(first, low), min(last, high)]
    if not days or hours[0] >= hours[1] or (None not in (inner.zone, outer.zone) and inner.zone != outer.zone):
        raise Rejected("no_moment_left", "with these days, hours and place nobody could ever look")
    both = Context(
        days=days if inner.days or outer.days else None,
        hours=hours if inner.hours or outer.hours else None,
        zone=inner.zone or outer.zone,
    )
    return None if both == Context() else both


def is_context_within(context: Context | None, limit: Context | None) -> bool:
    """Whether every moment and zone that `context` admits is admitted by `limit` too."""
    inner, outer = context or Context(), limit or Context()
    days = set(inner.days or range(1, 8)) <= set(outer.days or range(1, 8))
    low, high = outer.hours or (0, 24)
    first, last = inner.hours or (0, 24)
    return days and low <= first and last <= high and outer.zone in (None, inner.zone)
