import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import ts from 'typescript'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { thisProcess } from '../../../src/checkpoint/lock-holder.js'
import type { Holder } from '../../../src/checkpoint/lock-holder.js'
import { lockRun } from '../../../src/checkpoint/lock.js'
import { UserError } from '../../../src/errors.js'
import { fill, smallDisk, unprivileged } from '../../support/checkpoint-disk.js'

const linux = process.platform === 'linux'
let folder: string
const children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3move-lock-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const end = once(child, 'exit')
      child.kill('SIGKILL')
      await end
    }
  }
  await rm(folder, { recursive: true, force: true })
})

/** A lock as another process would have left it. */
async function leave(generation: number, holder: Partial<Holder> | string): Promise<void> {
  const path = join(folder, `lock.${generation}`)
  await mkdir(path)
  const whole = typeof holder === 'string' ? holder : JSON.stringify({ ...thisProcess('other'), ...holder })
  await writeFile(join(path, 'holder.json'), whole)
}

function without(...names: (keyof Holder)[]): string {
  const left = Object.entries(thisProcess('other')).filter(([name]) => !names.includes(name as keyof Holder))
  return JSON.stringify(Object.fromEntries(left))
}

function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

function sleeper(): ChildProcess & { pid: number } {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1 << 30)'], { stdio: 'ignore' })
  children.push(child)
  if (child.pid === undefined) throw new Error('no process was started')
  return Object.assign(child, { pid: child.pid })
}

async function refusal(): Promise<UserError> {
  const problem = await lockRun(folder).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(problem).toBeInstanceOf(UserError)
  return problem as UserError
}

async function locks(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('lock.')).sort()
}

