import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { front, type Hooks } from '../support/cli-front.js'
import { run, workFolder } from '../support/cli-program.js'

/** An answer to a copy, to HEAD or GET, or to a listing, that belongs to nothing. */
const FOREIGN = [
  '<CopyObjectResult><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;00000000000000000000000000000000&quot;</ETag></CopyObjectResult>',
  'content of nobody',
  '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>',
].map(
  (body) =>
    `HTTP/1.1 200 OK\r\nETag: "00000000000000000000000000000000"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
)

/** Pseudo-random numbers from 0 to 1. */
function random(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}

function misbehaving(seed: number, share: number): Hooks {
  const next = random(seed)
  return {
    behind({ method }) {
      if (next() > share) return undefined
      const kind = next()
      // The head of an answer to HEAD is all of it.
      if (kind < 0.3 && method !== 'HEAD') return 'less'
      // What comes later and looks like an answer nobody can tell from the next one.
      if (kind < 0.6) return { bytes: 'bytes of nobody', late: true }
      return { bytes: FOREIGN[Math.floor(next() * FOREIGN.length)]!, late: false }
    },
  }
}

async function filled(): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (let n = 0; n < 300; n++) {
    await put(server, 'src', `k${n}`, { Body: `content ${n} `.repeat(n % 40), Metadata: { number: String(n) } })
  }
  return server
}

const OPTIONS = ['--concurrency', '16', '--retry-for', '60s', '--checkpoint', 'run', '--threads', '2']

test.each([11, 12, 13])(
  'a server that sends more than its answers say, or less, costs no key and mixes up none (seed %i)',
  async (seed) => {
    const server = await filled()
    const url = await front(server.url, misbehaving(seed, 0.05))
    const cwd = await workFolder()
    const copied = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url, ...OPTIONS], { cwd })
    expect([copied.code, copied.stderr]).toEqual([0, expect.stringContaining('300 objects copied')])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect(copied.stderr.match(/sends more than its answers say/g)).toHaveLength(1)

    const down = await run(['copy', 's3://src', `file://${cwd}/kept/`, '--endpoint-url', url, ...OPTIONS, '--fresh'], {
      cwd,
    })
    expect(down.code, down.stderr).toBe(0)
    for (let n = 0; n < 300; n++) {
      expect(await readFile(`${cwd}/kept/k${n}`, 'utf8')).toBe(`content ${n} `.repeat(n % 40))
    }
    const verified = await run(['verify', '--deep', '--bytes', 's3://src', 's3://dst', '--endpoint-url', url], { cwd })
    expect([verified.code, verified.stderr]).toEqual([0, expect.stringMatching(/same +300 objects/)])
  },
)
