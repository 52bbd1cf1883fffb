"""What the page of an offer shows: who offers which cards, and how the resident gets them. Pure."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.attributes import CREDENTIAL_TYPES
from protocol.issuer_jwt import NO_END
from protocol.names import visible
from protocol.openid4vci import CredentialOffer
from wallet.errand_receive import Received
from wallet.receive import Source
from wallet.ui.names import card_label

Way: TypeAlias = Literal["code", "open", "login"]
"""`code`: with a code that came another way; `open`: with the offer alone; `login`: at the issuer."""
_BY_NAME = {kind.configuration_id: kind for kind in CREDENTIAL_TYPES.values()}


@dataclass(frozen=True)
class OfferView:
    """`is_listed`: on the trust list, else trusted by this home only. `code_length` and `code_hint` are what the
    issuer says of its code; `is_number`: it has digits only.
    """

    issuer: str
    address: str
    is_listed: bool
    cards: tuple[str, ...]
    way: Way
    code_length: int | None = None
    code_hint: str | None = None
    is_number: bool = True


@dataclass(frozen=True)
class CameView:
    """A card that came, or will: `until` is its end (None without one), or when to ask for it again."""

    card: str
    issuer: str
    copies: int
    until: int | None
    is_awaited: bool


def card_name(configuration: str, title: str, language: str) -> str:
    """What a card is called that is known by its configuration at the issuer."""
    known = _BY_NAME.get(configuration)
    return card_label(known.vct, title, language) if known else visible(title or configuration)


def view_offer(offer: CredentialOffer, source: Source, language: str) -> OfferView:
    """The page of an offer that was found; the same choice of the way as `receive.choose_grant` makes."""
    code = offer.grants.pre_authorized if offer.grants else None
    asked = code.tx_code if code else None
    way: Way = "login" if code is None else "code" if asked is not None else "open"
    return OfferView(
        issuer=visible(source.name),
        address=visible(source.id),
        is_listed=source.is_listed,
        cards=tuple(card_name(name, "", language) for name in offer.credential_configuration_ids),
        way=way,
        code_length=asked.length if asked else None,
        code_hint=visible(asked.description, 300) if asked and asked.description else None,
        is_number=asked is None or asked.input_mode == "numeric",
    )


def view_received(item: Received, language: str) -> CameView:
    """One card of what an issuer gave."""
    has_end = item.awaited or item.exp < NO_END
    return CameView(
        card=card_name(item.configuration, item.title, language),
        issuer=visible(item.issuer),
        copies=item.copies,
        until=item.exp if has_end else None,
        is_awaited=item.awaited,
    )
