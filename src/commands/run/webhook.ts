import { createHmac, randomUUID } from 'node:crypto'
import { request as requestByHttp } from 'node:http'
import { request as requestByHttps } from 'node:https'
import { isAborted, sleep } from '../../abort.js'
import { agentsFor } from '../../connections/connect.js'
import { printable, withoutCredentials } from '../../keys.js'
import { version } from '../../version.js'
import type { Webhook } from '../options/webhook-options.js'

/** How long each try may take, in milliseconds, and the pauses between tries: a minute for all of them. */
const PATIENCE = 9_000
const PAUSES: readonly number[] = [1_000, 2_000, 4_000, 8_000]
/** How long somebody waits for the only try who wants the program to end at once. */
const HURRY = 3_000

/** What a try has come to: undefined when it was taken. */
type Trouble = { readonly reason: string; readonly mayPass: boolean } | undefined

/**
 * POSTs a line of JSON, by the proxies that the environment names, with headers as Standard Webhooks has them. What may pass is tried again for a minute,
 * or until `abandon` is aborted; one that is already leaves one short try. `retrying` is told once why it is to be tried again. Answers why it was not taken,
 * in words, or undefined.
 */
export async function callWebhook(
  webhook: Webhook,
  body: string,
  abandon: AbortSignal,
  retrying: (reason: string) => void,
): Promise<string | undefined> {
  // The same for all tries, so that who has got it twice can know.
  const id = `msg_${randomUUID()}`
  const hurry = abandon.aborted
  for (let tries = 1; ; tries++) {
    const trouble = await post(webhook, signed(webhook, id, body), {
      body,
      until: hurry ? AbortSignal.timeout(HURRY) : AbortSignal.any([abandon, AbortSignal.timeout(PATIENCE)]),
    })
    if (trouble === undefined) return undefined
    if (!hurry && isAborted(abandon)) return 'it was ended before it was taken'
    const pause = PAUSES[tries - 1]
    if (!trouble.mayPass || hurry || pause === undefined) {
      return tries === 1 ? trouble.reason : `${trouble.reason}, at the last of ${tries} tries`
    }
    if (tries === 1) retrying(trouble.reason)
    await sleep(pause, abandon)
  }
}

function signed({ secret }: Webhook, id: string, body: string): Record<string, string> {
  const seconds = Math.floor(Date.now() / 1000)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    ...(secret === undefined ? {} : { 'webhook-signature': signature(secret, id, seconds, body) }),
  }
}

/** The value of `webhook-signature` of Standard Webhooks, for a secret of so many bytes. */
export function signature(secret: Buffer, id: string, seconds: number, body: string): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')}`
}

async function post(
  { url }: Webhook,
  headers: Readonly<Record<string, string>>,
  { body, until }: { readonly body: string; readonly until: AbortSignal },
): Promise<Trouble> {
  // Certificates of stores are no affair of other servers.
  const { httpAgent, httpsAgent } = agentsFor({ caBundle: '' })
  try {
    const secure = url.protocol === 'https:'
    const status = await new Promise<number>((resolve, reject) => {
      const request = (secure ? requestByHttps : requestByHttp)(url, {
        method: 'POST',
        agent: secure ? httpsAgent : httpAgent,
        signal: until,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': `s3move/${version()}`,
          ...headers,
        },
      })
      request.on('error', reject)
      request.on('response', ({ statusCode = 0 }) => resolve(statusCode))
      request.end(body)
    })
    return troubleOf(status)
  } catch (error) {
    return { reason: until.aborted ? 'there was no answer in time' : reasonOf(error), mayPass: true }
  } finally {
    for (const agent of [httpAgent, httpsAgent]) agent.destroy()
  }
}

function troubleOf(status: number): Trouble {
  if (status >= 200 && status < 300) return undefined
  if (status >= 300 && status < 400) {
    return { reason: `it answered ${status}, a redirection, which is not followed`, mayPass: false }
  }
  const mayPass = status >= 500 || [408, 425, 429].includes(status)
  return { reason: `it answered ${status}`, mayPass }
}

// Where several addresses were tried the error has a code alone.
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error))
  const { message, code = error.name } = error as NodeJS.ErrnoException
  return printable(withoutCredentials(message === '' ? code : message))
}
