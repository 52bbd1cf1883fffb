// An issuer of diplomas: @openid4vc/openid4vci talks to the wallet, @sd-jwt/sd-jwt-vc and jwt-status-list sign.
import { randomInt, randomUUID } from 'node:crypto'
import { preAuthorizedCodeGrantIdentifier } from '@openid4vc/oauth2'
import { Openid4vciIssuer } from '@openid4vc/openid4vci'
import { createHeaderAndPayload, StatusList } from '@sd-jwt/jwt-status-list'
import * as jose from 'jose'
import { Authorization } from './authorization.mjs'
import { issuerOf } from './credentials.mjs'
import { callbacks, keep, newKey, sealTo } from './crypto.mjs'
import { obey } from './lines.mjs'
import { serve } from './serving.mjs'

const waiting = new Map()
const DAY = 24 * 60 * 60
const LIST_SIZE = 1024
const VCT = 'https://diploma.example/diploma'
const providers = []
const library = new Openid4vciIssuer({ callbacks: callbacks(() => providers) })
const statuses = new Array(LIST_SIZE).fill(0)
const given = new Set()
const offers = new Map()
const nonces = new Set()
const events = []
let own
let authorization
let spoil = {}

const CLAIMS = {
  name: { given: 'Noor', family: 'Verhulst' },
  awarded: '2024-07-01',
  languages: ['nl', 'fy'],
  courses: [
    { title: 'Statistiek', mark: 8 },
    { title: 'Recht', mark: 7 },
  ],
  honours: true,
}
const FRAME = {
  _sd: ['name', 'awarded', 'languages', 'courses'],
  name: { _sd: ['given', 'family'] },
  languages: { _sd: [0, 1] },
  courses: { 0: { _sd: ['mark'] }, 1: { _sd: ['mark'] } },
}

function configuration(name, rest = {}) {
  return {
    format: 'dc+sd-jwt',
    vct: VCT,
    scope: name,
    cryptographic_binding_methods_supported: ['jwk'],
    credential_signing_alg_values_supported: ['ES256'],
    proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
    credential_metadata: {
      display: [{ name: 'Diploma', locale: 'nl-NL' }],
      claims: [{ path: ['name', 'given'] }, { path: ['languages', null] }, { path: ['awarded'] }],
    },
    ...rest,
  }
}

async function start({ port, key, x5c, walletProviders = [], encrypted = false }) {
  const jwk = await keep(key)
  providers.push(...walletProviders)
  const sealing = { ...(await newKey('ECDH-ES')), use: 'enc', alg: 'ECDH-ES', kid: randomUUID() }
  authorization = new Authorization(callbacks(() => providers), jwk)
  const routes = [
    ['GET', /^\/\.well-known\/openid-credential-issuer$/, metadata],
    ['GET', /^\/\.well-known\/oauth-authorization-server$/, async () => ({ body: authorization.metadata })],
    ['GET', /^\/offers\/([\w-]+)$/, async (request, id) => ({ body: offers.get(id).object })],
    ...authorization.routes(),
    ['POST', /^\/nonce$/, nonce],
    ['POST', /^\/credential$/, credential],
    ['POST', /^\/deferred$/, deferred],
    ['POST', /^\/notification$/, notification],
    ['GET', /^\/status$/, status],
  ]
  const url = await serve(routes, port)
  authorization.at(url)
  own = { url, jwk, x5c, sealing, sign: await issuerOf(jwk, x5c) }
  own.metadata = library.createCredentialIssuerMetadata({
    credential_issuer: url,
    credential_endpoint: `${url}/credential`,
    deferred_credential_endpoint: `${url}/deferred`,
    nonce_endpoint: `${url}/nonce`,
    notification_endpoint: `${url}/notification`,
    batch_credential_issuance: { batch_size: 4 },
    display: [{ name: 'Hogeschool Voorbeeld', locale: 'nl-NL' }],
    ...(encrypted && {
      credential_request_encryption: {
        jwks: { keys: [sealing] },
        enc_values_supported: ['A128GCM', 'A256GCM'],
        encryption_required: true,
      },
      credential_response_encryption: {
        alg_values_supported: ['ECDH-ES'],
        enc_values_supported: ['A128GCM', 'A256GCM'],
        encryption_required: true,
      },
    }),
    credential_configurations_supported: {
      diploma: configuration('diploma'),
      bare: configuration('bare'),
    },
  })
  own.result = {
    credentialIssuer: own.metadata,
    originalDraftVersion: 'V1',
    authorizationServers: [authorization.metadata],
    knownCredentialConfigurations: library.getKnownCredentialConfigurationsSupported(own.metadata),
  }
  return { url }
}

async function metadata({ headers }) {
  if (!headers.get('accept')?.includes('application/jwt')) return { body: own.metadata }
  const signed = await library.createSignedCredentialIssuerMetadataJwt({
    credentialIssuerMetadata: own.metadata,
    issuedAt: new Date(),
    expiresAt: new Date(Date.now() + 1000 * DAY),
    signer: { method: 'x5c', x5c: own.x5c, alg: 'ES256' },
  })
  events.push('signed metadata')
  return { headers: { 'content-type': 'application/jwt' }, body: signed }
}

/** An offer: `grant` is `code` or `pre-authorized`; `later` makes it deferred. The link for the wallet. */
async function offer({ grant, txCode, ids = ['diploma'], byReference = false, later = false }) {
  const id = randomUUID()
  const grants =
    grant === 'code'
      ? { authorization_code: { issuer_state: id } }
      : {
          [preAuthorizedCodeGrantIdentifier]: {
            'pre-authorized_code': id,
            ...(txCode && { tx_code: { input_mode: 'numeric', length: txCode.length } }),
          },
        }
  const { credentialOffer, credentialOfferObject } = await library.createCredentialOffer({
    issuerMetadata: own.result,
    credentialConfigurationIds: ids,
    grants,
    ...(byReference && { credentialOfferUri: `${own.url}/offers/${id}` }),
  })
  offers.set(id, { id, object: credentialOfferObject, later, indexes: [] })
  authorization.offers.set(id, { id, code: id, txCode })
  return { id, link: credentialOffer }
}

