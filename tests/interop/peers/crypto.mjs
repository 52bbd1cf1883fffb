// The callbacks that the libraries ask for: signing, verifying and sealing by jose, certificates by node.
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { setGlobalConfig } from '@openid4vc/oauth2'
import * as jose from 'jose'

// Plain HTTP to this machine: the tests have no TLS except where they say so.
setGlobalConfig({ allowInsecureUrls: true })

const keys = new Map()

/** A new P-256 key; its public JWK. `signerOf` finds it again. */
export async function newKey(alg = 'ES256') {
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { crv: 'P-256', extractable: true })
  return keep(await jose.exportJWK(privateKey), await jose.exportJWK(publicKey))
}

/** Keep a private JWK that was given; its public JWK. */
export async function keep(privateJwk, publicJwk = undefined) {
  const { d, ...rest } = privateJwk
  const jwk = publicJwk ?? rest
  keys.set(await jose.calculateJwkThumbprint(jwk), privateJwk)
  return jwk
}

async function privateOf(jwk) {
  const found = keys.get(await jose.calculateJwkThumbprint(jwk))
  if (!found) throw new Error('no such key here')
  return found
}

/** An SD-JWT signer: data in, base64url signature out. */
export async function signerOf(jwk) {
  const key = await jose.importJWK(await privateOf(jwk), 'ES256')
  return async (data) => {
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, Buffer.from(data))
    return Buffer.from(signature).toString('base64url')
  }
}

/** Whether `signature` is that of `jwk` over `data`. */
export async function isSigned(data, signature, jwk) {
  const key = await jose.importJWK(jwk, 'ES256')
  const bytes = Buffer.from(signature, 'base64url')
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, bytes, Buffer.from(data))
}

export function certificate(base64) {
  return new X509Certificate(Buffer.from(base64, 'base64'))
}

/** The leaf's key once its chain leads to one of `roots` (base64 DER), all in force. Throws when it does not. */
export async function jwkOfChain(x5c, roots) {
  const chain = x5c.map(certificate)
  const trusted = roots.map(certificate)
  const now = Date.now()
  for (const [number, issued] of chain.entries()) {
    if (now < Date.parse(issued.validFrom) || now > Date.parse(issued.validTo)) throw new Error('not in force')
    const above = number + 1 < chain.length ? [chain[number + 1]] : trusted
    if (!above.some((one) => issued.checkIssued(one) && issued.verify(one.publicKey))) {
      throw new Error('the chain leads to no root that is trusted')
    }
  }
  return jose.exportJWK(chain[0].publicKey)
}

/** Names of a certificate as the libraries want them. */
export function getX509CertificateMetadata(base64) {
  const names = (certificate(base64).subjectAltName ?? '').split(', ')
  const of = (kind) => names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length))
  return { sanDnsNames: of('DNS:'), sanUriNames: of('URI:') }
}

export function hash(data, alg) {
  return new Uint8Array(createHash(alg.replace('-', '').toLowerCase()).update(data).digest())
}

/** A JWE to this key. */
export async function sealTo(jwk, enc, text) {
  return new jose.CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ alg: 'ECDH-ES', enc, ...(jwk.kid && { kid: jwk.kid }) })
    .encrypt(await jose.importJWK(jwk, 'ECDH-ES'))
}

/** All callbacks of @openid4vc; `roots()` gives the certificates that chains must lead to. */
export function callbacks(roots) {
  return {
    hash,
    generateRandom: (size) => new Uint8Array(randomBytes(size)),
    getX509CertificateMetadata,
    signJwt: async (signer, { header, payload }) => {
      const signerJwk = signer.publicJwk ?? (await jose.exportJWK(certificate(signer.x5c[0]).publicKey))
      const key = await jose.importJWK(await privateOf(signerJwk), header.alg)
      const jwt = await new jose.CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader(header)
        .sign(key)
      return { jwt, signerJwk }
    },
    verifyJwt: async (signer, { header, compact }) => {
      try {
        const signerJwk = signer.method === 'x5c' ? await jwkOfChain(signer.x5c, roots()) : signer.publicJwk
        await jose.compactVerify(compact, await jose.importJWK(signerJwk, header.alg), { algorithms: ['ES256'] })
        return { verified: true, signerJwk }
      } catch (error) {
        console.error(error)
        return { verified: false }
      }
    },
    encryptJwe: async ({ publicJwk, alg, enc, apu, apv }, data) => {
      const jwe = await new jose.CompactEncrypt(Buffer.from(data))
        .setProtectedHeader({ alg, enc, kid: publicJwk.kid, typ: 'JWT' })
        .setKeyManagementParameters({
          apu: apu && Buffer.from(apu, 'base64url'),
          apv: apv && Buffer.from(apv, 'base64url'),
        })
        .encrypt(await jose.importJWK(publicJwk, alg))
      return { jwe, encryptionJwk: publicJwk }
    },
    decryptJwe: async (jwe, { jwk } = {}) => {
      if (!jwk) return { decrypted: false }
      const key = await jose.importJWK(await privateOf(jwk), 'ECDH-ES')
      const { plaintext } = await jose.compactDecrypt(jwe, key)
      return { decrypted: true, decryptionJwk: jwk, payload: Buffer.from(plaintext).toString() }
    },
  }
}
