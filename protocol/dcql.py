"""Digital Credentials Query Language (OpenID4VP 1.0 section 6): what is asked, what fits, what was answered.

Pure values: a `Card` is what one credential shows or could show. The wallet calls `match`, the verifier
`check_answer`: it must not trust the wallet with that (section 8.6, 14.9). A query without `claims` asks for
nothing that is selectively disclosable. Unknown members are ignored, as section 6 says.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol.canonical import JsonValue, canonical_bytes, convert
from protocol.errors import Rejected

FORMAT = "dc+sd-jwt"
MAX_CREDENTIALS = 16
"""Credential queries in one request, and options of one credential set."""
MAX_CLAIMS = 64
MAX_PATH = 8

Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
PathElement: TypeAlias = Annotated[str, Meta(max_length=256)] | Annotated[int, Meta(ge=0)] | None
Path = Annotated[list[PathElement], Meta(min_length=1, max_length=MAX_PATH)]


class TypeMeta(Struct, frozen=True):
    """`meta` of an SD-JWT VC query (OpenID4VP appendix B.3.5); other formats have other members (B.2.3)."""

    vct_values: Annotated[list[str], Meta(min_length=1, max_length=16)] = []


class TrustedAuthority(Struct, frozen=True):
    """Section 6.1.1; only type `aki` can be satisfied here."""

    type: str
    values: Annotated[list[str], Meta(min_length=1, max_length=64)]


class ClaimsQuery(Struct, frozen=True, omit_defaults=True):
    """Section 6.3. A string selects a member, an integer an array element, null all of them."""

    path: Path
    id: Id | UnsetType = UNSET
    values: Annotated[list[str | int | bool], Meta(min_length=1, max_length=64)] | UnsetType = UNSET


class CredentialQuery(Struct, frozen=True, omit_defaults=True):
    """Section 6.1. One of a format that we do not know is kept: other options may do without it."""

    id: Id
    format: str
    meta: TypeMeta
    claims: Annotated[list[ClaimsQuery], Meta(min_length=1, max_length=MAX_CLAIMS)] | UnsetType = UNSET
    claim_sets: Annotated[list[list[str]], Meta(min_length=1, max_length=MAX_CREDENTIALS)] | UnsetType = UNSET
    trusted_authorities: Annotated[list[TrustedAuthority], Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    multiple: bool = False
    require_cryptographic_holder_binding: bool = True


class CredentialSetQuery(Struct, frozen=True, omit_defaults=True):
    """Section 6.2: the options in order of the verifier's preference."""

    options: Annotated[list[list[str]], Meta(min_length=1, max_length=MAX_CREDENTIALS)]
    required: bool = True


class Query(Struct, frozen=True, omit_defaults=True):
    """`dcql_query`."""

    credentials: Annotated[list[CredentialQuery], Meta(min_length=1, max_length=MAX_CREDENTIALS)]
    credential_sets: Annotated[list[CredentialSetQuery], Meta(min_length=1, max_length=16)] | UnsetType = UNSET

    def credential(self, query_id: str) -> CredentialQuery:
        """The credential query of that id. Raises `Rejected`: `bad_query`."""
        for query in self.credentials:
            if query.id == query_id:
                return query
        raise Rejected("bad_query", "no credential query has this id")


@dataclass(frozen=True)
class Card:
    """One credential as its holder could show it, or as a verifier has it before it."""

    vct: str
    claims: Mapping[str, JsonValue]
    authorities: frozenset[str] = frozenset()
    """Key identifiers (b64u) of the authorities in its chain, for `aki`."""
    format: str = FORMAT


