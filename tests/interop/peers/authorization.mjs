// The authorization server of the issuer, by @openid4vc/oauth2: PAR, PKCE, DPoP and wallet attestation are demanded.
import { randomUUID } from 'node:crypto'
import {
  authorizationCodeGrantIdentifier,
  decodeJwt,
  Oauth2AuthorizationServer,
  Oauth2ResourceServer,
  Oauth2ServerErrorResponseError,
  preAuthorizedCodeGrantIdentifier,
} from '@openid4vc/oauth2'
import { form } from './serving.mjs'

const MINUTES = 5 * 60

/** Who may come: `offers` by code, `pushed` by request_uri, `codes` by authorization code, `refresh` by token. */
export class Authorization {
  offers = new Map()
  pushed = new Map()
  codes = new Map()
  refresh = new Map()
  seen = []
  dpopNonce = randomUUID()

  constructor(callbacks, jwk) {
    this.server = new Oauth2AuthorizationServer({ callbacks })
    this.resources = new Oauth2ResourceServer({ callbacks })
    this.jwk = jwk
  }

  /** Once the address is known. */
  at(url) {
    this.url = url
    this.metadata = this.server.createAuthorizationServerMetadata({
      issuer: url,
      token_endpoint: `${url}/token`,
      authorization_endpoint: `${url}/authorize`,
      pushed_authorization_request_endpoint: `${url}/par`,
      require_pushed_authorization_requests: true,
      jwks_uri: `${url}/jwks`,
      grant_types_supported: [authorizationCodeGrantIdentifier, preAuthorizedCodeGrantIdentifier, 'refresh_token'],
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: ['ES256'],
      token_endpoint_auth_methods_supported: ['attest_jwt_client_auth'],
      client_attestation_signing_alg_values_supported: ['ES256'],
      client_attestation_pop_signing_alg_values_supported: ['ES256'],
      authorization_response_iss_parameter_supported: true,
      'pre-authorized_grant_anonymous_access_supported': true,
    })
  }

  routes() {
    return [
      ['POST', /^\/par$/, (request) => this.push(request)],
      ['GET', /^\/authorize$/, (request) => this.authorize(request)],
      ['POST', /^\/token$/, (request) => this.token(request)],
      ['GET', /^\/jwks$/, async () => ({ body: { keys: [{ ...this.jwk, kid: 'tokens', use: 'sig' }] } })],
    ]
  }

  async push(request) {
    const authorizationRequest = form(request)
    const parsed = await this.server.parsePushedAuthorizationRequest({ authorizationRequest, request })
    await this.server.verifyPushedAuthorizationRequest({
      authorizationRequest: parsed.authorizationRequest,
      authorizationServerMetadata: this.metadata,
      request,
      clientAttestation: { ...parsed.clientAttestation, required: true },
      dpop: { ...parsed.dpop, allowedSigningAlgs: ['ES256'] },
    })
    const request_uri = `urn:ietf:params:oauth:request_uri:${randomUUID()}`
    this.pushed.set(request_uri, parsed.authorizationRequest)
    const { pushedAuthorizationResponse } = this.server.createPushedAuthorizationResponse({
      expiresInSeconds: 60,
      requestUri: request_uri,
    })
    this.seen.push('par')
    return { status: 201, body: pushedAuthorizationResponse }
  }

  /** The resident has logged in and said yes: the browser goes back to the wallet. */
  async authorize({ query }) {
    const pushed = this.pushed.get(query.request_uri)
    if (!pushed || pushed.client_id !== query.client_id) throw new Error('nothing was pushed by this client')
    this.pushed.delete(query.request_uri)
    const code = randomUUID()
    this.codes.set(code, { ...this.offers.get(pushed.issuer_state), pushed })
    const back = new URL(pushed.redirect_uri)
    back.search = new URLSearchParams({ code, iss: this.url, ...(pushed.state && { state: pushed.state }) })
    return { status: 302, headers: { location: back.href } }
  }

