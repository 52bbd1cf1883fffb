// The half of the wallet that fetches: @openid4vc/openid4vci as a client, by a code from the desk or by logging in.
import { randomUUID } from 'node:crypto'
import { Oauth2Client, preAuthorizedCodeGrantIdentifier } from '@openid4vc/oauth2'
import { Openid4vciClient, Openid4vciWalletProvider } from '@openid4vc/openid4vci'
import * as jose from 'jose'
import { claimsOf } from './credentials.mjs'
import { callbacks, keep, newKey, sealTo } from './crypto.mjs'

const CLIENT = 'https://wallet.example'
const HOUR = 60 * 60 * 1000

/** Fetches into `held`; what comes is verified by `verifying`. */
export class Fetching {
  waiting = new Map()
  attested = undefined
  isStrict = false

  constructor(held, verifying, roots) {
    this.held = held
    this.verifying = verifying
    this.callbacks = {
      ...callbacks(roots),
      fetch: (url, options) => this.fetch(url, options),
      clientAuthentication: (request) => this.authenticate(request),
    }
    this.client = new Openid4vciClient({ callbacks: this.callbacks })
  }

  /** A wallet provider's word for this wallet, by its key and certificate. */
  async attest({ key, x5c, issuer }) {
    await this.relyOn({ key, x5c })
    const jwk = await newKey()
    const jwt = await this.provider.library.createWalletAttestationJwt({
      issuer,
      clientId: CLIENT,
      issuedAt: new Date(),
      expiresAt: new Date(Date.now() + HOUR),
      confirmation: { jwk },
      signer: this.provider.signer,
    })
    this.attested = { jwt, jwk }
  }

  /** Who attests keys from now on. */
  async relyOn({ key, x5c }) {
    await keep(key)
    const library = new Openid4vciWalletProvider({ callbacks: this.callbacks })
    this.provider = { library, signer: { method: 'x5c', x5c, alg: 'ES256' } }
  }

  /** How keys are proven: `jwt`, `attested` (with a key attestation in its header) or `attestation` alone. */
  proofKind = 'jwt'

  async proofsOf(jwks, { issuerMetadata, credentialConfigurationId, nonce }) {
    const attestation = this.proofKind === 'jwt' ? undefined : await this.attestKeys(jwks, nonce)
    if (this.proofKind === 'attestation') return { attestation: [attestation] }
    const signers = this.proofKind === 'jwt' ? jwks : jwks.slice(0, 1)
    const made = signers.map((publicJwk) =>
      this.client.createCredentialRequestJwtProof({
        issuerMetadata,
        credentialConfigurationId,
        nonce,
        keyAttestationJwt: attestation,
        signer: { method: 'jwk', alg: 'ES256', publicJwk },
      })
    )
    return { jwt: (await Promise.all(made)).map((proof) => proof.jwt) }
  }

  attestKeys(attestedKeys, nonce) {
    return this.provider.library.createKeyAttestationJwt({
      signer: this.provider.signer,
      use: this.proofKind === 'attestation' ? 'proof_type.attestation' : 'proof_type.jwt',
      attestedKeys,
      nonce,
      issuedAt: new Date(),
      expiresAt: new Date(Date.now() + HOUR),
      keyStorage: ['iso_18045_moderate'],
    })
  }

  /** Attestation and proof, where the server asks for them. The library's own proof has no challenge (draft 07, 8). */
  async authenticate({ headers, authorizationServerMetadata: server, body }) {
    if (!this.attested || body.grant_type === preAuthorizedCodeGrantIdentifier) return
    const claims = { iss: CLIENT, aud: server.issuer, jti: randomUUID() }
    if (server.challenge_endpoint) {
      const answer = await fetch(server.challenge_endpoint, { method: 'POST' })
      claims.challenge = (await answer.json()).attestation_challenge
    }
    const iat = Math.floor(Date.now() / 1000)
    const { jwt } = await this.callbacks.signJwt(
      { publicJwk: this.attested.jwk },
      {
        header: { alg: 'ES256', typ: 'oauth-client-attestation-pop+jwt' },
        payload: { ...claims, iat, exp: iat + 60 },
      }
    )
    headers.set('OAuth-Client-Attestation', this.attested.jwt)
    headers.set('OAuth-Client-Attestation-PoP', jwt)
    body.client_id = CLIENT
  }

