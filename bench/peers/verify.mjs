// The peer of bench/exchange.py: @sd-jwt/sd-jwt-vc verifies presentations, and says what that cost.
//
// argv[2]: the folder of package.json; argv[3]: a file with {issuer, nonce, now, presentations}. Each line on stdin is
// a number of verifications, each answer the microseconds of CPU time that they took, all threads together.
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const require = createRequire(`${process.argv[2]}/package.json`)
const { SDJwtVcInstance } = await import(pathToFileURL(require.resolve('@sd-jwt/sd-jwt-vc')).href)
const { issuer, nonce, now, presentations } = JSON.parse(readFileSync(process.argv[3], 'utf8'))
const issuerKey = createPublicKey({ key: issuer, format: 'jwk' })

// node:crypto without promises is the fastest way that node has; the issuer's key is parsed once.
const isSigned = (data, signature, key) =>
  verify('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
const instance = new SDJwtVcInstance({
  hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(Buffer.from(data)).digest(),
  hashAlg: 'sha-256',
  saltGenerator: () => randomBytes(16).toString('base64url'),
  verifier: (data, signature) => isSigned(data, signature, issuerKey),
  kbVerifier: (data, signature, payload) =>
    isSigned(data, signature, createPublicKey({ key: payload.cnf.jwk, format: 'jwk' })),
})

let next = 0
for await (const line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage()
  for (let count = Number(line); count > 0; count -= 1) {
    const { payload } = await instance.verify(presentations[next], { keyBindingNonce: nonce, currentDate: now })
    if (payload.given === undefined) throw new Error('nothing was disclosed')
    next = (next + 1) % presentations.length
  }
  const { user, system } = process.cpuUsage(before)
  console.log(user + system)
}
