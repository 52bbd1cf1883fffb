// An agency: @openid4vc/openid4vp asks and reads the answer, dcql and @sd-jwt/sd-jwt-vc judge it.
import { randomBytes, randomUUID } from 'node:crypto'
import { Openid4vpVerifier } from '@openid4vc/openid4vp'
import { DcqlPresentationResult, DcqlQuery } from 'dcql'
import { verifierOf } from './credentials.mjs'
import { callbacks, certificate, hash, keep, newKey } from './crypto.mjs'
import { obey } from './lines.mjs'
import { form, serve } from './serving.mjs'

const roots = []
const asked = new Map()
const library = new Openid4vpVerifier({ callbacks: callbacks(() => roots) })
const credentials = verifierOf(() => roots)
let own

async function start({ key, x5c, issuers }) {
  await keep(key)
  roots.push(...issuers)
  const url = await serve([
    ['GET', /^\/requests\/([\w-]+)$/, (request, id) => requestObject(id)],
    ['POST', /^\/requests\/([\w-]+)$/, (request, id) => requestObject(id, form(request).wallet_nonce)],
    ['POST', /^\/responses\/([\w-]+)$/, (request, id) => response(id, form(request))],
  ])
  own = { url, x5c }
  return { url }
}

/** A new request; `change` replaces members of its payload. The link for the wallet. */
async function ask({ dcql, prefix = 'x509_hash', mode = 'direct_post.jwt', post = true, info, change = {} }) {
  const query = DcqlQuery.parse(dcql)
  DcqlQuery.validate(query)
  const id = randomUUID()
  const leaf = hash(certificate(own.x5c[0]).raw, 'sha-256')
  const names = { x509_hash: Buffer.from(leaf).toString('base64url'), x509_san_dns: 'localhost' }
  const clientId = `${prefix}:${names[prefix]}`
  const jwk = { ...(await newKey('ECDH-ES')), use: 'enc', alg: 'ECDH-ES', kid: id }
  const payload = {
    response_type: 'vp_token',
    response_mode: mode,
    client_id: clientId,
    response_uri: `${own.url}/responses/${id}`,
    nonce: randomBytes(24).toString('base64url'),
    state: randomBytes(16).toString('base64url'),
    dcql_query: dcql,
    ...(info && { verifier_info: info }),
    client_metadata: {
      vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } },
      ...(mode === 'direct_post.jwt' && {
        jwks: { keys: [jwk] },
        encrypted_response_enc_values_supported: ['A128GCM', 'A256GCM'],
      }),
    },
    ...change,
  }
  asked.set(id, { payload, query, state: 'open' })
  const link = new URLSearchParams({ client_id: clientId, request_uri: `${own.url}/requests/${id}` })
  if (post) link.set('request_uri_method', 'post')
  return { id, link: `openid4vp://?${link}` }
}

async function requestObject(id, walletNonce) {
  const { payload } = asked.get(id)
  const { jar } = await library.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: { ...payload, ...(walletNonce && { wallet_nonce: walletNonce }) },
    jar: {
      requestUri: `${own.url}/requests/${id}`,
      jwtSigner: { method: 'x5c', x5c: own.x5c, alg: 'ES256' },
      expiresInSeconds: 600,
      additionalJwtPayload: { aud: 'https://self-issued.me/v2' },
    },
    wallet: { expectedNonce: walletNonce },
  })
  return { headers: { 'content-type': 'application/oauth-authz-req+jwt' }, body: jar.authorizationRequestJwt }
}

async function response(id, members) {
  const request = asked.get(id)
  if (request.state !== 'open') return { status: 400, body: { error: 'invalid_request' } }
  if (members.error) {
    Object.assign(request, { state: 'declined', error: members.error })
    return { body: {} }
  }
  try {
    Object.assign(request, { shown: await judged(request, members), state: 'answered' })
  } catch (error) {
    Object.assign(request, { error: error.message, state: 'refused' })
    throw error
  }
  return { body: { redirect_uri: `${own.url}/done?response_code=${randomUUID()}` } }
}

/** Claims by query id, once every presentation verifies with its status, and all together answer the query. */
async function judged({ payload, query }, authorizationResponse) {
  const { dcql, jarm } = await library.parseOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: payload,
    authorizationResponse,
    callbacks: callbacks(() => roots),
  })
  if (payload.response_mode === 'direct_post.jwt' && jarm?.type !== 'Encrypted') throw new Error('not encrypted')
  const shown = {}
  const presentations = {}
  for (const [id, texts] of Object.entries(dcql.presentations)) {
    shown[id] = []
    for (const text of texts) {
      const { payload: claims, kb } = await credentials.verify(text, { keyBindingNonce: payload.nonce })
      if (kb.payload.aud !== payload.client_id) throw new Error('made for another audience')
      shown[id].push(claims)
    }
    presentations[id] = shown[id].map((claims) => ({
      credential_format: 'dc+sd-jwt',
      cryptographic_holder_binding: true,
      vct: claims.vct,
      claims,
    }))
  }
  const result = DcqlPresentationResult.fromDcqlPresentation(presentations, { dcqlQuery: query })
  if (!result.can_be_satisfied) throw new Error(`does not answer the query: ${JSON.stringify(result)}`)
  return shown
}

await obey({
  start,
  ask,
  result: async ({ id }) => {
    const { state, error, shown } = asked.get(id)
    return { state, error, shown }
  },
})
