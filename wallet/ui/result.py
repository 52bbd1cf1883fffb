"""What came of an answer, and the paper of an agreement: its receipt with the code that stops it."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template

from protocol.canonical import canonical_bytes
from protocol.revocation_code import format_code, format_paper_qr
from service.ui.words import language
from wallet.opened import OpenWallet
from wallet.receipt import consent_receipt
from wallet.ui.giving import Done
from wallet.ui.names import is_flag, label_of
from wallet.ui.organisation import web_address
from wallet.ui.paper import Paper, view_paper
from wallet.ui.session import in_use, keeper

pages = Blueprint("result", __name__)


@pages.get("/result/<kept_id>")
def page(kept_id: str) -> str:
    """What was given, and how to stop it; or that nothing was."""
    done = keeper().kept(kept_id, Done)
    paper = None
    if done.grant_id is not None:
        with in_use() as wallet:
            paper = _paper(wallet, done.grant_id)
    onward = web_address(done.redirect)
    given = [label_of(name, language()) for name in done.names if not is_flag(name)]
    return render_template(
        "wallet/result.html",
        done=done,
        paper=paper,
        given=given,
        redirect=onward,
        redirect_host=onward and urlsplit(onward).netloc,
    )


@pages.get("/receipt/<grant_id>")
def receipt(grant_id: str) -> str:
    """For the printer: what was agreed, and the code that stops it from any wallet or at the agency's counter."""
    with in_use() as wallet:
        paper = _paper(wallet, grant_id)
    return render_template("wallet/receipt.html", paper=paper)


@pages.get("/receipt/<grant_id>/data")
def receipt_json(grant_id: str) -> Response:
    """For a program: the receipt of ISO/IEC TS 27560, without any value and without the code."""
    with in_use() as wallet:
        record = wallet.grant(grant_id)
        body = canonical_bytes(consent_receipt(record, wallet.now()))
    headers = {"Content-Disposition": f'attachment; filename="regie-receipt-{int(grant_id)}.jsonld"'}
    return Response(body, content_type="application/ld+json", headers=headers)


def _paper(wallet: OpenWallet, grant_id: str) -> Paper:
    record = wallet.grant(grant_id)
    code = wallet.code(record)
    qr = format_paper_qr(wallet.known_log(record.body.terms.log).log.url, code)
    return view_paper(grant_id, record, format_code(code), qr, wallet.now(), language())
