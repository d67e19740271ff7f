import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf } from '../support/batch-runs.js'
import { contentOf, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { offer } from '../support/price-offer.js'

const COPY = ['batch', 'copy', 's3://src', 's3://dst', ...ASKED]
// A copy or a listing is a dollar.
const DEAR = { 'Requests-Tier1': '1', 'Requests-Tier2': '0' }

describe('s3move batch --max-cost', () => {
  test('makes no job that would cost more, and goes on once more is allowed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1200', 'dst', 'own'] })
    const prices = await offer(cwd, DEAR)
    const args = [...COPY, '--yes', '--prices', prices, '--endpoint-url', server.url]
    const dry = await run([...args.filter((one) => one !== '--yes'), '--dry-run'], { cwd })
    expect(dry.stderr).toMatch(
      /^price about US\$ 1,2\d\d\.\d\d: fees of jobs and objects, requests, and what they read/m,
    )
    const end = await run([...args, '--max-cost', '1000'], { cwd })
    expect([end.code, end.stderr]).toEqual([4, expect.stringContaining('at most (--max-cost 1000): no job was made')])
    expect(end.stderr).toMatch(/what it costs would be about US\$ 1,2\d\d\.\d\d, and may be US\$ 1,000\.00/)
    expect(end.stderr).toContain('s3move resume run --max-cost USD')
    expect([await jobsOf(server), server.stats().copies.dst]).toEqual([[], undefined])
    // It is remembered.
    const same = await run(['resume', 'run', '--yes'], { cwd })
    expect([same.code, await jobsOf(server)]).toEqual([4, []])
    const more = await run(['resume', 'run', '--yes', '--max-cost', '2000'], { cwd })
    expect([more.code, more.stderr]).toEqual([0, expect.stringContaining('1,200 objects copied')])
    expect((await contentOf(server, 'dst')).size).toBe(1200)
  })

  test('leaves jobs that wait suspended, and is refused once they are started', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1200', 'dst', 'own'], latency: 'other=30' })
    const prices = await offer(cwd, DEAR)
    const where = ['--endpoint-url', server.url]
    const running = start([...COPY, '--yes', '--prices', prices, ...where], { cwd })
    await until(() => (server.stats().byOperation.DescribeJob ?? 0) > 0, running)
    running.kill('SIGKILL')
    await running.finished
    const held = await run(['resume', 'run', '--yes', '--max-cost', '5'], { cwd })
    expect([held.code, held.stderr]).toEqual([
      4,
      expect.stringContaining('its jobs wait, suspended, and none was started'),
    ])
    expect(held.stderr).toContain('s3move batch cancel run ends the jobs')
    expect((await contentOf(server, 'dst')).size).toBe(0)
    const again = start(['resume', 'run', '--yes', '--max-cost', '5000'], { cwd })
    await until(() => (server.stats().byOperation.UpdateJobStatus ?? 0) > 0, again)
    again.kill('SIGKILL')
    await again.finished
    expect(refusal(await run(['resume', 'run', '--yes', '--max-cost', '5'], { cwd }))).toContain(
      '--max-cost comes too late: the jobs were started',
    )
    expect((await run(['resume', 'run', '--yes'], { cwd })).code).toBe(0)
  })

  test('is refused where no price is known, before anything is listed, and later where one is missing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'] })
    const args = [...COPY, '--yes', '--endpoint-url', server.url, '--max-cost', '5000']
    expect(refusal(await run(args, { cwd }))).toContain('--max-cost needs prices, and there are none of this store')
    // What reading this class costs no price list has.
    await put(server, 'src', 'a', { Body: 'x', StorageClass: 'REDUCED_REDUNDANCY' })
    const half = await offer(cwd, { 'Requests-Tier1': '1' })
    const end = await run([...args, '--prices', half, '--storage-class', 'STANDARD'], { cwd })
    expect(end.code).toBe(4)
    expect(end.stderr).toContain('what it costs is not known')
    expect(await jobsOf(server)).toEqual([])
  })

  test('counts tags: they are requests of their own, and taking them away costs the fees alone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1200', 'own'] })
    const prices = await offer(cwd, DEAR)
    const dry = async (...how: string[]) =>
      (
        await run(
          ['batch', 'set-tags', 's3://src', ...ASKED, ...how, '-n', '--prices', prices, '--endpoint-url', server.url],
          { cwd },
        )
      ).stderr
    expect(await dry('--tagging', 'a=1')).toMatch(/^price about US\$ 1,2\d\d\./m)
    expect(await dry('--remove-all-tags')).toMatch(/^price about US\$ \d?\d\./m)
  })
})
