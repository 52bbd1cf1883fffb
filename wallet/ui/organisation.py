"""Who asks, as the page of a request shows it: listed, a registered stranger, or unknown to everybody. Pure."""

from dataclasses import dataclass
from typing import Literal

from protocol.names import shown_host, visible
from protocol.openid4vp import VerifiedRequest


@dataclass(frozen=True)
class Organisation:
    """Who asks. `id`: the OIN of a listed one, the host of a stranger.

    `checked_by`: `register` (the registrar's list), `certificate` (a registration certificate), or None for an
    unknown asker. `agreements`: numbers of those in force; `is_known`: was given something before. `contact`:
    where to object or complain. `is_sealed`: the answer is encrypted for it, beyond the connection.
    """

    name: str
    id: str
    checked_by: Literal["register", "certificate"] | None
    registered_name: str | None
    is_known: bool
    agreements: tuple[str, ...]
    privacy_policy: str | None
    contact: str | None
    is_sealed: bool

    @property
    def is_listed(self) -> bool:
        """Whether the registrar knows it."""
        return self.checked_by == "register"


def organisation_of(request: VerifiedRequest, *, is_known: bool, agreements: tuple[str, ...]) -> Organisation:
    """Of the certificates of a request and the lists that they were held against."""
    asker, registration = request.asker, request.asker.registration
    privacy_policy = request.service.privacy_policy if request.service else None
    if privacy_policy is None and registration is not None:
        privacy_policy = registration.privacy_policy
    contact = request.agency.erasure_contact if request.agency else registration and registration.support_uri
    checked: Literal["register", "certificate"] | None = "certificate" if registration else None
    return Organisation(
        name=visible(asker.name),
        id=asker.id if asker.is_listed else shown_host(asker.host or ""),
        checked_by="register" if asker.is_listed else checked,
        registered_name=visible(registration.name) if registration else None,
        is_known=is_known,
        agreements=agreements,
        privacy_policy=web_address(privacy_policy),
        contact=visible(contact) if contact else None,
        is_sealed=request.encryption is not None,
    )


def web_address(text: str | None) -> str | None:
    """An address that may be a link on our page: of the web, and nothing hidden in it."""
    is_web = text is not None and text.startswith(("https://", "http://"))
    return text if is_web and text is not None and text.isascii() and text.isprintable() else None
