"""What an auditing cosigner answers, and what one that holds shares answers besides, for `/v1/openapi.json`."""

from protocol.consent_api import (
    CosignerRevocationAnswer,
    CosignerRevocationRequest,
    DepositAnswer,
    DepositRequest,
    PendingRevocations,
    ReleaseAnswer,
    ReleaseRequest,
)
from service import witness_operations
from service.operations import Api, Operation, Parameter, Reply, json_of

_MEDIA = "`bad_media_type`"
_REVOCATIONS = (
    Operation(
        "keepRevocation",
        "POST",
        "/v1/revocations",
        "Hand over a revocation that the log will not take",
        {200: Reply("It is kept: nothing is cosigned without it.", (json_of(CosignerRevocationAnswer),))},
        {400: "`bad_form`", 404: "`unknown_log`, `unknown_lock`", 415: _MEDIA},
        body=(json_of(CosignerRevocationRequest),),
        tag="revocations",
    ),
    Operation(
        "listRevocations",
        "GET",
        "/v1/revocations",
        "What the log must take in before the next checkpoint",
        {200: Reply("The secrets that revoke.", (json_of(PendingRevocations),))},
        {404: "`unknown_log`"},
        parameters=(Parameter("origin", "query", "Origin of the log.", required=True),),
        tag="revocations",
    ),
)
_SHARES = (
    Operation(
        "deposit",
        "POST",
        "/v1/deposits",
        "Give an operator its pieces of a grant",
        {200: Reply("It holds them.", (json_of(DepositAnswer),))},
        {
            400: "`bad_form`, `bad_terms`, `bad_deposit`, `wrong_log` and the like",
            403: "the rule of the log that a leaf breaks",
            404: "`unknown_lock`",
            410: "`expired`, `revoked`",
            415: _MEDIA,
        },
        body=(json_of(DepositRequest),),
        tag="shares",
    ),
    Operation(
        "release",
        "POST",
        "/v1/releases",
        "Get an operator's pieces for a READ that is in the log",
        {200: Reply("They are sealed to the READ's key.", (json_of(ReleaseAnswer),))},
        {
            400: "`bad_form`, `bad_read`, `wrong_read`, `stale` and the like",
            403: "`not_recipient`, `out_of_scope` and the like, or the rule of the log that a leaf breaks",
            404: "`unknown_lock`",
            409: "`read_number`, `unknown_checkpoint`",
            410: "`revoked`, `expired`, `no_share`",
            415: _MEDIA,
        },
        body=(json_of(ReleaseRequest),),
        tag="shares",
    ),
)
_TAGS = {**witness_operations.TAGS, "revocations": "Revocations that must not get lost."}
COSIGNER = Api(
    "Regie auditing cosigner",
    "Replays every leaf of one log before it cosigns. docs/protocol.md sections 5 and 9.",
    (*witness_operations.OPERATIONS, *_REVOCATIONS),
    tags=_TAGS,
)
OPERATOR = Api(
    "Regie operator",
    "An auditing cosigner that also holds shares of grants, and lets none go without an entry.",
    (*COSIGNER.operations, *_SHARES),
    tags={**_TAGS, "shares": "Pieces of the shares of grants."},
)
