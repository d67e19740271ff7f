import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { LiveView } from '../../../src/watch/live-page.js'
import { serveViews, type Shown } from '../../../src/watch/watch-server.js'

async function serving(view: (path: string) => LiveView | undefined, token?: string) {
  const shown: Shown = {
    view: (path) => Promise.resolve().then(() => view(path)),
    metrics: (accept) => Promise.resolve({ type: 'text/plain', text: accept }),
  }
  const server = await serveViews(shown, { host: '127.0.0.1', port: 0 }, token)
  onTestFinished(() => server.close())
  return server
}

/** Follows a page; `next` is the next event that it gets. */
async function following(url: string, path = '/events/') {
  const request = get(new URL(path, url))
  onTestFinished(() => void request.destroy())
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const chunks = response.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>
  let text = ''
  const next = async (): Promise<{ event: string; data: string } | undefined> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end < 0) {
        const chunk = await chunks.next()
        if (chunk.done === true) return undefined
        text += chunk.value
        continue
      }
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      )
      text = text.slice(end + 2)
      if (fields.has('data')) return { event: fields.get('event') ?? 'message', data: fields.get('data') ?? '' }
    }
  }
  const sections = async (): Promise<unknown> => JSON.parse((await next())?.data ?? 'null')
  return { response, next, sections }
}

describe('the server of live pages', () => {
  test('gives a page whose policy is a header too, and which nobody else may frame or keep', async () => {
    const { url } = await serving(() => ({ title: 'a <b>', sections: { one: '<p>x</p>' } }))
    const response = await fetch(url)
    const text = await response.text()
    expect(text).toContain('<h1 id="title">a &#60;b&#62;</h1>')
    expect(text).toContain('<section id="one"><p>x</p></section>')
    const policy = response.headers.get('content-security-policy') ?? ''
    const [, within = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(text) ?? []
    expect(policy).toBe(`${within}; frame-ancestors 'none'`)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('has nothing at other paths, and no other methods', async () => {
    const { url } = await serving((path) => (path === '/' ? { title: 'a', sections: {} } : undefined))
    expect((await fetch(new URL('/other', url))).status).toBe(404)
    expect((await fetch(new URL('/events/other', url))).status).toBe(404)
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
    expect(await (await fetch(new URL('/metrics', url), { headers: { accept: 'a/b' } })).text()).toBe('a/b')
  })

  test('tells who follows all sections at first, and then those that have changed', async () => {
    let n = 0
    const { url } = await serving(() => ({ title: 'a', sections: { same: 'x', other: String(++n) } }))
    const one = await following(url)
    expect(one.response.headers['content-type']).toBe('text/event-stream')
    expect(Object.keys((await one.sections()) as object)).toEqual(['title', 'same', 'other'])
    const two = await following(url)
    expect(Object.keys((await two.sections()) as object)).toEqual(['title', 'same', 'other'])
    expect(Object.keys((await one.sections()) as object)).toEqual(['other'])
    expect(Object.keys((await two.sections()) as object)).toEqual(['other'])
  })

  test('looks once for all who follow, and not at all while nobody does', async () => {
    let looks = 0
    const { url } = await serving(() => ({ title: 'a', sections: { n: String(++looks) } }))
    const all = await Promise.all(Array.from({ length: 20 }, () => following(url)))
    // Each is let in by one look, and all of them are told by one.
    for (const one of all) await one.sections()
    const before = looks
    await all[0]!.sections()
    expect(looks - before).toBeLessThanOrEqual(3)
  })

  test('goes on when a look fails: what cannot be seen now may be seen at the next look', async () => {
    let looks = 0
    const { url } = await serving(() => {
      looks++
      if (looks === 2) throw new Error('torn')
      return { title: 'a', sections: { n: String(looks) } }
    })
    const one = await following(url)
    expect(await one.sections()).toEqual({ title: 'a', n: '3' })
    const failing = await serving(() => {
      throw new Error('/secret/path')
    })
    const answer = await fetch(failing.url)
    expect([answer.status, await answer.text()]).toEqual([500, 'this cannot be shown\n'])
  })

  test('ends with a last look and word to each, so that a page knows that nothing more comes', async () => {
    let state = 'at work'
    const server = await serving(() => ({ title: 'a', sections: { state } }))
    const one = await following(server.url)
    expect(await one.sections()).toEqual({ title: 'a', state: 'at work' })
    state = 'finished'
    await server.close()
    expect(await one.sections()).toEqual({ state: 'finished' })
    expect(await one.next()).toMatchObject({ event: 'end' })
    expect(await one.next()).toBeUndefined()
  })

  test('turns away who would be one too many, and lets in again when one goes', async () => {
    const { url } = await serving(() => ({ title: 'a', sections: { n: '1' } }))
    const all = await Promise.all(Array.from({ length: 256 }, () => following(url)))
    expect(all.map(({ response }) => response.statusCode).every((status) => status === 200)).toBe(true)
    expect((await following(url)).response.statusCode).toBe(503)
    expect((await fetch(url)).status).toBe(200)
    all[0]!.response.destroy()
    for (;;) if ((await following(url)).response.statusCode === 200) break
  })

  test('drops a page that does not read what it is told, and tells the others', async () => {
    let n = 0
    const { url } = await serving(() => ({ title: 'a', sections: { n: `${++n} ${'x'.repeat(1024 ** 2)}` } }))
    const deaf = await following(url)
    const one = await following(url)
    one.response.resume()
    while (n < 9) await setTimeout(20)
    const { response } = deaf
    const closed = new Promise((resolve) => response.on('close', resolve))
    response.on('error', () => undefined).resume()
    await closed
    expect(response.complete).toBe(false)
    expect(one.response.destroyed).toBe(false)
  })

  test('with a token puts it into a cookie, and then shows the page without it in the address', async () => {
    const { url } = await serving(() => ({ title: 'a', sections: {} }), '0123456789abcdef')
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(new URL('/metrics', url))).status).toBe(401)
    expect((await fetch(new URL('/events/', url))).status).toBe(401)
    const moved = await fetch(new URL('/?token=0123456789abcdef', url), { redirect: 'manual' })
    expect([moved.status, moved.headers.get('location')]).toEqual([303, '/'])
    const [cookie = ''] = moved.headers.get('set-cookie')?.split(';') ?? []
    expect((await fetch(url, { headers: { cookie } })).status).toBe(200)
  })

  test('says in one line that a port is in use, and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const shown: Shown = { view: () => Promise.resolve(undefined), metrics: () => Promise.reject(new Error()) }
    await expect(serveViews(shown, { host: '127.0.0.1', port }, undefined)).rejects.toMatchObject({
      message: `port ${port} of 127.0.0.1 is in use`,
      hint: expect.stringContaining('--listen') as string,
    })
    await expect(serveViews(shown, { host: '192.0.2.1', port: 0 }, undefined)).rejects.toThrow(
      /^cannot listen on port 0 of 192\.0\.2\.1: /,
    )
  })
})
