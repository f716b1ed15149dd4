// A browser and its push service, as far as they judge a notice: the signature by Node's own crypto (RFC 8292), what is in it
// by http_ece (RFC 8291), which browsers' own tests use. One question on standard input, one answer on standard output.
import { createECDH, createPublicKey, verify } from 'node:crypto'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(`${process.argv[2]}/`)
const ece = require('http_ece')
const asked = JSON.parse(readFileSync(0, 'utf8'))

function keyPair() {
  const pair = createECDH('prime256v1')
  pair.generateKeys()
  return pair
}

if (asked.make) {
  // As web-push prints it: 32 bytes, also where the number has fewer.
  const scalar = (pair) => pair.getPrivateKey('hex').padStart(64, '0')
  const text = (pair) => ({ public: pair.getPublicKey('base64url'), private: Buffer.from(scalar(pair), 'hex').toString('base64url') })
  console.log(JSON.stringify({ browser: text(keyPair()), server: text(keyPair()) }))
} else {
  const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(asked.authorization)
  const [head, claims, signature] = token.split('.')
  const point = Buffer.from(key, 'base64url')
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') }
  const genuine = verify(
    'sha256',
    Buffer.from(`${head}.${claims}`),
    { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  const browser = createECDH('prime256v1')
  browser.setPrivateKey(asked.private, 'base64url')
  const plain = ece.decrypt(Buffer.from(asked.body, 'base64'), { version: 'aes128gcm', privateKey: browser, authSecret: asked.auth })
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url'))
  console.log(JSON.stringify({ genuine, key, head: read(head), claims: read(claims), notice: JSON.parse(plain) }))
}