@dataclass(frozen=True)
class Candidate:
    """A card that satisfies one credential query: `index` in the list given, and exactly what must be shown."""

    index: int
    paths: tuple[tuple[PathElement, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The top-level attributes to disclose, each once, in the order asked."""
        return tuple(dict.fromkeys(str(path[0]) for path in self.paths))


@dataclass(frozen=True)
class Match:
    """What can answer a query: per credential query its candidates, best first."""

    candidates: Mapping[str, tuple[Candidate, ...]]
    required: tuple[str, ...]
    optional: tuple[str, ...] = field(default=())


def parse_query(value: Any) -> Query:
    """A parsed JSON value as a query that refers only to what it defines.

    Raises `Rejected`: `bad_form`, `bad_query`.
    """
    query = convert(value, Query)
    ids = [item.id for item in query.credentials]
    if len(set(ids)) != len(ids):
        raise Rejected("bad_query", "a credential query id occurs twice")
    for item in query.credentials:
        _check_claims(item)
    for credential_set in query.credential_sets or ():
        if any(not option or not set(option) <= set(ids) for option in credential_set.options):
            raise Rejected("bad_query", "a credential set names a query that does not exist")
    return query


def _check_claims(query: CredentialQuery) -> None:
    """Sections 6.3, B.3.5: types are named; ids are unique, sets refer to them; a path starts with a name."""
    if query.format == FORMAT and not query.meta.vct_values:
        raise Rejected("bad_query", "a query for this format names vct_values")
    claims = query.claims or []
    ids = [claim.id for claim in claims if claim.id is not UNSET]
    if len(set(ids)) != len(ids):
        raise Rejected("bad_query", "a claims query id occurs twice")
    if query.claim_sets is not UNSET and len(ids) != len(claims):
        raise Rejected("bad_query", "claim sets need an id on every claim")
    if any(not option or not set(option) <= set(ids) for option in query.claim_sets or ()):
        raise Rejected("bad_query", "a claim set names a claim that does not exist")
    if any(not isinstance(claim.path[0], str) for claim in claims):
        raise Rejected("bad_query", "a path starts with the name of a claim")


def select(claims: Mapping[str, JsonValue], path: Sequence[PathElement]) -> list[JsonValue]:
    """Section 7.1: the values that a path selects; an empty list when it selects none.

    A string needs objects only and null or a number arrays only: anything else among what is selected so far ends
    the selection, and what lacks the member or the index drops out of it.
    """
    selected: list[JsonValue] = [claims]
    for element in path:
        kind = Mapping if isinstance(element, str) else list
        if not all(isinstance(item, kind) for item in selected):
            return []
        selected = [value for item in selected for value in _step(item, element)]
    return selected


def _step(item: Any, element: PathElement) -> Sequence[JsonValue]:
    """What one path element selects of an object or an array."""
    if element is None:
        return item  # type: ignore[no-any-return]
    has = element in item if isinstance(element, str) else element < len(item)
    return [item[element]] if has else []


def asked_part(value: JsonValue, paths: Collection[Sequence[PathElement]]) -> JsonValue:
    """What these paths select of `value`, in its place; arrays keep the selected elements only.

    Every path MUST select something (`select`). An empty path is all of `value`.
    """
    if not all(paths):
        return value
    if isinstance(value, Mapping):
        names = dict.fromkeys(path[0] for path in paths)
        found = [name for name in names if isinstance(name, str) and name in value]
        return {name: asked_part(value[name], [path[1:] for path in paths if path[0] == name]) for name in found}
    if not isinstance(value, list):
        return value
    parts = [(item, [path[1:] for path in paths if path[0] in (None, index)]) for index, item in enumerate(value)]
    return [asked_part(item, rest) for item, rest in parts if rest]


def _satisfies(claims: Mapping[str, JsonValue], claim: ClaimsQuery) -> bool:
    """Something is selected and, where values are asked, one of it is among them in type and value (6.3)."""
    selected = select(claims, claim.path)
    if not selected or claim.values is UNSET:
        return bool(selected)
    wanted = {canonical_bytes(value) for value in claim.values}  # 1 and true are equal in Python, not in JSON
    return any(canonical_bytes(value) in wanted for value in selected)


def _answer(query: CredentialQuery, card: Card) -> tuple[ClaimsQuery, ...] | None:
    """The claims that `card` has to show for `query`; None when it does not fit (sections 6.1, 6.4.1)."""
    if card.format != query.format or card.vct not in query.meta.vct_values:
        return None
    if query.trusted_authorities and not any(
        authority.type == "aki" and card.authorities.intersection(authority.values)
        for authority in query.trusted_authorities
    ):
        return None
    if query.claims is UNSET:
        return ()
    by_id = {claim.id: claim for claim in query.claims}
    options = [[by_id[name] for name in option] for option in query.claim_sets or ()] or [query.claims]
    for option in options:
        if all(_satisfies(card.claims, claim) for claim in option):
            return tuple(option)
    return None


def match(query: Query, cards: Sequence[Card]) -> Match:
    """Which cards can answer, and what each must show: nothing more (section 6.4).

    `required` are the queries that must be answered, by the first satisfiable option of every required set;
    `optional` those that may be. Raises `Rejected`: `not_satisfiable`, always the same text, so that an answer to
    the verifier tells nothing about what the wallet holds (section 15.3).
    """
    candidates: dict[str, tuple[Candidate, ...]] = {}
    for item in query.credentials:
        answers = ((index, _answer(item, card)) for index, card in enumerate(cards))
        fitting = tuple(
            Candidate(index, tuple(tuple(claim.path) for claim in claims))
            for index, claims in answers
            if claims is not None
        )
        if fitting:
            candidates[item.id] = fitting
    required, optional = _resolve(query, candidates)
    chosen = {name: candidates[name] for name in (*required, *optional)}
    return Match(chosen, required, optional)


def _resolve(query: Query, present: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Section 6.4.2: every required set by its first satisfiable option; without sets every query is required."""
    if query.credential_sets is UNSET:
        wanted = tuple(item.id for item in query.credentials)
        if not set(wanted) <= set(present):
            raise Rejected("not_satisfiable", "the request cannot be answered")
        return wanted, ()
    required: dict[str, None] = {}
    optional: dict[str, None] = {}
    for credential_set in query.credential_sets:
        option = next((option for option in credential_set.options if set(option) <= set(present)), None)
        if option is None and credential_set.required:
            raise Rejected("not_satisfiable", "the request cannot be answered")
        (required if credential_set.required else optional).update(dict.fromkeys(option or ()))
    return tuple(required), tuple(name for name in optional if name not in required)


def check_answer(query: Query, presented: Mapping[str, Sequence[Card]]) -> dict[str, list[dict[str, JsonValue]]]:
    """The asked part of an answer, per credential query and card: attribute name to value, or to its asked part.

    1. only ids that were asked; 2. one presentation each, unless `multiple`; 3. type, authority and claims of each
    fit its query; 4. all required queries are answered. What was shown without being asked is **not** returned:
    the caller MUST store nothing else. Raises `Rejected`: `dcql_not_satisfied`.
    """
    asked: dict[str, list[dict[str, JsonValue]]] = {}
    for query_id, cards in presented.items():
        item = next((item for item in query.credentials if item.id == query_id), None)  # step 1
        if item is None or not cards or (len(cards) > 1 and not item.multiple):  # step 2
            raise Rejected("dcql_not_satisfied", "the answer names another query or too many presentations")
        for card in cards:
            claims = _answer(item, card)  # step 3
            if claims is None:
                raise Rejected("dcql_not_satisfied", "a presentation does not fit its query")
            part = asked_part(card.claims, [claim.path for claim in claims]) if claims else {}
            asked.setdefault(query_id, []).append(cast(dict[str, JsonValue], part))
    try:
        _resolve(query, presented)  # step 4
    except Rejected as error:
        raise Rejected("dcql_not_satisfied", "a required credential was not presented") from error
    return asked
