// An issuer of OpenID Connect, by oidc-provider. Whoever is sent to it is whom `?as=` of its page says, without being asked
// anything. Its first argument is where libraries lie, its second what is wanted of it; it prints its address and stays.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// The library tells of its settings, and nobody asked.
console.info = console.warn = () => {}
const require = createRequire(`${process.argv[2]}/`)
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')))
const wanted = JSON.parse(process.argv[3])

const people = {
  ann: { email: 'Ann@acme.test', email_verified: true },
  other: { email: 'ann@acme.test', email_verified: true },
  bob: { email: 'bob@acme.test', email_verified: false },
  eve: { email: 'eve@elsewhere.test', email_verified: true },
}
const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const described = (key) => ({ ...key.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' })

const server = createServer()
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{ client_id: 'crewline', client_secret: 'a secret: & more', redirect_uris: [wanted.redirect] }],
  jwks: { keys: [described(pair().privateKey)] },
  cookies: { keys: ['for tests'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  // Where the standard has it, an address is said at another endpoint than in the ID token.
  conformIdTokenClaims: !wanted.in_token,
  features: { devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
})
const answer = provider.callback()

async function interact(request, response, accountId) {
  const { params } = await provider.interactionDetails(request, response)
  if (!people[accountId]) return provider.interactionFinished(request, response, { error: 'access_denied' })
  const grant = new provider.Grant({ accountId, clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  const grantId = await grant.save()
  return provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } })
}

const another = described(pair().publicKey)
server.on('request', (request, response) => {
  const url = new URL(request.url, issuer)
  if (url.pathname.startsWith('/interaction/')) {
    interact(request, response, url.searchParams.get('as')).catch((error) => response.writeHead(500).end(`${error}`))
  } else if (wanted.another_key && url.pathname === '/jwks') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [another] }))
  } else {
    answer(request, response)
  }
})
process.stdout.write(`${issuer}\n`)