describe('the lock of a run', () => {
  it('is held by one at a time, and taken again after its release', async () => {
    const lock = await lockRun(folder)
    const problem = await refusal()
    expect(problem.message).toMatch(new RegExp(`is in use by process ${process.pid} on .+ \\(since 20.+Z\\)$`))
    expect(problem.hint).toContain('stop it')
    await lock.release()
    await lock.release()
    const again = await lockRun(folder)
    await refusal()
    await again.release()
    expect(await locks()).toEqual(['lock.2'])
  })

  it('may be read by its owner only', async () => {
    await lockRun(folder)
    expect((await stat(join(folder, 'lock.1'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'lock.1', 'holder.json'))).mode & 0o777).toBe(0o600)
  })

  it('is not given to a second time by a release that comes late', async () => {
    const first = await lockRun(folder)
    await first.release()
    await lockRun(folder)
    await first.release()
    await refusal()
  })

  it('is left alone by the release of a holder whose lock a person deleted', async () => {
    const first = await lockRun(folder)
    await rm(join(folder, 'lock.1'), { recursive: true })
    await lockRun(folder)
    await first.release()
    await refusal()
    expect(await locks()).toEqual(['lock.1'])
  })

  it('is refused while the process that holds it lives, and taken over when it was killed', async () => {
    const child = sleeper()
    await leave(4, JSON.stringify({ ...JSON.parse(without('processStart')), pid: child.pid }))
    expect((await refusal()).message).toContain(`is in use by process ${child.pid} on `)
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
    await lockRun(folder)
    expect(await locks()).toEqual(['lock.5'])
  })

  it('is taken over from a dead process, and what crashes left is removed', async () => {
    await leave(2, { pid: deadPid() })
    await leave(7, { pid: deadPid() })
    await mkdir(join(folder, 'lock.abc.tmp'))
    await writeFile(join(folder, 'checkpoint.json.12-ab.tmp'), '{')
    await writeFile(join(folder, 'checkpoint.json'), '{}')
    await writeFile(join(folder, 'notes.tmp'), '')
    await lockRun(folder)
    expect((await readdir(folder)).sort()).toEqual(['checkpoint.json', 'lock.8', 'notes.tmp'])
  })

  it.runIf(linux)('is taken over when the pid now belongs to another process', async () => {
    await leave(1, { pid: sleeper().pid, processStart: '1' })
    await lockRun(folder)
  })

  it.runIf(linux)('is taken over after the machine was started anew, whatever has the pid now', async () => {
    await leave(1, { boot: '00000000-0000-0000-0000-000000000000', pidNamespace: 'pid:[1]' })
    await lockRun(folder)
  })

  it.runIf(linux)('is taken over from a process that has ended but was not waited for', async () => {
    // A shell may wait for it; sleep, which takes the shell's place before it ends, does not.
    const script = 'exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 1000 <&- 3<&-'
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
    children.push(parent)
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    while ((await readFile(`/proc/${parent.pid!}/comm`, 'utf8')) !== 'sleep\n') await setImmediate()
    parent.stdin.end()
    while (!/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))) await setImmediate()
    await leave(1, JSON.stringify({ ...JSON.parse(without('processStart')), pid }))
    await lockRun(folder)
  })

  it.each<[string, Partial<Holder>]>([
    ['another host', { host: 'elsewhere\u001b[2J' }],
    ['a machine of the same name', { machine: 'ffff', boot: 'ffff' }],
    ['another container', { pidNamespace: 'pid:[1]' }],
  ])('is refused when the process is of %s, with what to delete once sure', async (_title, holder) => {
    await leave(3, { ...holder, pid: deadPid() })
    const problem = await refusal()
    expect(problem.message).toContain('which cannot be seen from here')
    expect(problem.message).not.toContain('\u001b')
    expect(problem.hint).toContain(`delete the folder ${join(folder, 'lock.3')} and try again`)
    await rm(join(folder, 'lock.3'), { recursive: true })
    await lockRun(folder)
  })

  it('is refused when it is of a version that is not understood', async () => {
    await leave(3, '{"format":9}')
    const problem = await refusal()
    expect(problem.message).toContain('does not understand')
    expect(problem.hint).toContain(join(folder, 'lock.3'))
  })

  it.each(['', '{"pid":', '\u0000\u0000\u0000'])(
    'is taken over when its content is %j, which nobody alive wrote',
    async (content) => {
      await leave(3, content)
      await lockRun(folder)
      expect(await locks()).toEqual(['lock.4'])
    },
  )

  it('is not judged by lower generations or by other names', async () => {
    await leave(1, {})
    await leave(9, { pid: deadPid() })
    await mkdir(join(folder, 'lock.x'))
    await writeFile(join(folder, 'lock.010'), '')
    await lockRun(folder)
    expect(await locks()).toEqual(['lock.010', 'lock.10', 'lock.x'])
  })

  it('goes to exactly one of many who find the lock of a dead process at once', async () => {
    await leave(1, { pid: deadPid() })
    for (let round = 0; round < 20; round++) {
      const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockRun(folder)))
      const won = tries.filter((one) => one.status === 'fulfilled')
      expect(won).toHaveLength(1)
      for (const lost of tries) if (lost.status === 'rejected') expect(lost.reason).toBeInstanceOf(UserError)
      await won[0]!.value.release()
    }
    expect(await locks()).toEqual(['lock.21'])
  })
})

describe('the lock of a run in a folder that fails', () => {
  it('is refused in words when the folder is gone', async () => {
    await expect(lockRun(join(folder, 'gone'))).rejects.toMatchObject({
      name: 'CheckpointError',
      message: `cannot read the folder ${join(folder, 'gone')}: it does not exist, or was removed`,
    })
  })

  it('is refused in words when the folder must not be written', async () => {
    await chmod(folder, 0o555)
    const problem = await unprivileged(() => lockRun(folder))
    await chmod(folder, 0o755)
    expect(problem).toMatchObject({ name: 'CheckpointError', message: `cannot lock ${folder}: permission denied` })
    expect(await readdir(folder)).toEqual([])
  })

  it('is not taken over when it must not be read', async () => {
    await leave(1, { pid: deadPid() })
    await chmod(join(folder, 'lock.1'), 0o000)
    await chmod(folder, 0o777)
    const problem = await unprivileged(() => lockRun(folder))
    await chmod(join(folder, 'lock.1'), 0o700)
    expect(problem).toMatchObject({
      name: 'CheckpointError',
      message: expect.stringContaining('permission denied') as string,
    })
    expect(await locks()).toEqual(['lock.1'])
  })

  it('is not taken on a full disk, but can be released there (where a small one can be mounted)', async ({ skip }) => {
    const disk = (await smallDisk()) ?? skip('needs the superuser of a Linux')
    try {
      const lock = await lockRun(disk.path)
      await fill(disk.path)
      await lock.release()
      await expect(lockRun(disk.path)).rejects.toMatchObject({
        name: 'CheckpointError',
        message: `cannot lock ${disk.path}: the disk is full`,
      })
      expect((await readdir(disk.path)).sort()).toEqual(['ballast', 'lock.1'])
      await rm(join(disk.path, 'ballast'))
      await lockRun(disk.path)
    } finally {
      await disk.remove()
    }
  })
})

