// A wallet: @openid4vc/openid4vci fetches, @sd-jwt/sd-jwt-vc keeps and shows, dcql chooses, @openid4vc/openid4vp answers.
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { DcqlQuery } from 'dcql'
import { claimsOf, frameOf, present, verifierOf } from './credentials.mjs'
import { callbacks, hash } from './crypto.mjs'
import { Fetching } from './fetching.mjs'
import { obey } from './lines.mjs'

const roots = { issuers: [], verifiers: [] }
const held = []
const verifying = verifierOf(() => roots.issuers)
const fetching = new Fetching(held, verifying, () => roots.issuers)
const answering = new Openid4vpClient({ callbacks: callbacks(() => roots.verifiers) })

/** Verify the first copy of each credential again, with its status now: the words of each that is refused. */
async function recheck() {
  const refused = []
  for (const { credential } of held.filter((one) => one.isFirst)) {
    await verifying.verify(credential).catch((error) => refused.push(error.message))
  }
  return { held: held.length, refused }
}

/** Read a request: who asks, and what dcql makes of it with the credentials held. */
async function resolve({ request, post }) {
  const authorizationRequestPayload = answering.parseOpenid4vpAuthorizationRequest({ authorizationRequest: request })
  const wallet = post ? { metadata: walletMetadata } : undefined
  const resolved = await answering.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: authorizationRequestPayload.params,
    wallet,
  })
  const query = DcqlQuery.parse(resolved.dcql.query)
  DcqlQuery.validate(query)
  const cards = await Promise.all(
    held.map(async ({ credential, vct }) => ({
      credential_format: 'dc+sd-jwt',
      cryptographic_holder_binding: true,
      vct,
      claims: await claimsOf(credential),
    }))
  )
  return { resolved, query, result: DcqlQuery.query(query, cards) }
}

const walletMetadata = {
  vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
}

/** Answer a request with the first credential that dcql finds for each query of the option `options[id]`. */
async function answer({ request, post = true, choose = undefined, spoil = {} }) {
  const { resolved, query, result } = await resolve({ request, post })
  if (!result.can_be_satisfied) throw new Error('not satisfiable')
  const payload = resolved.authorizationRequestPayload
  const ofSets = result.credential_sets?.flatMap((set) => set.matching_options?.[0] ?? [])
  const ids = choose ?? ofSets ?? query.credentials.map((one) => one.id)
  const vpToken = {}
  for (const id of ids) {
    const matches = result.credential_matches[id].valid_credentials
    const wanted = query.credentials.find((one) => one.id === id)
    const chosen = wanted.multiple ? matches : matches.slice(0, 1)
    vpToken[id] = await Promise.all(
      chosen.map(async (match) => {
        const { credential, jwk } = held[match.input_credential_index]
        const frame = frameOf(pathsOf(match, wanted), await claimsOf(credential))
        const signed = hashesOf(resolved.transactionData, id)
        const bound = { audience: payload.client_id, nonce: payload.nonce, signed, ...spoil }
        return present(credential, frame, jwk, bound)
      })
    )
  }
  return send(payload, vpToken)
}

/** What a card signs of the transactions that name it first (OpenID4VP B.3.3.1). */
function hashesOf(transactions = [], id) {
  const named = transactions.filter(({ transactionData }) => transactionData.credential_ids[0] === id)
  if (!named.length) return {}
  const hashes = named.map(({ encoded }) => Buffer.from(hash(encoded, 'sha-256')).toString('base64url'))
  return { transaction_data_hashes: hashes, transaction_data_hashes_alg: 'sha-256' }
}

/** The paths of the claim set that dcql chose. */
function pathsOf(match, wanted) {
  const found = match.claims.valid_claim_sets[0].valid_claim_indexes ?? []
  return found.map((number) => wanted.claims[number].path)
}

async function send(authorizationRequestPayload, vpToken) {
  const isSealed = authorizationRequestPayload.response_mode === 'direct_post.jwt'
  const jwk = authorizationRequestPayload.client_metadata?.jwks?.keys[0]
  const created = await answering.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload,
    authorizationResponsePayload: { vp_token: vpToken },
    jarm: isSealed
      ? {
          encryption: { jwk, nonce: 'a wallet nonce' },
          serverMetadata: {
            authorization_signing_alg_values_supported: [],
            authorization_encryption_alg_values_supported: ['ECDH-ES'],
            authorization_encryption_enc_values_supported: ['A256GCM', 'A128GCM'],
          },
        }
      : undefined,
  })
  const { response } = await answering.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload,
    ...created,
  })
  return { status: response.status, body: await response.json().catch(() => null) }
}

await obey({
  forget: () => {
    held.length = 0
  },
  trust: ({ issuers = [], verifiers = [] }) => Object.assign(roots, { issuers, verifiers }) && null,
  attest: (given) => fetching.attest(given),
  relyOn: (given) => fetching.relyOn(given),
  strict: ({ isOn }) => {
    fetching.isStrict = isOn
  },
  prove: ({ kind }) => {
    fetching.proofKind = kind
  },
  receive: (given) => fetching.receive(given),
  begin: (given) => fetching.begin(given),
  finish: (given) => fetching.finish(given),
  again: (given) => fetching.again(given),
  collect: (given) => fetching.collect(given),
  recheck,
  // What dcql makes of any query and cards: which card with which claims answers each query.
  match: ({ dcql, cards }) => {
    const query = DcqlQuery.parse(dcql)
    DcqlQuery.validate(query)
    const made = cards.map(({ vct, claims }) => ({
      credential_format: 'dc+sd-jwt',
      cryptographic_holder_binding: true,
      vct,
      claims,
    }))
    const result = DcqlQuery.query(query, made)
    const found = query.credentials.map((wanted) => {
      const matches = result.credential_matches[wanted.id]?.valid_credentials ?? []
      return [wanted.id, matches.map((match) => [match.input_credential_index, pathsOf(match, wanted)])]
    })
    return { canBeSatisfied: result.can_be_satisfied, found: Object.fromEntries(found) }
  },
  ask: async ({ request, post = true }) => {
    const { resolved, result } = await resolve({ request, post })
    return { request: resolved.authorizationRequestPayload, prefix: resolved.client.prefix, result }
  },
  answer,
})
