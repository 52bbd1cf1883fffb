"""What the issuer answers about mandates, for `/v1/openapi.json` (protocol section 10)."""

from protocol import mandate_api as api
from service.operations import Operation, Parameter, Reply, json_of, path_number

_SECTION = "Regie protocol section 10"
_CALLER = "`invalid_nonce`, `bad_presentation`, and those of the form"
_CHAIN = "`mandate_chain`, `credential_revoked`"
_ID = Parameter("mandate_id", "path", "Which mandate, base64url of 16 bytes.")
_TYPE = "`bad_media_type`"
_BOARD = ("boardToken",)
MAX_NUMBER = 2**53 - 1


def _without_authority(refusals: dict[int, str]) -> str:
    """An issuer that does not make `gezag` answers nothing about mandates."""
    return ", ".join(text for text in ("`no_mandates`", refusals.get(404)) if text)


def _ask(
    id_: str,
    path: str,
    summary: str,
    kind: type,
    answer: type,
    refusals: dict[int, str],
    parameters: tuple[Parameter, ...] = (),
) -> Operation:
    return Operation(
        id_,
        "POST",
        f"/v1/{path}",
        summary,
        {200: Reply(summary + ".", (json_of(answer),))},
        {400: _CALLER, 403: _CHAIN, 415: _TYPE} | refusals | {404: _without_authority(refusals)},
        body=(json_of(kind),),
        standard=_SECTION,
        tag="mandates",
        parameters=parameters,
    )


ASKS = (
    _ask(
        "postRepresentations",
        "representations",
        "Whom the caller may act for, and who for him",
        api.RepresentationsAsk,
        api.RepresentationsAnswer,
        {404: "`unknown_person`"},
    ),
    _ask(
        "postMandate",
        "mandates",
        "Register a mandate, or join it",
        api.MandateAsk,
        api.MandateAnswer,
        {404: "`unknown_reference`", 409: "`not_representable`, `mandate_ended`, `too_many`"},
    ),
    _ask(
        "postInvitation",
        "invitations",
        "An invitation of somebody who is willing to help",
        api.InvitationAsk,
        api.InvitationAnswer,
        {403: f"{_CHAIN}, `not_competent`", 409: "`too_many`"},
    ),
    _ask(
        "postInvitationLookup",
        "invitations/lookups",
        "Who made an invitation",
        api.InvitedAsk,
        api.InvitedAnswer,
        {404: "`bad_invitation`"},
    ),
    _ask(
        "postWish",
        "wishes",
        "The mandate that a resident wishes for a helper",
        api.WishAsk,
        api.WishAnswer,
        {
            400: f"{_CALLER}, `bad_wish`, `unknown_vct`, `unknown_attribute`",
            403: f"{_CHAIN}, `not_competent`, `mandate_widened`",
            404: "`bad_invitation`",
            409: "`too_many`, `mandate_ended`",
        },
    ),
    _ask(
        "postMandateEnd",
        "mandates/{mandate_id}/ends",
        "The end of a mandate, by either side",
        api.EndAsk,
        api.EndAnswer,
        {404: "`unknown_mandate`"},
        parameters=(_ID,),
    ),
)
BOARD = (
    Operation(
        "getProposals",
        "GET",
        "/v1/mandates/{mandate_id}/proposals",
        "Grants that parties of a mandate propose to each other",
        {200: Reply("The board.", (json_of(api.BoardAnswer),))},
        {401: "`unauthorized`"},
        parameters=(_ID,),
        security=_BOARD,
        standard=_SECTION,
        tag="mandates",
    ),
    Operation(
        "postProposal",
        "POST",
        "/v1/mandates/{mandate_id}/proposals",
        "Propose a grant to the other parties",
        {200: Reply("The board.", (json_of(api.BoardAnswer),))},
        {
            400: "`bad_proposal`, `bad_terms`, `bad_signature`, and those of the form",
            401: "`unauthorized`",
            409: "`too_many`",
            415: _TYPE,
        },
        parameters=(_ID,),
        body=(json_of(api.Proposal),),
        security=_BOARD,
        standard=_SECTION,
        tag="mandates",
    ),
    Operation(
        "postCosignature",
        "POST",
        "/v1/mandates/{mandate_id}/proposals/{number}/cosignatures",
        "Sign a proposed grant with the others",
        {200: Reply("The board.", (json_of(api.BoardAnswer),))},
        {
            400: "`bad_proposal`, `bad_signature`, and those of the form",
            401: "`unauthorized`",
            404: "`unknown_proposal`, `not_found`",
            409: "`too_many`",
            415: _TYPE,
        },
        parameters=(_ID, path_number("number", "Number of the proposal.", MAX_NUMBER)),
        body=(json_of(api.Cosigned),),
        security=_BOARD,
        standard=_SECTION,
        tag="mandates",
    ),
)