  /**
   * When strict: metadata is asked for signed, and requests to the credential endpoint go out as a JWE and come back
   * as one (OpenID4VCI 12.2.2 and 10; the library leaves both to this function).
   */
  async fetch(url, options) {
    if (this.isStrict && url.includes('/.well-known/openid-credential-issuer')) {
      return fetch(url, { ...options, headers: { ...options?.headers, Accept: 'application/jwt' } })
    }
    const issuer = this.isStrict && this.metadata?.credentialIssuer
    if (!issuer || ![issuer.credential_endpoint, issuer.deferred_credential_endpoint].includes(url)) {
      return fetch(url, options)
    }
    const own = { ...(await newKey('ECDH-ES')), alg: 'ECDH-ES', use: 'enc', kid: randomUUID() }
    const wanted = { ...JSON.parse(options.body), credential_response_encryption: { jwk: own, enc: 'A256GCM' } }
    const [theirs] = issuer.credential_request_encryption.jwks.keys
    const body = await sealTo(theirs, 'A256GCM', JSON.stringify(wanted))
    const headers = { ...options.headers, 'Content-Type': 'application/jwt' }
    const answer = await fetch(url, { ...options, headers, body })
    if (!answer.ok) return answer
    if (answer.headers.get('content-type') !== 'application/jwt') throw new Error('the answer is not encrypted')
    const { kty, crv, x, y } = own
    const { payload } = await this.callbacks.decryptJwe(await answer.text(), { jwk: { kty, crv, x, y } })
    return new Response(payload, { status: answer.status, headers: { 'content-type': 'application/json' } })
  }

  async resolve(offer) {
    const credentialOffer = await this.client.resolveCredentialOffer(offer)
    const issuerMetadata = await this.client.resolveIssuerMetadata(credentialOffer.credential_issuer)
    this.metadata = issuerMetadata
    return { credentialOffer, issuerMetadata }
  }

  async dpop() {
    return { signer: { method: 'jwk', alg: 'ES256', publicJwk: await newKey() } }
  }

  /** With the code from the desk, all at once. */
  async receive({ offer, txCode, copies = 1, withDpop = false }) {
    const { credentialOffer, issuerMetadata } = await this.resolve(offer)
    if (!credentialOffer.grants[preAuthorizedCodeGrantIdentifier]) throw new Error('no code in the offer')
    const asked = { credentialOffer, issuerMetadata, txCode, ...(withDpop && { dpop: await this.dpop() }) }
    const { accessTokenResponse, dpop } = await this.client.retrievePreAuthorizedCodeAccessTokenFromOffer(asked)
    return this.all(credentialOffer, copies, { issuerMetadata, accessToken: accessTokenResponse.access_token, dpop })
  }

  /** Where the resident's browser has to go; `finish` goes on when it has come back. */
  async begin({ offer, redirectUri, scope }) {
    const { credentialOffer, issuerMetadata } = await this.resolve(offer)
    const dpop = await this.dpop()
    const { authorizationRequestUrl, pkce } = await this.client.initiateAuthorization({
      credentialOffer,
      issuerMetadata,
      clientId: CLIENT,
      redirectUri,
      scope,
      dpop,
    })
    this.waiting.set(redirectUri, { credentialOffer, issuerMetadata, dpop, pkce, redirectUri })
    return { url: authorizationRequestUrl }
  }