describe('the lock of a run between processes', () => {
  let compiled: string
  beforeAll(async () => {
    compiled = await mkdtemp(join(tmpdir(), 's3move-compiled-'))
    await writeFile(join(compiled, 'package.json'), '{"type":"module"}')
    const names = ['keys.ts', 'errors.ts', 'file-system.ts', 'processes.ts', 'times.ts']
    for (const room of ['checkpoint', 'job']) {
      await mkdir(join(compiled, room))
      names.push(...(await readdir(join('src', room))).map((name) => `${room}/${name}`))
    }
    for (const name of names) {
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
      const { outputText } = ts.transpileModule(await readFile(join('src', name), 'utf8'), { compilerOptions: options })
      await writeFile(join(compiled, name.replace(/\.ts$/, '.js')), outputText)
    }
    await writeFile(join(compiled, 'take.js'), TAKE)
    await writeFile(join(compiled, 'contend.js'), CONTEND)
  })
  afterAll(async () => {
    await rm(compiled, { recursive: true, force: true })
  })

  function run(script: string, ...args: string[]): ChildProcess & { stdout: NodeJS.ReadableStream } {
    const child = spawn(process.execPath, [join(compiled, script), folder, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    return child
  }

  it('is refused with the pid of the other process, and taken over once that is killed', async () => {
    const child = run('take.js')
    await once(child.stdout, 'data')
    expect((await refusal()).message).toContain(`is in use by process ${child.pid} on `)
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
    await lockRun(folder)
    expect(await locks()).toEqual(['lock.2'])
  })

  it('is never held by two, however many take, release, and are killed while they hold it', async () => {
    const rounds = 12
    const ends = Array.from({ length: 8 }, async (_, index) => {
      const child = run('contend.js', String(rounds), index % 2 === 0 ? 'killed' : 'released')
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
      return { output, end: code ?? signal }
    })
    const expected = Array.from({ length: 8 }, (_, index) => ({ output: '', end: index % 2 === 0 ? 'SIGKILL' : 0 }))
    expect(await Promise.all(ends)).toEqual(expected)
    const lock = await lockRun(folder)
    expect(await locks()).toEqual([`lock.${8 * rounds + 1}`])
    expect(existsSync(join(folder, 'inside'))).toBe(false)
    await lock.release()
  })
})

const TAKE = `
import { lockRun } from './checkpoint/lock.js'
await lockRun(process.argv[2])
console.log('taken')
setInterval(() => {}, 1 << 30)
`

// Takes the lock so many times; inside, it makes a file that must not be there, and removes it.
const CONTEND = `
import { open, rm } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { lockRun } from './checkpoint/lock.js'
const [folder, rounds, end] = process.argv.slice(2)
const inside = folder + '/inside'
for (let round = 1; round <= Number(rounds); ) {
  let lock
  try {
    lock = await lockRun(folder)
  } catch (error) {
    if (error.name !== 'UserError') throw error
    await setImmediate()
    continue
  }
  await (await open(inside, 'wx')).close()
  await setImmediate()
  await rm(inside)
  if (round === Number(rounds) && end === 'killed') process.kill(process.pid, 'SIGKILL')
  await lock.release()
  round++
}
`
