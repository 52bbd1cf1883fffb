"""What an agency answers, for `/v1/openapi.json`."""

from msgspec import Struct

from protocol.direct_post import ResponseObject
from protocol.request_object import REQUEST_MEDIA_TYPE
from service.operations import FORM, Api, Content, Operation, Parameter, Reply, json_of, oauth_error
from verifier.cohort_asking import QuestionReply, QuestionRequest
from verifier.inbox import InboxMessage

HTML = "text/html"
_OPENID4VP = "OpenID4VP 1.0"
_REQUEST = Parameter("request_id", "path", "Which request.")
_START = Parameter("start", "path", "What `regie verifier request --same-device` gave.")


def _page_of(*codes: str) -> tuple[str, Content]:
    """A refusal as a page for people."""
    return f"A page: {', '.join(f'`{code}`' for code in codes)}", Content(HTML)


_UNKNOWN = oauth_error("invalid_request: unknown_request")
_FETCH = {
    404: _UNKNOWN,
    410: oauth_error("invalid_request: request_ended"),
    429: oauth_error("invalid_request: too_many_fetches"),
}


class Answered(Struct, frozen=True, omit_defaults=True):
    """Where the wallet sends its user, if anywhere (OpenID4VP 1.0 section 8.2)."""

    redirect_uri: str | None = None


class Heard(Struct, frozen=True):
    """What became of what was sent: `refreshed`, `acknowledged` or `received`."""

    state: str


AGENCY = Api(
    "Regie agency",
    "Where wallets answer an agency. No endpoint hands out a value.",
    (
        Operation(
            "getRequestObject",
            "GET",
            "/requests/{request_id}",
            "The signed request object",
            {200: Reply("A `oauth-authz-req+jwt`.", (Content(REQUEST_MEDIA_TYPE),))},
            own_errors=_FETCH,
            parameters=(_REQUEST,),
            standard=f"{_OPENID4VP} section 5.10, RFC 9101",
            tag="presentation",
        ),
        Operation(
            "postRequestObject",
            "POST",
            "/requests/{request_id}",
            "The signed request object, over a nonce of the wallet",
            {200: Reply("A `oauth-authz-req+jwt`.", (Content(REQUEST_MEDIA_TYPE),))},
            own_errors={
                400: oauth_error("invalid_request"),
                **_FETCH,
                413: oauth_error("invalid_request: too_large"),
            },
            parameters=(_REQUEST,),
            body=(
                Content(
                    FORM,
                    {
                        "type": "object",
                        "properties": {
                            "wallet_nonce": {"type": "string", "maxLength": 512},
                            "wallet_metadata": {"type": "string"},
                        },
                    },
                ),
            ),
            is_body_required=False,
            standard=f"{_OPENID4VP} section 5.10",
            tag="presentation",
        ),
        Operation(
            "postResponse",
            "POST",
            "/responses/{request_id}",
            "The answer of a wallet",
            {200: Reply("It is accepted.", (json_of(Answered),))},
            own_errors={
                400: oauth_error("invalid_request"),
                404: _UNKNOWN,
                410: oauth_error("invalid_request: request_ended"),
                413: oauth_error("invalid_request: too_large"),
                415: oauth_error("invalid_request: bad_media_type"),
            },
            parameters=(_REQUEST,),
            body=(
                Content(
                    FORM,
                    {
                        "type": "object",
                        "properties": {
                            "response": {"type": "string", "description": "A compact JWE: direct_post.jwt."},
                            "vp_token": {"type": "string", "description": "JSON: direct_post."},
                            "error": {"type": "string"},
                            "state": {"type": "string"},
                        },
                    },
                ),
            ),
            standard=f"{_OPENID4VP} sections 8.2 and 8.3.1",
            tag="presentation",
        ),
        Operation(
            "getAnswer",
            "GET",
            "/answers/{request_id}",
            "Where the wallet sends its user",
            {200: Reply("A page for people.", (Content(HTML),))},
            own_errors={403: _page_of("other_session"), 404: _page_of("unknown_request")},
            parameters=(_REQUEST, Parameter("response_code", "query", "From `redirect_uri`.")),
            standard=f"{_OPENID4VP} section 13.3, HAIP 1.0 section 5.1",
            tag="presentation",
        ),
        Operation(
            "getStart",
            "GET",
            "/start/{start}",
            "Where a resident begins on the device of the wallet",
            {200: Reply("A page with a button.", (Content(HTML),))},
            own_errors={404: _page_of("unknown_start"), 410: _page_of("request_ended")},
            parameters=(_START,),
            standard="HAIP 1.0 section 5.1",
            tag="presentation",
        ),
        Operation(
            "beginSession",
            "POST",
            "/start/{start}",
            "Make this browser the session that the wallet has to come back to",
            {200: Reply("A page with the link for the wallet.", (Content(HTML),))},
            own_errors={
                403: _page_of("cross_site"),
                404: _page_of("unknown_start"),
                410: _page_of("request_ended", "start_used"),
            },
            parameters=(_START,),
            standard="HAIP 1.0 section 5.1",
            tag="presentation",
        ),
        Operation(
            "postToInbox",
            "POST",
            "/v1/inbox/{grant_id}",
            "A refresh of a grant, or a message about it",
            {
                200: Reply("The refresh is accepted.", (json_of(Heard),)),
                202: Reply("The message is kept.", (json_of(Heard),)),
            },
            {
                400: "`bad_form`, `bad_message`, `wrong_request` and the like",
                403: "`credential_revoked`, `status_undetermined`, `over_asking`, `expired`, `mandate_ended`",
                404: "`unknown_grant`",
                410: "`revoked`",
                415: "`bad_media_type`",
            },
            parameters=(Parameter("grant_id", "path", "Which grant."),),
            body=(json_of(InboxMessage, ResponseObject),),
            tag="inbox",
        ),
        Operation(
            "postCohortQuestion",
            "POST",
            "/v1/cohort-questions",
            "A question to a cohort, signed by who may ask it; sent again until it is answered",
            {
                200: Reply("The answer, signed and sealed to the key in the question.", (json_of(QuestionReply),)),
                202: Reply("It is taken in and waits.", (json_of(QuestionReply),)),
            },
            {
                400: "`bad_form`, `bad_cohort_question`, `stale`",
                403: "`not_asker`, `budget_spent`",
                404: "`no_question`",
                409: "`question_open`, `question_changed`",
                413: "`too_large`",
                415: "`bad_media_type`",
            },
            body=(json_of(QuestionRequest),),
            tag="cohort",
        ),
    ),
    tags={
        "cohort": "Questions that yes, no or a noised number answers (docs/protocol.md section 14).",
        "presentation": "Requests and answers as OpenID4VP has them.",
        "inbox": "What a resident sends about a grant (docs/protocol.md section 9).",
    },
)
