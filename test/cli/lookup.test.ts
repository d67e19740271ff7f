import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { start, until, workFolder, type Running } from '../support/cli-program.js'

/** Preloaded into every thread: the name is known here alone and, while there is a file `away`, not even here. */
const NAMES = `
import dns from 'node:dns'
import { appendFileSync, existsSync } from 'node:fs'
const real = dns.lookup
dns.lookup = (name, options, done) => {
  if (name !== 's3.test') return real(name, options, done)
  if (!existsSync('away')) return real('127.0.0.1', options, done)
  appendFileSync('asked', '.')
  process.nextTick(done, Object.assign(new Error('getaddrinfo EAI_AGAIN s3.test'), { code: 'EAI_AGAIN', syscall: 'getaddrinfo' }))
}
`

interface Scene {
  readonly cwd: string
  readonly server: TestSandbox
  readonly running: Running
  /** Nobody knows the name any more. Resolves once that was noticed. */
  readonly forget: () => Promise<void>
}

/** A copy, on two threads, of which every tenth request ends its connection, so that names are looked up all the time. */
async function copying(...more: string[]): Promise<Scene> {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:hex:2000', 'dst'], latency: 'copy=5-20', faults: ['reset=1/10'] })
  await writeFile(join(cwd, 'names.mjs'), NAMES)
  const endpoint = ['--endpoint-url', `http://s3.test:${server.port}`, '--path-style', '--threads', '2']
  const running = start(['copy', 's3://src', 's3://dst', ...endpoint, '--checkpoint', 'run', ...more], {
    cwd,
    env: { NODE_OPTIONS: `--import=${pathToFileURL(join(cwd, 'names.mjs')).href}` },
  })
  await until(() => (server.stats().copies.dst?.unique ?? 0) > 300, running)
  return {
    ...{ cwd, server, running },
    forget: async () => {
      await writeFile(join(cwd, 'away'), '')
      const asked = join(cwd, 'asked')
      await until(async () => existsSync(asked) && (await readFile(asked)).length > 50, running)
    },
  }
}

describe('a name that cannot be looked up in the middle of a run', () => {
  test('for a while is waited for: every object is copied', async () => {
    const { cwd, server, running, forget } = await copying()
    await forget()
    await rm(join(cwd, 'away'))
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 2,000 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('for longer than --retry-for ends the run, which blames no object, says why and goes on later', async () => {
    const { cwd, server, running, forget } = await copying('--retry-for', '2s')
    await forget()
    const { code, stderr } = await running.finished
    expect(code).toBe(4)
    expect(stderr).toMatch(/^stopped before it finished \(.*s3\.test.*\): .* none failed$/m)
    // The last answer that is told may be that of a connection that broke as the name went.
    expect(stderr).toMatch(/^ {2}hint .*(?:look up names|--endpoint-url)/m)
    await rm(join(cwd, 'away'))
    const env = { NODE_OPTIONS: `--import=${pathToFileURL(join(cwd, 'names.mjs')).href}` }
    const resumed = await start(['resume', 'run', '--retry-for', '1m'], { cwd, env }).finished
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining('none failed') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })
})
