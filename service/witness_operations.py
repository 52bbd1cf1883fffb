"""What a C2SP tlog-witness answers, for the description of every app that has `service.witness`'s blueprint."""

from protocol.witness import SIZE_CONTENT_TYPE
from service.operations import TEXT, Content, Operation, Parameter, Reply

STANDARD = "C2SP tlog-witness v1.1.0"
TAGS = {"witness": "Cosigns checkpoints of logs (C2SP tlog-witness)."}
OPERATIONS = (
    Operation(
        "addCheckpoint",
        "POST",
        "/add-checkpoint",
        "Have a checkpoint cosigned",
        {200: Reply("The cosignature lines, one for each key of the witness.", (Content(TEXT),))},
        {
            400: "`bad_form`, `bad_note`, `bad_sizes` and the like",
            403: "`bad_signature`, or the rule of the log that a leaf breaks",
            404: "`unknown_log`",
            409: "`conflict`",
            422: "`forked`, `bad_consistency`",
        },
        {409: ("The size of the tree that was cosigned last, to start again from", Content(SIZE_CONTENT_TYPE))},
        body=(Content("application/octet-stream", None), Content(TEXT)),
        standard=STANDARD,
        tag="witness",
    ),
    Operation(
        "getCosignedCheckpoint",
        "GET",
        "/{origin_hash}/checkpoint",
        "The checkpoint of a log that was cosigned last",
        {200: Reply("A signed note with all cosignatures.", (Content(TEXT),), ("Cache-Control",))},
        {404: "`unknown_log`, `not_found`"},
        parameters=(
            Parameter(
                "origin_hash",
                "path",
                "SHA-256 of the log's origin, in lower-case hex.",
                {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            ),
        ),
        standard=STANDARD,
        tag="witness",
    ),
)
