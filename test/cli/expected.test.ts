import { expect, test } from 'vitest'
import { sandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder } from '../support/cli-program.js'

interface Told {
  readonly share: number | null
  readonly leftMs: number | null
  readonly expected: { readonly objects: number; readonly told: boolean } | null
}

test('what an earlier run counted is expected by the next one at the place, said, and told by status while it works and when it was interrupted', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['src:seq:3000', 'dst', 'other'], latency: 'copy=10-20' })
  const at = ['--endpoint-url', server.url]
  const counted = await run(['du', 's3://src', ...at, '--checkpoint', '.s3move/count'], { cwd })
  expect([counted.code, counted.stderr]).toEqual([0, ''])
  const running = start(['copy', 's3://src', 's3://dst', ...at, '--concurrency', '8', '--lanes', '1'], { cwd })
  const told = async (): Promise<Told> => {
    const { stdout } = await run(['status', '--json'], { cwd })
    const runs = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Told & { job: { kind: string } })
    return runs.find(({ job }) => job.kind === 'copy')!
  }
  await until(() => running.stderr().includes('checkpoint .s3move/'), running)
  expect(running.stderr()).toMatch(
    /^expecting about 3,000 objects, as du counted \d.* ago \(--expect N says otherwise\)\n/m,
  )
  await until(async () => ((await told().catch(() => undefined))?.share ?? 0) > 0, running)
  running.kill('SIGINT')
  expect((await running.finished).code).toBe(130)
  const { share, leftMs, expected } = await told()
  expect(expected).toEqual({ objects: 3000, told: true })
  expect(share).toBeGreaterThan(0)
  expect(share).toBeLessThan(1)
  expect(leftMs).toBeGreaterThan(0)
  const { stdout: page } = await run(['status'], { cwd })
  expect(page).toMatch(/^stopped {3}[\d,]+ of [\d,]+\+ +~\d+% /m)
  const resumed = await run(['resume', ...at], { cwd })
  expect(resumed.stderr).toContain('3,000')
  expect(await told()).toMatchObject({ share: null, expected: null })
  // Who says it himself is not told of another.
  const again = ['copy', 's3://src', 's3://other', ...at, '--expect', '4000']
  expect((await run(again, { cwd })).stderr).not.toContain('expecting')
})

test('what one page holds is not looked up in earlier runs, nor by those that keep nothing and show nothing', async () => {
  const cwd = await workFolder()
  const server = await sandbox({ buckets: ['small:seq:500', 'src:seq:1500', 'dst'] })
  const at = ['--endpoint-url', server.url]
  for (const bucket of ['small', 'src'])
    expect((await run(['copy', `s3://${bucket}`, `s3://dst/${bucket}/`, ...at], { cwd })).code).toBe(0)
  const du = async (bucket: string, ...flags: string[]): Promise<string> =>
    (await run(['du', `s3://${bucket}`, ...at, ...flags], { cwd })).stderr
  expect(await du('small')).toBe('')
  expect(await du('src', '--quiet')).toBe('')
  expect(await du('src', '--json')).toBe('')
  expect(await du('src')).toMatch(/^expecting about 1,500 objects, as copy counted /)
  // Nobody sees a share of it.
  expect((await run(['ls', 's3://src', ...at], { cwd })).stderr).toBe('')
})
