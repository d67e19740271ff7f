import { UserError } from '../errors.js'
import type { Dialect } from './wire/dialects.js'
import type { Faults } from './faults.js'
import { readFault } from './faults.js'
import type { Reply } from './wire/reply.js'
import type { Stats } from './wire/stats.js'

function json(status: number, value: unknown): Reply {
  return { status, headers: ['Content-Type', 'application/json'], body: `${JSON.stringify(value)}\n` }
}

/** What OpenStack Swift answers to `GET /info`, as far as it is of use here. */
export function info({ mostParts }: Dialect): Reply {
  return json(200, { s3api: { max_upload_part_num: mostParts } })
}

/** Answers what stands under `/_sandbox/`: `GET stats`, `GET faults`, `POST faults?kind=K&rate=R[&op=OP]`. */
export function control(method: string, url: string, stats: Stats, faults: Faults): Reply {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  if (method === 'GET' && pathname === '/_sandbox/stats') return json(200, stats.snapshot())
  if (pathname === '/_sandbox/faults') {
    if (method === 'GET') return json(200, faults.list())
    if (method === 'POST') {
      const operation = searchParams.get('op')
      const text = `${searchParams.get('kind') ?? ''}=${searchParams.get('rate') ?? ''}`
      try {
        faults.set(readFault(operation === null ? text : `${text}@${operation}`))
      } catch (error) {
        if (error instanceof UserError) return json(400, { error: error.message, hint: error.hint })
        throw error
      }
      return json(200, faults.list())
    }
  }
  return json(404, {
    error: 'GET /_sandbox/stats, GET /_sandbox/faults or POST /_sandbox/faults?kind=K&rate=R expected.',
  })
}