async function nonce() {
  const cNonce = randomUUID()
  nonces.add(cNonce)
  return { body: library.createNonceResponse({ cNonce }) }
}

async function credential(request) {
  const offered = offers.get(await authorization.offerOf(request))
  const { credential_response_encryption: sealing, ...asked } = await opened(request)
  const parsed = library.parseCredentialRequest({ credentialRequest: asked, issuerMetadata: own.result })
  const jwks = []
  const expectedNonce = nonceOf(parsed.proofs.jwt[0])
  if (!nonces.delete(expectedNonce)) throw new Error('a nonce that is not ours')
  for (const jwt of parsed.proofs.jwt) {
    const { signer } = await library.verifyCredentialRequestJwtProof({
      issuerMetadata: own.result,
      jwt,
      expectedNonce,
    })
    jwks.push(signer.publicJwk)
  }
  const made = { name: parsed.credentialConfigurationId, jwks, offered }
  if (offered.later) {
    const transactionId = randomUUID()
    waiting.set(transactionId, made)
    const body = library.createCredentialResponse({ credentialRequest: asked, transactionId, interval: 1 })
    return sealed(sealing, { status: 202, body })
  }
  const credentials = await Promise.all(jwks.map((jwk) => issue(made, jwk)))
  const body = library.createCredentialResponse({
    credentialRequest: asked,
    credentials: credentials.map((one) => ({ credential: one })),
    notificationId: randomUUID(),
  })
  return sealed(sealing, { body })
}

async function deferred(request) {
  await authorization.offerOf(request)
  const { credential_response_encryption: sealing, ...asked } = await opened(request)
  const { deferredCredentialRequest } = library.parseDeferredCredentialRequest({ deferredCredentialRequest: asked })
  const made = waiting.get(deferredCredentialRequest.transaction_id)
  if (!made) return { status: 400, body: { error: 'invalid_transaction_id' } }
  if (made.offered.later) {
    const transactionId = deferredCredentialRequest.transaction_id
    const body = library.createDeferredCredentialResponse({ transactionId, interval: 1 })
    return sealed(sealing, { status: 202, body })
  }
  waiting.delete(deferredCredentialRequest.transaction_id)
  const credentials = await Promise.all(made.jwks.map((jwk) => issue(made, jwk)))
  const body = library.createDeferredCredentialResponse({
    credentials: credentials.map((one) => ({ credential: one })),
  })
  return sealed(sealing, { body })
}

function nonceOf(jwt) {
  return jose.decodeJwt(jwt).nonce
}

/** The JSON of a request, out of its JWE where it came in one. The library knows drafts of OpenID4VCI 10 only. */
async function opened({ headers, body }) {
  if (!headers.get('content-type')?.startsWith('application/jwt')) return JSON.parse(body)
  const { decrypted, payload } = await callbacks(() => []).decryptJwe(body, { jwk: bare(own.sealing) })
  if (!decrypted) throw new Error('not encrypted to us')
  events.push('encrypted request')
  return JSON.parse(payload)
}

function bare({ kty, crv, x, y }) {
  return { kty, crv, x, y }
}

/** The answer, in a JWE where the request wants it. */
async function sealed(wanted, answer) {
  if (!wanted) return answer
  const jwe = await sealTo(wanted.jwk, wanted.enc, JSON.stringify(answer.body))
  return { ...answer, headers: { 'content-type': 'application/jwt' }, body: jwe }
}

/** Unpredictable, and never given before (Token Status List 13.2). */
function newIndex() {
  for (;;) {
    const idx = randomInt(LIST_SIZE)
    if (!given.has(idx)) return given.add(idx) && idx
  }
}

/** `diploma` names its issuer and ends; `bare` does neither and has its status instead (HAIP 6.1). */
async function issue({ name, offered }, jwk) {
  const idx = newIndex()
  offered.indexes.push(idx)
  const day = Math.floor(Date.now() / 1000 / DAY) * DAY
  const named = name === 'bare' ? {} : { iss: own.url, exp: day + 60 * DAY }
  const payload = {
    ...named,
    vct: VCT,
    iat: day,
    cnf: { jwk: bare(jwk) },
    status: { status_list: { idx, uri: `${own.url}/status` } },
    ...CLAIMS,
    ...spoil,
  }
  return own.sign(payload, FRAME)
}

async function notification(request) {
  await authorization.offerOf(request)
  events.push(JSON.parse(request.body).event)
  return { status: 204 }
}

async function status() {
  const iat = Math.floor(Date.now() / 1000)
  const { header, payload } = createHeaderAndPayload(
    new StatusList(statuses, 1),
    { iss: own.url, sub: `${own.url}/status`, iat, exp: iat + DAY, ttl: 1 },
    { alg: 'ES256', typ: 'statuslist+jwt', x5c: own.x5c }
  )
  const { jwt } = await callbacks(() => []).signJwt({ publicJwk: own.jwk }, { header, payload })
  return { headers: { 'content-type': 'application/statuslist+jwt' }, body: jwt }
}

await obey({
  start,
  offer,
  ready: ({ id }) => {
    offers.get(id).later = false
  },
  revoke: ({ id }) => {
    for (const idx of offers.get(id).indexes) statuses[idx] = 1
  },
  spoil: (changes) => {
    spoil = changes ?? {}
  },
  seen: () => [...authorization.seen.splice(0), ...events.splice(0)],
})
