// A small HTTP server: `routes` are `[method, /^pattern$/, handler]`; a handler gets the request and gives an answer.
import { createServer } from 'node:http'
import { Oauth2ResourceUnauthorizedError } from '@openid4vc/oauth2'

/** Serve until the process ends, on `port` or a free one; the address. */
export async function serve(routes, port = 0) {
  const server = createServer(async (incoming, outgoing) => {
    const url = new URL(incoming.url, `http://${incoming.headers.host}`)
    const chunks = []
    for await (const chunk of incoming) chunks.push(chunk)
    const request = {
      method: incoming.method,
      url: url.href,
      query: Object.fromEntries(url.searchParams),
      headers: new Headers(incoming.headers),
      body: Buffer.concat(chunks).toString(),
    }
    const { status = 200, headers = {}, body = '' } = await answer(routes, url.pathname, request)
    const isText = typeof body === 'string'
    outgoing.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
    outgoing.end(isText ? body : JSON.stringify(body))
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  return `http://localhost:${server.address().port}`
}

async function answer(routes, path, request) {
  for (const [method, pattern, handler] of routes) {
    const found = method === request.method && pattern.exec(path)
    if (found) return handler(request, ...found.slice(1)).catch(refusal)
  }
  return { status: 404 }
}

/** What the library would have the other side know. */
function refusal(error) {
  console.error(error)
  if (error instanceof Oauth2ResourceUnauthorizedError) {
    return { status: 401, headers: { 'www-authenticate': error.toHeaderValue() }, body: { error: 'invalid_token' } }
  }
  const body = error.errorResponse ?? { error: 'invalid_request' }
  return { status: error.status ?? 400, headers: error.headers, body }
}

export function form(request) {
  return Object.fromEntries(new URLSearchParams(request.body))
}
