import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/commands/options/exit.js'
import { sandbox } from '../support/cli-buckets.js'
import { PROGRAM, refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { installed } from '../support/installed.js'

const CONTRIB = fileURLToPath(new URL('../../contrib', import.meta.url))
const MUNIN_RUN = '/usr/sbin/munin-run'

/** A folder with a run that has ended, one that was killed, and one of which objects failed. */
async function runs() {
  const cwd = await workFolder()
  const server = await sandbox({
    buckets: ['src:hex:300', 'bad:seq:40:denied=4', 'slow:hex:9k', 'dst'],
    latency: 'copy=5-9',
  })
  const at = ['--endpoint-url', server.url, '-q', '--checkpoint']
  expect((await run(['copy', 's3://src', 's3://dst/a/', ...at, '.s3move/well'], { cwd })).code).toBe(0)
  expect((await run(['copy', 's3://bad', 's3://dst/b/', ...at, '.s3move/bad'], { cwd })).code).toBe(3)
  const slow = start(['copy', 's3://slow', 's3://dst/c/', ...at, '.s3move/killed', '--concurrency', '8'], { cwd })
  const copies = (): number => server.stats().copies.dst?.total ?? 0
  await until(() => copies() > 900, slow)
  slow.kill('SIGKILL')
  await slow.finished
  return cwd
}

const check = async (cwd: string, ...more: string[]) => {
  const { code, stdout, stderr } = await run(['status', ...more, '--format', 'nagios'], { cwd })
  expect(stderr).toBe('')
  return { code, lines: stdout.trimEnd().split('\n') }
}

describe('status for monitoring systems', () => {
  test('says for Nagios in a line and by its exit code what a run is at, and for several the worst', async () => {
    const cwd = await runs()
    const well = await check(cwd, '.s3move/well')
    expect(well).toEqual({
      code: 0,
      lines: [expect.stringMatching(/^S3MOVE OK - \.s3move\/well: finished, 300 of 300 objects \| done=300c;;;0; /)],
    })
    expect(well.lines[0]).toContain(' failed=0;0;;0;')
    expect(await check(cwd, '.s3move/bad')).toMatchObject({
      code: 1,
      lines: [expect.stringMatching(/^S3MOVE WARNING - .*, 10 failed \|/)],
    })
    expect(await check(cwd, '.s3move/bad', '--warning', '10')).toMatchObject({ code: 0 })
    expect(await check(cwd, '.s3move/bad', '--warning', '20', '--critical', '9')).toMatchObject({ code: 2 })
    const killed = await check(cwd, '.s3move/killed')
    expect(killed).toMatchObject({
      code: 2,
      lines: [expect.stringMatching(/: killed, .*; next: s3move resume \.s3move\/killed \|/)],
    })
    const all = await check(cwd)
    expect(all.code).toBe(2)
    expect(all.lines).toHaveLength(3)
    expect(all.lines.map((line) => line.replace(/:.*/, ''))).toEqual([
      'S3MOVE CRITICAL - .s3move/killed',
      '.s3move/bad',
      '.s3move/well',
    ])
    expect(all.lines.join('')).not.toContain('|')
  })

  test('says UNKNOWN, and why, where Nagios would take another exit code for one of its own', async () => {
    const cwd = await workFolder()
    expect(await check(cwd)).toMatchObject({
      code: 3,
      lines: [expect.stringMatching(/^S3MOVE UNKNOWN - there is no run below /)],
    })
    expect(await check(cwd, 'none')).toMatchObject({
      code: 3,
      lines: [expect.stringMatching(/^S3MOVE UNKNOWN - there is no checkpoint at /)],
    })
    await mkdir(join(cwd, 'torn'))
    await writeFile(join(cwd, 'torn/checkpoint.json'), '{"format":2,')
    expect(await check(cwd, 'torn')).toMatchObject({ code: 3 })
    expect(await check(cwd, 'torn', '--warning', '5:2')).toMatchObject({
      code: 3,
      lines: [expect.stringMatching(/^S3MOVE UNKNOWN - --warning wants a range/)],
    })
  })

  test.skipIf(!installed('promtool'))('has metrics of which Prometheus has nothing to say', async () => {
    const cwd = await runs()
    const { code, stdout } = await run(['status', '--format', 'prometheus'], { cwd })
    expect(code).toBe(0)
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: stdout, encoding: 'utf8' })
    expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', ''])
    const lines = stdout.split('\n')
    for (const line of [
      's3move_objects_total{run="well",outcome="written"} 300',
      's3move_objects_total{run="bad",outcome="written"} 30',
      's3move_failed_objects{run="bad",code="AccessDenied"} 10',
      's3move_run_state{run="well",state="finished"} 1',
      's3move_run_state{run="killed",state="killed"} 1',
      's3move_run_state{run="killed",state="at_work"} 0',
    ]) {
      expect(lines).toContain(line)
    }
  })

  test('keeps counters over a resume, and no name of a run breaks a line', async () => {
    const cwd = await runs()
    const before = await run(['status', '--format', 'prometheus', '.s3move/killed'], { cwd })
    const written = (text: string): number => Number(/_objects_total\{.*"written"\} ([0-9]+)/.exec(text)?.[1])
    expect(written(before.stdout)).toBeGreaterThan(0)
    const resumed = await run(['resume', '.s3move/killed', '-q', '--concurrency', '256'], { cwd })
    expect(resumed.code).toBe(0)
    expect(written((await run(['status', '--format', 'prometheus', '.s3move/killed'], { cwd })).stdout)).toBe(9000)
    const name = 'a"b\nc\\'
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '-q', '--endpoint-url', server.url, '--checkpoint', name]
    expect((await run(args, { cwd })).code).toBe(0)
    const { stdout } = await run(['status', name, '--format', 'prometheus'], { cwd })
    for (const line of stdout.split('\n')) expect(line).toMatch(/^$|^# (?:HELP|TYPE) |^s3move_\w+\{run="a\\"b[^"]*"/)
    const munin = await run(['status', name, '--format', 'munin'], { cwd })
    for (const line of munin.stdout.trimEnd().split('\n'))
      expect(line).toMatch(/^multigraph [A-Za-z0-9_]+$|^graph_[a-z]+ |^[a-z]+\.[a-z]+ /)
  })

  test.skipIf(!installed('promtool'))('has alert rules that fire for what is wrong and for nothing else', () => {
    for (const args of [
      ['check', 'rules', 's3move.rules.yml'],
      ['test', 'rules', 's3move.rules.test.yml'],
    ]) {
      const { status, stdout } = spawnSync('promtool', args, { cwd: join(CONTRIB, 'prometheus'), encoding: 'utf8' })
      expect([status, stdout]).toEqual([0, expect.stringContaining('SUCCESS')])
    }
  })

  test('every metric of dashboard and alerts is one that there is', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '-q', '--endpoint-url', server.url, '--checkpoint', 'run']
    expect((await run(args, { cwd })).code).toBe(0)
    const { stdout } = await run(['status', 'run', '--format', 'prometheus'], { cwd })
    const there = new Set([...stdout.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name))
    for (const file of ['prometheus/s3move.rules.yml', 'grafana/s3move.json']) {
      const text = await readFile(join(CONTRIB, file), 'utf8')
      const used = [...new Set(text.match(/\bs3move_\w+/g))]
      expect(used.length).toBeGreaterThan(3)
      for (const name of used) expect(there).toContain(name)
    }
  })

  test.skipIf(!existsSync(MUNIN_RUN))(
    'Munin runs the plugin: it fits, suggests the runs, and each value has a field of the configuration',
    async () => {
      const cwd = await runs()
      const program = join(cwd, 's3move')
      await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`)
      await chmod(program, 0o755)
      const [plugins, settings] = [join(cwd, 'plugins'), join(cwd, 'plugin-conf.d')]
      for (const folder of [plugins, settings]) await mkdir(folder)
      const user = spawnSync('id', ['-un'], { encoding: 'utf8' }).stdout.trim()
      await writeFile(join(settings, 's3move'), `[s3move_*]\nuser ${user}\nenv.dir ${cwd}\nenv.s3move ${program}\n`)
      for (const name of ['s3move_', 's3move_well']) await symlink(join(CONTRIB, 'munin/s3move_'), join(plugins, name))
      await writeFile(join(cwd, 'node.conf'), 'log_file /dev/null\n')
      const munin = (...args: string[]): string => {
        const paths = ['--config', join(cwd, 'node.conf'), '--servicedir', plugins, '--sconfdir', settings]
        const { status, stdout } = spawnSync(MUNIN_RUN, [...paths, ...args], { encoding: 'utf8' })
        expect(status).toBe(0)
        return stdout
      }
      expect(munin('s3move_', 'autoconf')).toBe('yes\n')
      expect(munin('s3move_', 'suggest').trim().split('\n').sort()).toEqual(['bad', 'killed', 'well'])
      const graphs = (text: string): Map<string, string[]> => {
        const found = new Map<string, string[]>()
        for (const part of text.split(/^multigraph /m).slice(1)) {
          const [name = '', ...lines] = part.trimEnd().split('\n')
          found.set(name, lines)
        }
        return found
      }
      const config = graphs(munin('s3move_', 'config'))
      const values = graphs(munin('s3move_'))
      expect([...values.keys()]).toEqual([...config.keys()])
      expect(config.size).toBe(15)
      for (const [name, lines] of values) {
        const fields = (config.get(name) ?? []).flatMap((line) => /^(\w+)\.label /.exec(line)?.[1] ?? [])
        expect(lines.map((line) => line.replace(/\.value .*/, ''))).toEqual(fields)
        const whole = (config.get(name) ?? []).flatMap((line) => /^(\w+)\.type DERIVE/.exec(line)?.[1] ?? [])
        for (const field of whole) expect(lines.join('\n')).toMatch(new RegExp(`^${field}\\.value \\d+$`, 'm'))
      }
      expect(values.get('s3move_well_objects')).toContain('written.value 300')
      expect(values.get('s3move_bad_failed')).toContain('failed.value 10')
      expect([...graphs(munin('s3move_well')).keys()].every((name) => name.startsWith('s3move_well_'))).toBe(true)
    },
  )

  test('refuses what does not go together', async () => {
    const cwd = await workFolder()
    const refused = async (...args: string[]) => refusal(await run(['status', ...args], { cwd }))
    expect(await refused('--warning', '1')).toContain('--warning is for --format nagios')
    expect(await refused('--format', 'prometheus', '--critical', '1')).toContain('--critical is for --format nagios')
    expect(await refused('--format', 'munin', '--watch')).toContain('--watch and --format munin contradict each other')
    expect(await refused('--format', 'prometheus', '--json')).toContain('contradict each other')
    expect(await refused('--format', 'xml')).toContain('nagios')
  })
})

describe('the units for systemd', () => {
  test.skipIf(!installed('systemd-analyze'))('are what systemd takes (skipped without systemd-analyze)', async () => {
    const cwd = await workFolder()
    const units = ['service', 'timer'].map((kind) => join(cwd, `s3move@nightly.${kind}`))
    for (const unit of units) {
      const template = join(CONTRIB, 'systemd', `s3move@${unit.slice(unit.lastIndexOf('.'))}`)
      await writeFile(unit, await readFile(template, 'utf8'))
    }
    const verified = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' })
    expect([verified.status, verified.stderr.replace(/^.*SYSTEMD_LOG.*$/gm, '')]).toEqual([0, ''])
    await writeFile(units[0]!, (await readFile(units[0]!, 'utf8')).replace('WatchdogSec=15min', 'WatchdogSec=later'))
    const wrong = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' })
    expect(wrong.stderr).toContain('Failed to parse sec value')
  })

  test('start no run again for what a start does not mend, by the exit codes that commands have', async () => {
    const unit = await readFile(join(CONTRIB, 'systemd/s3move@.service'), 'utf8')
    const { usage, failures, interrupted } = EXIT
    expect(unit).toContain(`\nRestartPreventExitStatus=${usage} ${failures}\nSuccessExitStatus=${interrupted}\n`)
  })
})
