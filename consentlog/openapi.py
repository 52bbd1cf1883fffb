"""What a log and a plain witness answer, for `/v1/openapi.json`."""

from protocol.consent_api import (
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    MessageAnswer,
    MessageRequest,
    OpeningsAnswer,
    ReadAnswer,
    ReadRequest,
    RevocationAnswer,
    RevocationRequest,
    StatusChunkAnswer,
)
from protocol.leaf import MAX_SLOTS, MAX_TREE_SIZE
from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from service import witness_operations
from service.operations import TEXT, Api, Content, Operation, Parameter, Reply, json_of, path_number

_TILES = "C2SP tlog-tiles v1.0.0"
_CACHED = ("Cache-Control",)
_SLOT = path_number("slot", "Slot of the grant in the status array.", MAX_SLOTS)
_INDEX = {"type": "integer", "minimum": 0, "maximum": MAX_TREE_SIZE - 1}
_FROM = Parameter("from", "query", "Index of the first leaf.", _INDEX)
_TO = Parameter("to", "query", "Index of the leaf to stop before.", _INDEX)
_MEDIA = "`bad_media_type`"
_READ_CODES = "`not_recipient`, `not_yet`, `expired`, `reads_spent`, `out_of_scope`, `out_of_context`"

_PUBLIC = (
    Operation(
        "getCheckpoint",
        "GET",
        "/checkpoint",
        "The checkpoint that was published last",
        {200: Reply("A signed note with the cosignatures of the witnesses.", (Content(TEXT),), _CACHED)},
        standard=_TILES,
        tag="tree",
    ),
    Operation(
        "getTile",
        "GET",
        "/tile/{path}",
        "A tile of hashes, or a bundle of entries",
        {200: Reply("Its bytes, which never change.", (Content("application/octet-stream", None),), _CACHED)},
        {404: "`bad_tile_path`"},
        parameters=(
            Parameter(
                "path",
                "path",
                "`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`; its slashes stand as they are.",
                {
                    "type": "string",
                    "pattern": r"^([0-9]{1,2}|entries)(/x[0-9]{3}){0,6}/[0-9]{3}(\.p/[0-9]{1,3})?$",
                    "examples": ["0/000.p/7", "entries/x001/234"],
                },
            ),
        ),
        standard=_TILES,
        tag="tree",
    ),
    Operation(
        "getPolicy",
        "GET",
        "/v1/policy",
        "Which witnesses must have seen a checkpoint, as the trust list has it",
        {200: Reply("A C2SP tlog-policy.", (Content(TEXT),), _CACHED)},
        {403: "`not_listed`"},
        tag="tree",
    ),
    Operation(
        "getProof",
        "GET",
        "/v1/proofs/{index}",
        "The proof of a leaf under the published checkpoint",
        {200: Reply("A C2SP tlog-proof.", (Content(TEXT),), _CACHED)},
        {404: "`not_found`"},
        parameters=(path_number("index", "Index of the leaf.", MAX_TREE_SIZE),),
        tag="tree",
    ),
    Operation(
        "getStatusChunk",
        "GET",
        "/v1/status-chunks/{number}",
        "A part of the status array: which grants were revoked",
        {200: Reply("The bits with their proofs.", (json_of(StatusChunkAnswer),), _CACHED)},
        {404: "`not_found`"},
        parameters=(path_number("number", "Number of the chunk.", MAX_SLOTS),),
        tag="status",
    ),
    Operation(
        "getStatusList",
        "GET",
        "/v1/status-lists/{number}",
        "The same as a Token Status List",
        {200: Reply("A `statuslist+jwt`.", (Content(STATUS_LIST_MEDIA_TYPE),), _CACHED)},
        {404: "`not_found`"},
        parameters=(path_number("number", "Number of the list.", MAX_SLOTS),),
        tag="status",
    ),
)
_PARTIES = (
    Operation(
        "addGrant",
        "POST",
        "/v1/grants",
        "Give or refresh a grant",
        {201: Reply("It stands.", (json_of(GrantAnswer),))},
        {
            400: "`bad_form`, `bad_terms`, `bad_deposit` and the like",
            403: "`bad_ticket`, `widened`, `not_listed`, `bad_mandate`, `mandate_ended`, `mandate_widened`",
            409: "`lock_used`",
            410: "`revoked`, `log_closed`",
            415: _MEDIA,
            429: "`too_soon`",
        },
        body=(json_of(GrantRequest),),
        tag="grants",
    ),
    Operation(
        "read",
        "POST",
        "/v1/reads",
        "Read attributes of a grant",
        {200: Reply("The shares, sealed, once witnesses have seen the READ.", (json_of(ReadAnswer),))},
        {
            400: "`bad_form`, `bad_read`, `stale` and the like",
            403: _READ_CODES,
            404: "`unknown_lock`",
            409: "`read_id_used`",
            410: "`revoked`, `expired`, `no_share`",
            415: _MEDIA,
        },
        body=(json_of(ReadRequest),),
        tag="grants",
    ),
    Operation(
        "revoke",
        "POST",
        "/v1/revocations",
        "Stop a grant",
        {200: Reply("It is over; the same again gets the same answer.", (json_of(RevocationAnswer),))},
        {400: "`bad_form`", 404: "`unknown_lock`", 415: _MEDIA},
        body=(json_of(RevocationRequest),),
        tag="grants",
    ),
    Operation(
        "addMessage",
        "POST",
        "/v1/messages",
        "Enter a message of the resident or of the agency of a grant",
        {201: Reply("It is entered.", (json_of(MessageAnswer),))},
        {
            400: "`bad_form`, `bad_message`, `stale` and the like",
            401: "`unauthorized`",
            403: "`not_recipient`",
            404: "`unknown_lock`",
            409: "`message_id_used`",
            415: _MEDIA,
            429: "`too_soon`",
        },
        body=(json_of(MessageRequest),),
        security=("viewKey", ""),
        tag="grants",
    ),
    Operation(
        "listEvents",
        "GET",
        "/v1/grants/{slot}/events",
        "The leaves of a grant, for its resident",
        {200: Reply("A page of them with proofs.", (json_of(EventsAnswer),))},
        {400: "`bad_parameter`", 401: "`unauthorized`", 404: "`not_found`"},
        parameters=(_SLOT, _FROM),
        security=("viewKey",),
        tag="grants",
    ),
    Operation(
        "eraseOpenings",
        "DELETE",
        "/v1/grants/{slot}/openings",
        "Erase what the leaves of an ended grant open to",
        {204: Reply("Erased.")},
        {401: "`unauthorized`", 404: "`not_found`", 409: "`not_ended`"},
        parameters=(_SLOT,),
        security=("viewKey",),
        tag="grants",
    ),
    Operation(
        "listOpenings",
        "GET",
        "/v1/openings",
        "What leaves commit to, for the auditor",
        {200: Reply("A page of them.", (json_of(OpeningsAnswer),))},
        {400: "`bad_parameter`, `bad_range`", 401: "`unauthorized`", 404: "`not_found`"},
        parameters=(_FROM, _TO),
        security=("auditorToken",),
        tag="audit",
    ),
)
LOG = Api(
    "Regie consent log",
    "An append-only, witnessed log of who may read what, and who read it. docs/protocol.md sections 6 to 9.",
    (*_PUBLIC, *_PARTIES),
    {
        "viewKey": {"type": "http", "scheme": "bearer", "description": "The view key of a grant, base64url."},
        "auditorToken": {"type": "http", "scheme": "bearer", "description": "The auditor's token, base64url."},
    },
    {
        "tree": "The tree that everybody can check.",
        "status": "Which grants were revoked.",
        "grants": "What the parties of a grant ask.",
        "audit": "For the auditor.",
    },
)
WITNESS = Api(
    "Regie witness",
    "A plain witness: it sees that a log only grows.",
    witness_operations.OPERATIONS,
    tags=witness_operations.TAGS,
)
