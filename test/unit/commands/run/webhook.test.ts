import { afterEach, describe, expect, test, vi } from 'vitest'
import { callWebhook, signature } from '../../../../src/commands/run/webhook.js'
import { receiver } from '../../../support/webhook.js'

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

const webhook = (url: string) => ({ url: new URL(url), name: 'it' })

/** Calls a webhook of which all pauses are over at once. Answers the trouble, and what was told meanwhile. */
async function called(url: string, abandon: AbortSignal = new AbortController().signal) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const told: string[] = []
  const state = { over: false }
  const calling = callWebhook(webhook(url), '{}', abandon, (reason) => told.push(reason)).finally(() => {
    state.over = true
  })
  while (!state.over) {
    await vi.advanceTimersByTimeAsync(1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { trouble: await calling, told }
}

test('a signature is that of the example of Standard Webhooks', () => {
  const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
  const body = '{"test": 2432232314}'
  expect(signature(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, body)).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
})

describe('a webhook', () => {
  test('that is away is tried five times, as the same message', async () => {
    const { url, posted } = await receiver(503)
    const { trouble, told } = await called(url)
    expect([trouble, told]).toEqual(['it answered 503, at the last of 5 tries', ['it answered 503']])
    expect(posted).toHaveLength(5)
    expect(new Set(posted.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  })

  test('that comes back is told once', async () => {
    const { url, posted } = await receiver(500, 429, 200)
    expect(await called(url)).toEqual({ trouble: undefined, told: ['it answered 500'] })
    expect(posted).toHaveLength(3)
  })

  test.each([
    [404, 'it answered 404'],
    [301, 'it answered 301, a redirection, which is not followed'],
  ])('that answers %i is not tried again', async (status, reason) => {
    const { url, posted } = await receiver(status)
    expect(await called(url)).toEqual({ trouble: reason, told: [] })
    expect(posted).toHaveLength(1)
  })

  test('is given up between two tries when everything is to end at once', async () => {
    const { url, posted } = await receiver(500)
    const abandon = new AbortController()
    const trouble = await callWebhook(webhook(url), '{}', abandon.signal, () => abandon.abort())
    expect([trouble, posted.length]).toEqual(['it was ended before it was taken', 1])
  })

  test('is tried once when everything is to end at once already', async () => {
    const { url, posted } = await receiver(500)
    expect(await called(url, AbortSignal.abort())).toEqual({ trouble: 'it answered 500', told: [] })
    const { url: away } = await receiver(204)
    expect(await called(away, AbortSignal.abort())).toEqual({ trouble: undefined, told: [] })
    expect(posted).toHaveLength(1)
  })

  test('is reached by the proxy that the environment names', async () => {
    const proxy = await receiver(204)
    vi.stubEnv('http_proxy', proxy.url.replace('//', '//me:secret@'))
    vi.stubEnv('no_proxy', '')
    expect(await called('http://hooks.example.com/a?b=c')).toEqual({ trouble: undefined, told: [] })
    expect(proxy.posted.map(({ path, headers }) => [path, headers['proxy-authorization']])).toEqual([
      ['http://hooks.example.com/a?b=c', `Basic ${Buffer.from('me:secret').toString('base64')}`],
    ])
  })

  test('with a proxy that is none is told so, and not where the proxy is', async () => {
    vi.stubEnv('http_proxy', 'ftp://me:secret@proxy')
    vi.stubEnv('no_proxy', '')
    const { trouble } = await called('http://hooks.example.com/')
    expect(trouble).toMatch(/^the proxy that the environment names for hooks\.example\.com is not an http/)
    expect(trouble).not.toContain('secret')
  })
})
