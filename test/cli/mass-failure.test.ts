import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentOf, sandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder } from '../support/cli-program.js'
import { front, refused } from '../support/proxy.js'

async function failedIn(cwd: string): Promise<number> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
  return text.split('\n').filter(Boolean).length
}

const isCopy = (method = '', url = ''): boolean => method === 'PUT' && !url.includes('s3move-probe')
const OPTIONS = ['--checkpoint', 'run', '--concurrency', '64']

test.each<[string, number]>([
  ['QuotaExceeded', 403],
  ['XMinioStorageFull', 507],
])(
  '%s for every object from some moment on pauses the run; it goes on by itself once there is room',
  async (code, status) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:12000', 'dst'] })
    let [copies, full] = [0, false]
    const url = await front(server.url, {
      before({ method, url: path }) {
        if (isCopy(method, path) && ++copies === 2000) full = true
        return full && isCopy(method, path) ? refused(status, code) : undefined
      },
    })
    const running = start(['copy', 's3://src', 's3://dst', '--endpoint-url', url, ...OPTIONS], { cwd })
    await until(() => running.stderr().includes('paused: '), running)
    full = false
    const { code: exit, stderr } = await running.finished
    expect([exit, stderr]).toEqual([3, expect.stringContaining('the run goes on: an object succeeded again') as string])
    const failed = await failedIn(cwd)
    expect(failed).toBeGreaterThan(900)
    expect(failed).toBeLessThan(6000)
    expect((await contentOf(server, 'dst')).size).toBe(12000 - failed)
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(12000)
  },
)

test('what does not pass within --retry-for stops it, resumable, and most objects are not even asked for', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:30000', 'dst'] })
  let copies = 0
  const url = await front(server.url, {
    before: ({ method, url: path }) =>
      isCopy(method, path) && copies++ >= 2000 ? refused(403, 'QuotaExceeded') : undefined,
  })
  const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', url, ...OPTIONS, '--retry-for', '5s']
  const { code, stderr } = await run(args, { cwd })
  expect(code).toBe(4)
  expect(stderr).toMatch(/objects in a row failed alike \(QuotaExceeded\), and so did those tried in the 5 s since/)
  expect(stderr).toContain('--only-failed')
  expect(await failedIn(cwd)).toBeLessThan(8000)
  copies = -Infinity
  // What failed is in the ledger, and the rest is done by a resume.
  expect((await run(['resume', 'run'], { cwd })).code).toBe(3)
  expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(0)
  expect((await contentOf(server, 'dst')).size).toBe(30000)
})

test.each<[string, RegExp]>([
  ['at the beginning', /\/0000000[0-3]|\/000000[0-2]/],
  ['at the end', /.^/],
])('a bucket of which many may not be read (%s of the listing) is done to its end', async (where) => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:10000', 'dst'] })
  const isDenied = (key: number): boolean => (where === 'at the beginning' ? key < 6000 : key >= 4000)
  const url = await front(server.url, {
    before({ method, url: path = '' }) {
      const number = /(\d+)[^/]*$/.exec(path)?.[1]
      return isCopy(method, path) && isDenied(Number(number)) ? refused(403, 'AccessDenied') : undefined
    },
  })
  const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', url, ...OPTIONS], { cwd })
  expect([code, stderr]).toEqual([3, expect.stringContaining('6,000 failed') as string])
  expect(stderr).not.toContain('paused')
  expect((await contentOf(server, 'dst')).size).toBe(4000)
})

test('permissions that are taken away in the middle of a run pause it', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:12000', 'dst'] })
  let [copies, denied] = [0, false]
  const url = await front(server.url, {
    before({ method, url: path }) {
      if (isCopy(method, path) && ++copies === 2000) denied = true
      return denied && method === 'PUT' ? refused(403, 'AccessDenied') : undefined
    },
  })
  const running = start(['copy', 's3://src', 's3://dst', '--endpoint-url', url, ...OPTIONS], { cwd })
  await until(() => running.stderr().includes('paused: '), running)
  denied = false
  expect((await running.finished).code).toBe(3)
  expect(await failedIn(cwd)).toBeLessThan(6000)
})

test('status tells a run that is paused and why, and Ctrl-C ends it at once, resumable', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:12000', 'dst'] })
  let copies = 0
  const url = await front(server.url, {
    before: ({ method, url: path }) => (isCopy(method, path) && copies++ >= 1500 ? refused(507, '') : undefined),
  })
  const running = start(['copy', 's3://src', 's3://dst', '--endpoint-url', url, ...OPTIONS], { cwd })
  await until(() => running.stderr().includes('paused: '), running)
  const status = async (): Promise<string> => (await run(['status', 'run'], { cwd })).stdout
  // Every second a checkpoint is written.
  let told = await status()
  while (!told.includes('  paused ')) told = await status()
  expect(told).toMatch(
    /^ {2}paused {4}nearly every object failed alike \(InsufficientStorage\); a few are tried now and then$/m,
  )
  expect((await run(['status'], { cwd })).stdout + told).not.toContain('undefined')
  running.kill('SIGINT')
  const { stderr } = await running.finished
  expect(await status()).not.toContain('paused')
  expect(stderr).toContain('interrupted before it finished')
  copies = -Infinity
  expect((await run(['resume', 'run'], { cwd })).code).toBe(3)
  expect((await contentOf(server, 'dst')).size).toBe(12000 - (await failedIn(cwd)))
})
