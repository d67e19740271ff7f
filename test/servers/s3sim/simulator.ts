import { spawn } from 'node:child_process'
import { expect, onTestFinished } from 'vitest'
import { until } from '../../support/cli-program.js'

const BINARY = process.env.S3SIM
if (BINARY === undefined) throw new Error('S3SIM must be the path of the s3sim program: .ci/run builds it')
const binary: string = BINARY

/** The judge's books on a destination, as s3sim names the fields. */
export interface Books {
  readonly copyable_in_scope: number
  readonly copies_total: number
  readonly unique: number
  readonly duplicates: number
  readonly duplicates_after_lost_response: number
  readonly missing: number
  readonly missing_copyable: number
  readonly wrong: number
}

export interface Simulator {
  readonly url: string
  books(bucket?: string): Promise<Books>
  get(path: string): Promise<unknown>
  post(path: string): Promise<void>
  requestsUnderWay(): Promise<number>
}

/** A server of synthetic objects that judges every copy. */
export async function simulator(...args: string[]): Promise<Simulator> {
  const child = spawn(binary, ['--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill()
    await closed
  })
  let said = ''
  child.stdout.on('data', (text: Buffer) => (said += text.toString()))
  await until(() => {
    if (child.exitCode !== null) throw new Error(`s3sim ended with ${child.exitCode}: ${said}`)
    return said.includes('s3sim listening on ')
  })
  const url = `http://${/listening on (\S+)/.exec(said)![1]!}`
  const get = async (path: string): Promise<unknown> => (await fetch(`${url}/_sim/${path}`)).json()
  const stats = async () => (await get('stats')) as { buckets: Record<string, Books>; in_flight: { now: number } }
  return {
    url,
    get,
    books: async (bucket = 'dst') => (await stats()).buckets[bucket]!,
    requestsUnderWay: async () => (await stats()).in_flight.now,
    async post(path) {
      expect((await fetch(`${url}/_sim/${path}`, { method: 'POST' })).ok).toBe(true)
    },
  }
}
