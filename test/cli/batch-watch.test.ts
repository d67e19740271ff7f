import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf, ledgerOf } from '../support/batch-runs.js'
import { contentOf, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const COPY = ['batch', 'copy', 's3://src', 's3://dst', ...ASKED, '--yes']

/** Begins a copy by jobs, and ends s3move once it has made so many requests of an operation. */
async function begun(server: TestSandbox, operation: string, signal: 'SIGINT' | 'SIGKILL', args: string[] = []) {
  const cwd = await workFolder()
  const running = start([...COPY, ...args, '--endpoint-url', server.url], { cwd })
  await until(() => (server.stats().byOperation[operation] ?? 0) > 0, running)
  running.kill(signal)
  await running.finished
  return cwd
}

const updates = (server: TestSandbox): number => server.stats().byOperation.UpdateJobStatus ?? 0

describe('s3move batch watch', () => {
  test('shows jobs until they end, and starts, counts and saves nothing', async () => {
    const server = await sandbox({ buckets: ['src:hex:4000:denied=100', 'dst', 'own'] })
    const cwd = await begun(server, 'UpdateJobStatus', 'SIGINT')
    const checkpoint = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')
    const before = updates(server)
    const { code, stdout, stderr } = await run(['batch', 'watch', 'run'], { cwd })
    const lines = stdout.trimEnd().split('\n')
    expect([code, stderr]).toEqual([0, 'the jobs have ended; to count what they did: s3move resume run\n'])
    expect(lines.length).toBeGreaterThan(2)
    expect(lines.at(-1)).toBe('run: 1 of S3 Batch Operations: 1 Complete; 3,960 of 4,000 objects copied, 40 failed')
    expect([await readFile(join(cwd, 'run/checkpoint.json'), 'utf8'), updates(server)]).toEqual([checkpoint, before])
    const json = await run(['batch', 'watch', 'run', '--json'], { cwd })
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ type: 'status', state: 'unfinished' },
      jobs: [{ status: 'Complete', objects: 4000, copied: 3960, failed: 40 }],
    })
    expect((await run(['resume', 'run'], { cwd })).code).toBe(3)
    const done = await run(['batch', 'watch', 'run'], { cwd })
    expect([done.code, done.stderr]).toEqual([0, ''])
  })

  test.each(['watch', 'cancel'])('%s wants a run with jobs', async (operation) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:10', 'dst'] })
    expect(
      refusal(await run(['batch', operation, '--yes'].slice(0, operation === 'watch' ? 2 : 3), { cwd })),
    ).toContain('no run here has jobs of S3 Batch Operations under way')
    await run(['copy', 's3://src', 's3://dst', '--checkpoint', 'run', '--endpoint-url', server.url], { cwd })
    expect(refusal(await run(['batch', operation, 'run'], { cwd }))).toContain('has no jobs of S3 Batch Operations')
    expect(refusal(await run(['batch', operation, 'run', '--role-arn', 'x'], { cwd }))).toContain(
      `batch ${operation} has no option --role-arn`,
    )
  })
})

describe('s3move batch cancel', () => {
  test('ends jobs that are at work; what they did not do is in the ledger then, and s3move does it', async () => {
    const server = await sandbox({ buckets: ['src:hex:4000', 'dst', 'own'] })
    const cwd = await begun(server, 'UpdateJobStatus', 'SIGINT', ['--job-rows', '2000'])
    expect(refusal(await run(['batch', 'cancel', 'run'], { cwd }))).toContain('add --yes')
    const end = await run(['batch', 'cancel', 'run', '--yes'], { cwd })
    expect([end.code, end.stderr]).toEqual([
      0,
      expect.stringMatching(/^(?:job \S+ is cancelled\n){2}what they have done stays; .*: s3move resume run\n$/),
    ])
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([3, expect.stringContaining('4,000 BatchJobCancelled')])
    expect(await jobsOf(server)).toEqual(['Cancelled', 'Cancelled'])
    expect((await ledgerOf(cwd)).length).toBe(4000)
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(0)
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual([...(await contentOf(server, 'src')).keys()])
    const again = await run(['batch', 'cancel', 'run', '--yes'], { cwd })
    expect([again.code, again.stderr]).toEqual([0, 'nothing to cancel: the jobs have ended; all is counted\n'])
  })

  test('finds jobs whose making was not saved, and a resume starts none of them', async () => {
    const server = await sandbox({ buckets: ['src:hex:900', 'dst', 'own'], latency: 'other=30' })
    const cwd = await begun(server, 'CreateJob', 'SIGKILL')
    const end = await run(['batch', 'cancel', '--yes', 'run'], { cwd })
    expect([end.code, end.stderr]).toEqual([0, expect.stringMatching(/^job \S+ is cancelled\n/)])
    expect(updates(server)).toBe(1)
    const resumed = await run(['resume', 'run', '--yes'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([3, expect.stringContaining('900 BatchJobCancelled')])
    expect([updates(server), (await contentOf(server, 'dst')).size]).toEqual([1, 0])
  })
})
