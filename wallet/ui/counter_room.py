"""What every page of the counter works with."""

from dataclasses import dataclass

from flask import current_app

from wallet.counter_config import CounterConfig
from wallet.visits import Visits

_EXTENSION = "regie.visits"


@dataclass(frozen=True)
class Counter:
    """The visits that are open, and where the counter is."""

    visits: Visits
    config: CounterConfig

    def install(self) -> None:
        """On the app that is being made."""
        current_app.extensions[_EXTENSION] = self


def counter() -> Counter:
    """Of the request under way."""
    found: Counter = current_app.extensions[_EXTENSION]
    return found
