// SD-JWT VCs by @sd-jwt/sd-jwt-vc: issued, shown, and verified with their status.
import { randomBytes } from 'node:crypto'
import { SDJwtInstance } from '@sd-jwt/core'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { getX509CertificateMetadata, hash, isSigned, jwkOfChain, signerOf } from './crypto.mjs'

const ours = { hasher: hash, hashAlg: 'sha-256', saltGenerator: () => randomBytes(16).toString('base64url') }

function headerOf(signed) {
  return JSON.parse(Buffer.from(signed.split('.')[0], 'base64url'))
}

/**
 * Verifies by x5c under `roots()`; the leaf must speak for `iss`, as Credo demands it. `verify` has the status, `glance`
 * not: a list of a million takes it a tenth of a second each time.
 */
export function verifierOf(roots) {
  const byChain = async (data, signature) => {
    const header = headerOf(data)
    const payload = JSON.parse(Buffer.from(data.split('.')[1], 'base64url'))
    if (header.alg !== 'ES256') throw new Error(`alg is ${header.alg}`)
    const speaker = payload.iss ?? payload.sub
    const { sanDnsNames, sanUriNames } = getX509CertificateMetadata(header.x5c[0])
    if (speaker && !sanUriNames.includes(speaker) && !sanDnsNames.includes(new URL(speaker).hostname)) {
      throw new Error('the leaf does not speak for the issuer')
    }
    return isSigned(data, signature, await jwkOfChain(header.x5c, roots()))
  }
  const config = {
    ...ours,
    verifier: byChain,
    kbVerifier: (data, signature, payload) => isSigned(data, signature, payload.cnf.jwk),
    statusVerifier: byChain,
  }
  const whole = new SDJwtVcInstance(config)
  const core = new SDJwtInstance(config)
  return {
    verify: (text, options) => whole.verify(text, options),
    glance: (text) => core.verify(text),
  }
}

/** Signs credentials (`JWT~D..~`) by the key of this chain. */
export async function issuerOf(jwk, x5c) {
  const instance = new SDJwtVcInstance({ ...ours, signer: await signerOf(jwk), signAlg: 'ES256' })
  return (payload, frame) => instance.issue(payload, frame, { header: { x5c } })
}

/** Of `credential` what `frame` names, bound to `jwk`; `signed`: further claims of the key binding. */
export async function present(credential, frame, jwk, { audience, nonce, signed }) {
  const instance = new SDJwtVcInstance({ ...ours, kbSigner: await signerOf(jwk), kbSignAlg: 'ES256' })
  const iat = Math.floor(Date.now() / 1000)
  return instance.present(credential, frame, { kb: { payload: { aud: audience, nonce, iat, ...signed } } })
}

/** The values of a credential, disclosed ones included, unverified. */
export async function claimsOf(credential) {
  return new SDJwtVcInstance(ours).getClaims(credential)
}

/** What to show so that `paths` can be seen: `{a: {b: true}}`. An index or null goes into an array of `claims`. */
export function frameOf(paths, claims) {
  const frame = {}
  for (const path of paths) fill(frame, path, claims)
  return frame
}

function fill(frame, [step, ...rest], claims) {
  const steps = step === null ? Object.keys(claims) : [step]
  for (const name of steps) {
    if (rest.length === 0) {
      frame[name] ??= true
      continue
    }
    if (frame[name] === undefined || frame[name] === true) frame[name] = {}
    fill(frame[name], rest, claims[name])
  }
}
