"""What a registrar answers, for `/v1/openapi.json`."""

from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from protocol.wallet_attestation import ATTESTATIONS_PATH, AttestationAnswer, AttestationRequest
from registrar.wrp import MAX_FILTER_CHARACTERS, MAX_LIMIT
from service.operations import TEXT, Api, Content, Operation, Parameter, Reply, json_object, json_of

JWT = "application/jwt"
_TS5 = "EUDI TS5 section 3.2.2"
_PUBLIC = ("Cache-Control", "Access-Control-Allow-Origin")
_SIGNED = (*_PUBLIC, "x-jku-url")
_DOWN = "`expired_trust_list`, `no_list`, `no_signer`"
_TEXT = {"type": "string", "maxLength": MAX_FILTER_CHARACTERS}
_BOOLEAN = {"type": "boolean"}
_OIN = {"type": "string", "pattern": "^[0-9]{20}$", "examples": ["00000099000000001000"]}
_SERVICE = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$", "examples": ["parkeervergunning"]}
_IDENTIFIER = Parameter("identifier", "path", "OIN of the relying party.", _OIN)


def _filter(name: str, description: str) -> Parameter:
    return Parameter(name, "query", description, _TEXT)


_USE_FILTERS = (
    _filter("serviceidentifier", "Has a service of this identifier."),
    _filter("intendeduseidentifier", "Has this intended use."),
    _filter("credentialformat", "May ask credentials of this format."),
    _filter("credentialmeta", "May ask credentials of this type."),
    _filter("claimpath", "May ask this claim: a name, or a path as JSON."),
)
_FILTERS = (
    _filter("identifier", "OIN."),
    *_USE_FILTERS,
    Parameter("isolateService", "query", "Show that service only.", _BOOLEAN),
    _filter("legalname", "Part of the name, in any case."),
    _filter("tradename", "Part of the name, in any case."),
    _filter("policy", "Address of a privacy policy."),
    _filter("entitlement", "Has this entitlement."),
    _filter("providesattestation", "Provides this attestation: nobody here does."),
    _filter("usesintermediary", "Uses this intermediary: nobody here does."),
    Parameter("isintermediary", "query", "Is an intermediary: nobody here is.", _BOOLEAN),
    Parameter("limit", "query", "Most of a page.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
    Parameter("cursor", "query", "Where the last page ended.", {"type": "string"}),
)


def _statement(description: str) -> Reply:
    return Reply(f"{description} A JWS with `iss`, `iat` and `data`.", (Content(JWT),), _SIGNED)


_LISTS = (
    Operation(
        "getTrustList",
        "GET",
        "/v1/trust-list",
        "Who may issue, ask, log and witness",
        {200: Reply("The signed list, `regie-trust-list+jwt`.", (Content(JWT),), _PUBLIC)},
        {503: _DOWN},
        tag="trust",
    ),
    Operation(
        "getRegistrationCertificate",
        "GET",
        "/v1/registration-certificates/{use}",
        "The registration certificate of an intended use",
        {200: Reply("An `rc-wrp+jwt`.", (Content(JWT),), _PUBLIC)},
        {404: "`not_listed`"},
        parameters=(Parameter("use", "path", "`OIN:service:version`", {"type": "string", "maxLength": 256}),),
        standard="ETSI TS 119 475 section 5.2",
        tag="trust",
    ),
    Operation(
        "getStatusList",
        "GET",
        "/v1/status-lists/1",
        "Which registration certificates are revoked",
        {200: Reply("A `statuslist+jwt`.", (Content(STATUS_LIST_MEDIA_TYPE),), _PUBLIC)},
        {503: _DOWN},
        standard="Token Status List section 8",
        tag="trust",
    ),
    Operation(
        "getKeys",
        "GET",
        "/v1/jwks",
        "Keys of the answers of this register",
        {200: Reply("A JWK set.", (json_object("keys"),), ("Cache-Control",))},
        {503: _DOWN},
        tag="trust",
    ),
    Operation(
        "getCertificatePolicy",
        "GET",
        "/v1/certificate-policies/1",
        "What stands behind certificates and attestations",
        {200: Reply("Words.", (Content(TEXT),))},
        tag="trust",
    ),
)
_REGISTER = (
    Operation(
        "listRelyingParties",
        "GET",
        "/v1/wrp",
        "Look up relying parties",
        {200: _statement("A page of them, with `pagination`.")},
        {400: "`unknown_filter`, `bad_filter`, `bad_cursor`, `duplicate_key`", 503: _DOWN},
        parameters=_FILTERS,
        standard=_TS5,
        tag="register",
    ),
    Operation(
        "checkIntendedUse",
        "GET",
        "/v1/wrp/check-intended-use",
        "Whether a relying party may ask something",
        {200: _statement("`isRegistered` and `details`.")},
        {400: "`unknown_filter`, `bad_filter`, `duplicate_key`", 404: "`not_listed`", 503: _DOWN},
        parameters=(
            Parameter("identifier", "query", "OIN.", _OIN, required=True),
            *_USE_FILTERS,
            _filter("policyurl", "Has this privacy policy."),
        ),
        standard=_TS5,
        tag="register",
    ),
    Operation(
        "getRelyingParty",
        "GET",
        "/v1/wrp/{identifier}",
        "One relying party",
        {200: _statement("The relying party.")},
        {404: "`not_listed`", 503: _DOWN},
        parameters=(_IDENTIFIER,),
        standard=_TS5,
        tag="register",
    ),
    Operation(
        "getService",
        "GET",
        "/v1/wrp/{identifier}/services/{service}",
        "One service of a relying party",
        {200: _statement("The relying party, with this service only.")},
        {404: "`not_listed`", 503: _DOWN},
        parameters=(_IDENTIFIER, Parameter("service", "path", "Identifier of the service.", _SERVICE)),
        standard=_TS5,
        tag="register",
    ),
)
_WALLETS = (
    Operation(
        "attestWallet",
        "POST",
        ATTESTATIONS_PATH,
        "Have a wallet's key attested",
        {201: Reply("The attestation.", (json_of(AttestationAnswer),))},
        {
            400: "`wrong_audience`, `expired_proof`, `bad_header`, `bad_signature`, `bad_key`, `bad_jws`",
            415: "`bad_media_type`",
            503: "`no_signer`",
        },
        body=(json_of(AttestationRequest),),
        standard="HAIP 4.4.1",
        tag="wallets",
    ),
)
REGISTRAR = Api(
    "Regie registrar",
    "Who may issue, who may ask what and which logs count: signed, and open to everybody.",
    (*_LISTS, *_REGISTER, *_WALLETS),
    tags={
        "trust": "The trust list, and certificates of what it says.",
        "register": "Registered relying parties (EUDI TS5).",
        "wallets": "The wallet provider.",
    },
)
