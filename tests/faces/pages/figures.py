"""Figures of two months of the town's agency, and of a neighbour: made here, for nothing in a town is that old."""

import time

from protocol.figures import FAMILIES, Figures, sign_figures
from protocol.trust_list import Words
from service.home import Home
from tests.faces.town import FacesTown
from tests.protocol import builders
from verifier.config import VerifierConfig
from verifier.figures import Contribution, Publisher, make_figures
from verifier.figures_store import FiguresStore, Released
from verifier.signing import load_signer

MONTHS = ("2026-09", "2026-10")
NEIGHBOUR = "00000099000000004000"
SERVICES = [
    builders.service(),
    builders.service(id="zorg", name=Words(nl="Hulp in huis", en="Help at home"), basis="public_task"),
]
_TOLD: set[int] = set()


def figures_of(oin: str, name: str, month: str, scale: int) -> Figures:
    """A busy month, told without noise; one figure is too small to leave."""
    counted = {
        family: [
            Contribution(f"{service.id} {place} {n}", service.id, cell, 1)
            for service in SERVICES
            for place, cell in enumerate(names)
            for n in range(5 if cell == "late" else (400 - 50 * place) // scale)
        ]
        for family, names in FAMILIES.items()
    }
    publisher = Publisher(oin, name, SERVICES)
    return make_figures(publisher, month, counted, lambda counts, bound, epsilon: list(counts), now=builders.NOW)


def tell(town: FacesTown) -> None:
    """Once for each town: into the agency's home, as if they were released and taken in."""
    if id(town) in _TOLD:
        return
    home = Home(town.at("agency"))
    store, config = FiguresStore(home), home.config(VerifierConfig)
    signer = load_signer(home, int(time.time()))
    for number, month in enumerate(MONTHS):
        made = figures_of(config.oin, config.name, month, 2 - number)
        store.keep(Released(month, 0, made.epsilon_thousandths, sign_figures(made, signer.key, signer.x5c)))
    theirs = figures_of(NEIGHBOUR, "Gemeente Hiernaast", MONTHS[-1], 2)
    store.take(NEIGHBOUR, MONTHS[-1], sign_figures(theirs, signer.key, signer.x5c))
    _TOLD.add(id(town))
