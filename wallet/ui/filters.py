"""What somebody looks for, kept in memory under a random id: what was typed never stands in an address."""

import secrets
from collections import OrderedDict
from typing import cast

from wallet.ui.activity_view import Filter
from wallet.ui.session import keeper

_FILTERS = "filters"
MAX_FILTERS = 32
"""The oldest is forgotten: who goes back that far sees everything again."""


def keep_filter(wanted: Filter) -> str | None:
    """Its id; None for one that leaves nothing out."""
    if wanted.is_everything:
        return None
    kept = cast(OrderedDict[str, Filter], keeper().memory.setdefault(_FILTERS, OrderedDict()))
    name = secrets.token_urlsafe(9)
    kept[name] = wanted
    while len(kept) > MAX_FILTERS:
        kept.popitem(last=False)
    return name


def kept_filter(name: str) -> Filter:
    """What was kept under an id; everything when it is unknown or forgotten."""
    kept = cast(OrderedDict[str, Filter], keeper().memory.get(_FILTERS, OrderedDict()))
    return kept.get(name, Filter())
