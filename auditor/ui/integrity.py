"""The log itself: its last signed tree, its witnesses, when it was looked at, and a proof from our own leaves."""

from flask import Blueprint, render_template

from auditor.prove_kept import last_proof
from auditor.ui.desk import LOOKS_SHOWN, desk
from auditor.ui.health import gaps
from protocol.canonical import b64u_encode

pages = Blueprint("integrity", __name__, url_prefix="/log")
GAPS_SHOWN = 20


@pages.get("/")
def page() -> str:
    """The panel of integrity."""
    kept = desk()
    looks = kept.view.looks(LOOKS_SHOWN)
    tree = kept.tree()
    return render_template(
        "auditor/integrity.html",
        health=kept.health(),
        tree=tree,
        root="" if tree is None else b64u_encode(tree.root),
        looks=looks,
        gaps=gaps(looks, kept.now())[:GAPS_SHOWN],
        proof=last_proof(kept.home),
        entries=kept.entries(),
    )
