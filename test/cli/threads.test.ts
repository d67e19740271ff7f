import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, sandbox } from '../support/cli-buckets.js'
import { run, workFolder } from '../support/cli-program.js'

/** Makes a thread of the program end as if by itself, a while after it has begun. */
async function dyingThreads(cwd: string): Promise<Readonly<Record<string, string>>> {
  const path = join(cwd, 'dying.cjs')
  await writeFile(
    path,
    "const { isMainThread } = require('node:worker_threads')\nif (!isMainThread) setTimeout(() => process.exit(7), 1200)\n",
  )
  return { NODE_OPTIONS: `--require ${path}` }
}

describe('worker threads', () => {
  test.each(['1', '2', '5'])('with %s of them every object is copied once', async (threads) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:5000', 'dst'], latency: 'copy=1-4,list=1-4' })
    const args = ['copy', 's3://src', 's3://dst', '--threads', threads, '--lanes', '7', '--endpoint-url', server.url]
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 5,000 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expectCopiedOnce(server, 'dst', 5000)
  })

  test('one that dies ends the run resumable, and nothing is lost', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:4000', 'dst'], latency: 'copy=20-40' })
    const args = ['copy', 's3://src', 's3://dst', '--threads', '2', '--concurrency', '16', '--checkpoint', 'run']
    const died = await run([...args, '--endpoint-url', server.url], { cwd, env: await dyingThreads(cwd) })
    expect(died.code).toBe(4)
    expect(died.stderr).toContain('a worker thread ended unexpectedly (exit code 7); nothing is lost')
    expect(died.stderr).toContain('next      s3move resume run')
    expect(died.stderr).not.toMatch(/^\s+at /m)
    const copied = server.stats().copies.dst?.unique ?? 0
    expect(copied).toBeLessThan(4000)
    const resumed = await run(['resume', 'run', '--concurrency', '256'], { cwd })
    expect(resumed.code).toBe(0)
    expect(resumed.stderr).toContain('4,000 objects copied, none skipped, none failed')
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('a number that makes no sense is refused', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    const { code, stderr } = await run([...args, '--threads', '0'], { cwd })
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('--threads wants a whole number from 1 to 256') as string,
    ])
  })
})