  /** `url`: where the browser came back. The library sends no `state`: what it began is known by the address. */
  async finish({ url, copies = 1 }) {
    const redirectUri = url.split('?')[0]
    const { credentialOffer, issuerMetadata, dpop, pkce } = this.waiting.get(redirectUri)
    const answer = this.client.parseAndVerifyAuthorizationResponseRedirectUrl({
      url,
      authorizationServerMetadata: issuerMetadata.authorizationServers[0],
    })
    if (answer.error) throw new Error(answer.error)
    const token = await this.client.retrieveAuthorizationCodeAccessTokenFromOffer({
      credentialOffer,
      issuerMetadata,
      authorizationCode: answer.code,
      pkceCodeVerifier: pkce.codeVerifier,
      redirectUri,
      dpop,
    })
    const { access_token: accessToken, token_type: type } = token.accessTokenResponse
    if (type.toLowerCase() !== 'dpop') throw new Error(`a token of type ${type}`)
    this.refreshing = { credentialOffer, issuerMetadata, dpop, tokens: [token.accessTokenResponse.refresh_token] }
    return this.all(credentialOffer, copies, { issuerMetadata, accessToken, dpop: token.dpop })
  }

  /** New copies without a login. `stale`: by the first refresh token, not the newest. */
  async again({ copies = 1, stale = false }) {
    const { credentialOffer, issuerMetadata, dpop, tokens } = this.refreshing
    const { accessTokenResponse } = await new Oauth2Client({
      callbacks: this.callbacks,
    }).retrieveRefreshTokenAccessToken({
      authorizationServerMetadata: issuerMetadata.authorizationServers[0],
      refreshToken: tokens.at(stale ? 0 : -1),
      dpop,
    })
    tokens.push(accessTokenResponse.refresh_token)
    return this.all(credentialOffer, copies, { issuerMetadata, accessToken: accessTokenResponse.access_token, dpop })
  }

  async all(credentialOffer, copies, access) {
    const received = []
    for (const id of credentialOffer.credential_configuration_ids) received.push(await this.one(id, copies, access))
    const { originalDraftVersion: version, signedCredentialIssuer: signed } = access.issuerMetadata
    return { version, isSigned: signed !== undefined, received }
  }

  async one(credentialConfigurationId, copies, access) {
    const { issuerMetadata } = access
    const { c_nonce: nonce } = await this.client.requestNonce({ issuerMetadata })
    const jwks = await Promise.all(Array.from({ length: copies }, () => newKey()))
    const proofs = await this.proofsOf(jwks, { issuerMetadata, credentialConfigurationId, nonce })
    const { credentialResponse } = await this.client.retrieveCredentials({
      ...access,
      credentialConfigurationId,
      proofs,
    })
    const transactionId = credentialResponse.transaction_id
    if (transactionId) {
      this.waiting.set(transactionId, { access, jwks, configuration: credentialConfigurationId })
      return { configuration: credentialConfigurationId, transactionId }
    }
    return this.taken(credentialConfigurationId, credentialResponse, jwks, access)
  }

  /** What was promised, once it is there. */
  async collect({ transactionId }) {
    const { access, jwks, configuration } = this.waiting.get(transactionId)
    const { deferredCredentialResponse } = await this.client.retrieveDeferredCredentials({ ...access, transactionId })
    if (deferredCredentialResponse.transaction_id) return { configuration, transactionId }
    return this.taken(configuration, deferredCredentialResponse, jwks, access)
  }

  /** Verify all, the first with its status, keep them, and tell the issuer. */
  async taken(configuration, response, jwks, access) {
    const credentials = response.credentials.map((item) => item.credential)
    for (const [number, credential] of credentials.entries()) {
      const { payload } = await (number ? this.verifying.glance(credential) : this.verifying.verify(credential))
      const isOurs = await jose.calculateJwkThumbprint(payload.cnf.jwk)
      if (isOurs !== (await jose.calculateJwkThumbprint(jwks[number]))) throw new Error('bound to another key')
      this.held.push({ credential, jwk: jwks[number], vct: payload.vct, isFirst: number === 0 })
    }
    if (response.notification_id) {
      const notification = { notificationId: response.notification_id, event: 'credential_accepted' }
      await this.client.sendNotification({ ...access, notification })
    }
    return { configuration, claims: await claimsOf(credentials[0]), count: credentials.length }
  }
}
