import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accessOf, type Access } from '../../../src/watch/access.js'

const TOKEN = '0123456789abcdef'

function ask(
  url: string,
  {
    token,
    secret,
    method = 'GET',
    ...headers
  }: { token?: string; secret?: string; method?: string } & Record<string, string | undefined> = {},
): Access {
  return accessOf({ method, headers } as unknown as IncomingMessage, new URL(url), token, secret)
}

test('a change is for who has the secret of the page, and besides may look; where there is none it is for nobody', () => {
  const [here, secret] = ['http://localhost/stop', 'the secret of a page']
  const asked = { method: 'POST', 'x-s3move-control': secret }
  expect(ask(here, { secret, ...asked })).toEqual({ kind: 'granted' })
  expect(ask(here, { ...asked })).toMatchObject({ kind: 'refused', status: 405 })
  expect(ask(here, { secret, method: 'POST' })).toMatchObject({ kind: 'refused', status: 403 })
  expect(ask('http://evil.example/stop', { secret, ...asked })).toMatchObject({ kind: 'refused', status: 403 })
  expect(ask(here, { secret, token: TOKEN, ...asked })).toMatchObject({ kind: 'refused', status: 401 })
  for (const method of ['PUT', 'DELETE', 'OPTIONS'])
    expect(ask(here, { secret, ...asked, method })).toMatchObject({ kind: 'refused', status: 405 })
})

describe('who may look at a page', () => {
  test('without a token is who asks for this machine by a name of its own', () => {
    for (const host of ['localhost:1', '127.0.0.1:1', '127.3.2.1', '[::1]:7380'])
      expect(ask(`http://${host}/`), host).toEqual({ kind: 'granted' })
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '[::2]'])
      expect(ask(`http://${host}/`), host).toMatchObject({ kind: 'refused', status: 403 })
  })

  test('with one is who has it, as a bearer or in the cookie, by whatever name', () => {
    const url = 'http://worker.example:7380/'
    expect(ask(url, { token: TOKEN, authorization: `Bearer ${TOKEN}` })).toEqual({ kind: 'granted' })
    expect(ask(url, { token: TOKEN, cookie: `a=b; s3move-token=${TOKEN}; c=d` })).toEqual({ kind: 'granted' })
    expect(ask(url, { token: TOKEN })).toMatchObject({ kind: 'refused', status: 401 })
    expect(ask('http://127.0.0.1/', { token: TOKEN })).toMatchObject({ kind: 'refused', status: 401 })
  })

  test('gets a cookie, which no script and no other site has, for the token of an address', () => {
    const access = ask(`http://worker/?token=${TOKEN}`, { token: TOKEN })
    expect(access).toEqual({
      kind: 'to-cookie',
      cookie: `s3move-token=${TOKEN}; HttpOnly; SameSite=Strict; Path=/`,
    })
    expect(ask('http://worker/?token=other', { token: TOKEN })).toMatchObject({ kind: 'refused', status: 401 })
  })

  test('is nobody who has another token, however near', () => {
    const other = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', TOKEN.slice(1), `${TOKEN}0`, TOKEN.toUpperCase(), '%', '%30123456789abcdef%'),
    )
    fc.assert(
      fc.property(
        other.filter((text) => text !== TOKEN),
        (text) => {
          for (const headers of [{ authorization: `Bearer ${text}` }, { cookie: `s3move-token=${encodedOr(text)}` }])
            expect(ask('http://worker/', { token: TOKEN, ...headers })).toMatchObject({ kind: 'refused' })
          const address = new URL('http://worker/')
          address.searchParams.set('token', text)
          expect(ask(address.href, { token: TOKEN })).toMatchObject({ kind: 'refused' })
        },
      ),
    )
  })

  test('changes nothing: no method but GET and HEAD is known, with a token neither', () => {
    expect(ask('http://localhost/', { method: 'HEAD' })).toEqual({ kind: 'granted' })
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT']) {
      expect(ask('http://localhost/', { method })).toMatchObject({ kind: 'refused', status: 405 })
      const bearer = { token: TOKEN, authorization: `Bearer ${TOKEN}` }
      expect(ask('http://localhost/', { method, ...bearer })).toMatchObject({ kind: 'refused', status: 405 })
    }
  })
})

// What a cookie has as it is, or as it is written otherwise.
function encodedOr(text: string): string {
  try {
    return encodeURIComponent(text)
  } catch {
    return text
  }
}