  async token(request) {
    const accessTokenRequest = form(request)
    const parsed = this.server.parseAccessTokenRequest({ accessTokenRequest, request })
    this.demandNonce(parsed.dpop)
    const { grantType } = parsed.grant
    if (grantType === preAuthorizedCodeGrantIdentifier) return this.exchangePreAuthorized(parsed, request)
    return grantType === 'refresh_token' ? this.exchangeRefresh(parsed, request) : this.exchangeCode(parsed, request)
  }

  /** RFC 9449 section 8. */
  demandNonce(dpop) {
    if (!dpop || decodeJwt({ jwt: dpop.jwt }).payload.nonce === this.dpopNonce) return
    const error = new Oauth2ServerErrorResponseError({ error: 'use_dpop_nonce' })
    error.headers = { 'dpop-nonce': this.dpopNonce }
    throw error
  }

  common(parsed, request) {
    return {
      accessTokenRequest: parsed.accessTokenRequest,
      authorizationServerMetadata: this.metadata,
      grant: parsed.grant,
      request,
      dpop: { ...parsed.dpop, allowedSigningAlgs: ['ES256'] },
    }
  }

  async exchangePreAuthorized(parsed, request) {
    const offered = this.offers.get(parsed.grant.preAuthorizedCode)
    const { dpop } = await this.server.verifyPreAuthorizedCodeAccessTokenRequest({
      ...this.common(parsed, request),
      expectedPreAuthorizedCode: offered?.code ?? '',
      expectedTxCode: offered?.txCode,
    })
    this.offers.delete(parsed.grant.preAuthorizedCode)
    this.seen.push('pre-authorized')
    return this.tokens(offered, dpop)
  }

  async exchangeCode(parsed, request) {
    const found = this.codes.get(parsed.grant.code)
    this.codes.delete(parsed.grant.code)
    const { dpop } = await this.server.verifyAuthorizationCodeAccessTokenRequest({
      ...this.common(parsed, request),
      dpop: { ...parsed.dpop, required: true, allowedSigningAlgs: ['ES256'] },
      clientAttestation: { ...parsed.clientAttestation, required: true, expectedClientId: found?.pushed.client_id },
      expectedCode: found ? parsed.grant.code : '',
      pkce: {
        codeVerifier: parsed.pkceCodeVerifier,
        codeChallenge: found?.pushed.code_challenge ?? 'none',
        codeChallengeMethod: found?.pushed.code_challenge_method ?? 'S256',
      },
    })
    this.seen.push('code')
    return this.tokens(found, dpop)
  }

  async exchangeRefresh(parsed, request) {
    const found = this.refresh.get(parsed.grant.refreshToken)
    this.refresh.delete(parsed.grant.refreshToken)
    const { dpop } = await this.server.verifyRefreshTokenAccessTokenRequest({
      ...this.common(parsed, request),
      dpop: { ...parsed.dpop, required: true, allowedSigningAlgs: ['ES256'] },
      clientAttestation: { ...parsed.clientAttestation, required: true },
      expectedRefreshToken: found ? parsed.grant.refreshToken : '',
    })
    this.seen.push('refresh')
    return this.tokens(found, dpop)
  }

  async tokens(found, dpop) {
    const refreshToken = found.pushed ? randomUUID() : undefined
    if (refreshToken) this.refresh.set(refreshToken, found)
    const body = await this.server.createAccessTokenResponse({
      audience: this.url,
      authorizationServer: this.url,
      expiresInSeconds: MINUTES,
      subject: found.id,
      clientId: found.pushed?.client_id,
      signer: { method: 'jwk', publicJwk: this.jwk, alg: 'ES256', kid: 'tokens' },
      additionalAccessTokenPayload: { offer: found.id },
      dpop: dpop && { jwk: dpop.jwk },
      refreshToken,
    })
    return { headers: { 'dpop-nonce': this.dpopNonce }, body }
  }

  /** The offer behind the access token of a request. */
  async offerOf(request) {
    const { tokenPayload } = await this.resources.verifyResourceRequest({
      request,
      authorizationServers: [this.metadata],
      resourceServer: this.url,
    })
    return tokenPayload.offer
  }
}
