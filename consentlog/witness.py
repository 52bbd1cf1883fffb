"""A plain C2SP witness of one or more logs: `regie log witness`.

It sees that a log only grows; it does not look into leaves. Rules and store are `service.witness`, its keys
`service.witness_keys`.
"""

from pathlib import Path

from flask import Flask

from consentlog import config
from consentlog.openapi import WITNESS
from protocol.errors import Rejected
from protocol.log_keys import LogKey, log_keys
from service.app import make_app
from service.clock import Clock, SystemClock
from service.database import engine_for
from service.home import Home
from service.openapi import publish
from service.trust import TrustSource
from service.witness import Witness, witness_blueprint


def open_witness(place: Home, clock: Clock | None = None) -> Witness:
    """The witness that was initialised in this home, of every log on its trust list."""
    clock, settings = clock or SystemClock(), config.witness_config(place)
    source = TrustSource(place, settings.trust_list, settings.registrar)

    def log_of(origin: str) -> LogKey | None:
        try:
            return log_keys(source.current(clock.now()).log(origin))
        except Rejected:
            return None  # a log that is not listed is not witnessed: 404

    keys = config.witness_keys(place, settings.name)
    return Witness(engine_for(settings.database_url(place)), keys.signers, clock, log_of)


def create(home: Path) -> Flask:
    """The app of a witness that was initialised in `home`."""
    return make_web(Home(home), SystemClock())


def make_web(place: Home, clock: Clock) -> Flask:
    """The same, with this clock."""
    settings = config.witness_config(place)
    app = make_app("consentlog")
    app.register_blueprint(witness_blueprint(open_witness(place, clock)))
    publish(app, WITNESS, url=settings.url, contact=settings.contact)
    return app
