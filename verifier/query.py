"""What a copy is asked by: a DCQL query that stays within one registered service, whoever wrote it (pure).

The register's flags travel with every attribute of the vocabulary (protocol section 2), so they are added where a
query forgets them. Paths, values, sets and authorities (OpenID4VP 1.0 section 6) only narrow what is registered.
"""

from collections.abc import Sequence
from typing import Any

from protocol.asker import is_bsn, registers, wanted_of
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import to_builtins
from protocol.dcql import FORMAT, CredentialQuery, Query, parse_query
from protocol.errors import Rejected
from protocol.trust_list import Service


def query_of(service: Service) -> Query:
    """Everything that the service registers: one credential query for each type, in order of appearance."""
    asked: dict[str, dict[str, Any]] = {}
    for claim in service.claims:
        known = CREDENTIAL_TYPES.get(claim.vct)
        query_id = known.configuration_id if known else f"card-{len(asked) + 1}"
        made = {"id": query_id, "format": FORMAT, "meta": {"vct_values": [claim.vct]}, "claims": []}
        asked.setdefault(claim.vct, made)["claims"].append({"path": list(claim.path)})
    return _with_flags(parse_query({"credentials": list(asked.values())}))


def within(query: Query, service: Service, *, bsn_allowed: bool) -> Query:
    """The query with the flags that it needs, once it is found to ask nothing but what the service registers.

    1. a format that we can check, from a holder who proves to be one; 2. every claim of every type that could
    answer is registered, a query without claims names registered types; 3. the burgerservicenummer only where the
    law lets the agency use it (`bsn_allowed`), and the service says which law.
    Raises `Rejected`: `bad_query`, `over_asking` 403.
    """
    for item in query.credentials:
        if item.format != FORMAT or not item.require_cryptographic_holder_binding:  # 1.
            raise Rejected("bad_query", f"cards are asked as {FORMAT}, with the signature of their holder")
        for wanted in wanted_of(item):
            if not registers(service, wanted.vct, wanted.path):  # 2.
                raise Rejected("over_asking", "the query asks more than this service has registered", status=403)
            if is_bsn(wanted) and not (bsn_allowed and service.bsn_law):  # 3.
                raise Rejected(
                    "over_asking", "the law gives this service no right to the burgerservicenummer", status=403
                )
    return _with_flags(query)


def _with_flags(query: Query) -> Query:
    """The query, where the types of a credential query are of the vocabulary with their flags in every option.

    Types of others have none, so that one query for both would let our attributes go without: `bad_query`.
    """
    plain = to_builtins(query)
    for item, asked in zip(query.credentials, plain["credentials"], strict=True):
        _add_flags(asked, _flags_of(item))
    return parse_query(plain)


def _flags_of(item: CredentialQuery) -> Sequence[str]:
    known = [CREDENTIAL_TYPES.get(vct) for vct in item.meta.vct_values]
    if not item.claims or not any(known):
        return ()
    if None in known:
        raise Rejected("bad_query", "types of the vocabulary have flags: ask those of others apart")
    return list(dict.fromkeys(flag for kind in known if kind is not None for flag in kind.flags))


def _add_flags(asked: dict[str, Any], flags: Sequence[str]) -> None:
    for flag in flags:
        claim = next((claim for claim in asked["claims"] if claim["path"] == [flag]), None)
        if claim is None:
            claim = {"path": [flag]} | ({"id": f"flag-{flag}"} if "claim_sets" in asked else {})
            asked["claims"].append(claim)
        for option in asked.get("claim_sets", ()):
            if claim["id"] not in option:
                option.append(claim["id"])
