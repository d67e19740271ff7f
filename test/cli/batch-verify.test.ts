import { readFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf } from '../support/batch-runs.js'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const VERIFY = ['batch', 'verify', 's3://src', 's3://dst', ...ASKED]

interface Line {
  readonly key: string
  readonly verdict: string
  readonly differs?: readonly string[]
  readonly code?: string
  readonly message?: string
}

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

const copied = async (server: TestSandbox, cwd: string): Promise<void> => {
  const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'copying']
  expect((await run(copy, { cwd })).code).toBe(0)
}

describe('s3move batch verify', () => {
  test('finds that all bytes are the same, also of odd names, by a job a side and nothing downloaded', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:1500', 'dst', 'own'] })
    await copied(server, cwd)
    const before = server.stats().byOperation.GetObject ?? 0
    const end = await run([...VERIFY, '--yes', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stdout]).toEqual([0, ''])
    expect(end.stderr).toContain('source s3://src/: 1,500 objects')
    expect(end.stderr).toContain('price: about $0.50 for 3,000 objects in 2 jobs; what S3 bills for reading')
    expect(end.stderr).toContain('finished: no object differs')
    expect(end.stderr).toMatch(/\n {2}same {6}1,500 objects\n/)
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete'])
    // Manifests and reports alone.
    expect((server.stats().byOperation.GetObject ?? 0) - before).toBeLessThan(12)
    const { stdout } = await run(['status', 'run'], { cwd })
    expect(stdout).toMatch(/jobs {6}2 of S3 Batch Operations: 2 Complete; 3,000 of 3,000 objects read, 0 failed/)
    expect((await run(['resume', 'run'], { cwd })).stderr).toContain('nothing to resume')
    expect(readdirSync(join(cwd, 'run')).filter((name) => name.includes('sorting'))).toEqual([])
  })

  test('names what differs in its bytes alone, what only one side has, and what could not be read, by its code', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own', 'shut:hex:1:denied=1'] })
    for (const key of ['x/same', 'x/flipped', 'x/missing', 'x/longer'])
      await put(server, 'src', key, { Body: `${key} 0` })
    await put(server, 'dst', 'y/same', { Body: 'x/same 0' })
    await put(server, 'dst', 'y/flipped', { Body: 'x/flipped 1' })
    await put(server, 'dst', 'y/extra', { Body: 'e' })
    await put(server, 'dst', 'y/longer', { Body: 'x/longer 00' })
    const places = ['batch', 'verify', 's3://src/x/', 's3://dst/y/', ...ASKED, '--yes', '--endpoint-url', server.url]
    const end = await run([...places, '--checksum-algorithm', 'SHA256'], { cwd })
    expect([end.code, linesOf(end.stdout)]).toEqual([
      3,
      [
        expect.objectContaining({ key: 'x/extra', verdict: 'extra' }),
        expect.objectContaining({ key: 'x/flipped', verdict: 'different', differs: ['content'] }),
        expect.objectContaining({ key: 'x/longer', verdict: 'different', differs: ['size'] }),
        expect.objectContaining({ key: 'x/missing', verdict: 'missing' }),
      ],
    ])
    expect(end.stderr).toContain('finished: 4 objects differ')
    const shut = await run(
      [
        ...['batch', 'verify', 's3://shut', 's3://dst/', ...ASKED.slice(0, -1), 'shut', '--yes'],
        '--endpoint-url',
        server.url,
      ],
      { cwd },
    )
    expect(shut.code).toBe(3)
    const there = linesOf(shut.stdout)
    expect(there.filter(({ verdict }) => verdict === 'missing').length).toBe(1)
  })

  test('an object that a job could not read is unknown under the code of the report, and told what to do', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500:denied=50', 'dst', 'own'] })
    for (const key of [...(await contentOf(server, 'src')).keys()].slice(0, 3)) await put(server, 'dst', key, {})
    const end = await run([...VERIFY, '--yes', '--json', '--to', 'found.ndjson', '--endpoint-url', server.url], { cwd })
    expect(end.code).toBe(3)
    const summary = JSON.parse(end.stdout) as { verdicts: Record<string, number> }
    expect(summary).toMatchObject({ type: 'comparison', complete: true, exitCode: 3, objects: 1500 })
    const found = linesOf(await readFile(join(cwd, 'found.ndjson'), 'utf8'))
    expect(new Set(found.map(({ key }) => key)).size).toBe(1500)
    expect(found.length).toBe(1500)
  })
})
