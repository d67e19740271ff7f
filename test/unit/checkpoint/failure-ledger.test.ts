import {
  appendFile,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../../../src/checkpoint/checkpoint-error.js'
import { openFailures, readFailures } from '../../../src/checkpoint/failure-ledger.js'
import { LEDGER, RETRYING } from '../../../src/checkpoint/ledger-file.js'
import { beginRetry, endRetry, setAside } from '../../../src/checkpoint/retry-steps.js'
import { UserError } from '../../../src/errors.js'
import type { Failure } from '../../../src/job/outcome.js'
import { smallDisk } from '../../support/checkpoint-disk.js'

const start = { bytes: 0, entries: 0 }
const sample: Failure = {
  key: 'a/b',
  size: 5,
  etag: '"x"',
  storageClass: 'STANDARD',
  lastModified: '2026-01-01T00:00:00.000Z',
  operation: 'CopyObject',
  status: 403,
  code: 'AccessDenied',
  message: 'Access Denied',
  requestId: 'R1',
  attempts: 1,
  time: '2026-01-02T00:00:00.000Z',
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.constantFrom('\n', '\r\n', '\u2028', '\u0085', '"}\n{"'),
)
const anyFailure: fc.Arbitrary<Failure> = fc.record(
  {
    key: anyText,
    size: fc.maxSafeNat(),
    etag: anyText,
    storageClass: anyText,
    lastModified: anyText,
    operation: anyText,
    status: fc.nat({ max: 599 }),
    code: anyText,
    message: anyText,
    requestId: anyText,
    attempts: fc.integer({ min: 1, max: 99 }),
    time: anyText,
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      'key',
      'size',
      'etag',
      'storageClass',
      'lastModified',
      'operation',
      'code',
      'message',
      'attempts',
      'time',
    ],
  },
)

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3move-failures-'))
  path = join(folder, LEDGER)
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function read(from = 0, file = path): Promise<{ failures: Failure[]; ends: number[] }> {
  const failures: Failure[] = []
  const ends: number[] = []
  for await (const { failure, end } of readFailures(file, from)) {
    failures.push(failure)
    ends.push(end)
  }
  return { failures, ends }
}

async function problemOf(action: Promise<unknown>): Promise<UserError> {
  const problem = await action.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(problem).toBeInstanceOf(UserError)
  return problem as UserError
}

async function write(failures: readonly Failure[], from = start): Promise<{ bytes: number; entries: number }> {
  const ledger = await openFailures(folder, from)
  await ledger.append(failures)
  await ledger.close()
  return ledger.position
}

function named(...keys: string[]): Failure[] {
  return keys.map((key) => ({ ...sample, key }))
}

async function keys(from = 0, file = path): Promise<string[]> {
  return (await read(from, file)).failures.map(({ key }) => key)
}

describe('the failure ledger', () => {
  it('gives back what was appended, with the offset after each line, whatever the keys', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(anyFailure, { maxLength: 4 }), { maxLength: 4 }), async (batches) => {
        const ledger = await openFailures(folder, start)
        for (const batch of batches) await ledger.append(batch)
        await ledger.close()
        const all = batches.flat()
        const { failures, ends } = await read()
        expect(failures).toEqual(all)
        expect(ledger.position).toMatchObject({ bytes: ends.at(-1) ?? 0, entries: all.length })
        for (const [index, end] of ends.entries()) {
          expect((await read(end)).failures).toEqual(all.slice(index + 1))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('has exactly the saved entries after a crash, wherever that tore the file', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyFailure, { maxLength: 4 }),
        fc.array(anyFailure, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (saved, unsaved, where) => {
          await rm(path, { force: true })
          const ledger = await openFailures(folder, start)
          await ledger.append(saved)
          const position = ledger.position
          await ledger.append(unsaved)
          await ledger.close()
          await truncate(path, position.bytes + Math.floor(where * (ledger.position.bytes - position.bytes)))
          const again = await openFailures(folder, position)
          expect(again.position).toEqual(position)
          expect((await read()).failures).toEqual(saved)
          await again.append([sample])
          await again.close()
          expect((await read()).failures).toEqual([...saved, sample])
        },
      ),
      { numRuns: 60 },
    )
  })

  it('may be read by its owner only', async () => {
    await write(named('a'))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('holds no character that could play tricks on a terminal', async () => {
    await write([{ ...sample, key: 'a\u001b[31m\u0085\u202e\u2028\u{e0001}\n' }])
    const text = await readFile(path, 'utf8')
    expect(text.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(text.endsWith('}\n')).toBe(true)
  })

  it('keeps the order of appends that overlap, each counted once', async () => {
    const ledger = await openFailures(folder, start)
    const names = Array.from({ length: 300 }, (_, index) => `key-${index}`)
    await Promise.all(names.map((name) => ledger.append(named(name))))
    expect(ledger.position).toMatchObject({ bytes: (await stat(path)).size, entries: 300 })
    await ledger.close()
    expect(await keys()).toEqual(names)
  })

  it('counts a failure only once it is in the file', async () => {
    const ledger = await openFailures(folder, start)
    const first = ledger.append(named('a'))
    expect(ledger.position).toEqual(start)
    await first
    expect(ledger.position).toMatchObject({ bytes: (await stat(path)).size, entries: 1 })
    await ledger.append([])
    expect(ledger.position.entries).toBe(1)
    await ledger.close()
  })

  it('writes what is waiting before it closes, and nothing after', async () => {
    const ledger = await openFailures(folder, start)
    const pending = ledger.append(named('a'))
    const second = ledger.append(named('b'))
    await ledger.close()
    await ledger.close()
    await Promise.all([pending, second])
    expect(await keys()).toEqual(['a', 'b'])
    await expect(ledger.append(named('c'))).rejects.toThrow('closed')
  })

  it('cuts the message of a failure that is a whole page, and keeps the rest', async () => {
    await write([{ ...sample, message: 'x'.repeat(100_000) }])
    const { failures } = await read()
    expect(failures[0]?.message).toBe(`${'x'.repeat(4095)}…`)
    expect(failures[0]).toMatchObject({ key: sample.key, time: sample.time })
  })

  it('is refused when it is shorter than the checkpoint says, or gone, and is left alone', async () => {
    const position = await write(named('a', 'b'))
    await truncate(path, position.bytes - 1)
    const problem = await problemOf(openFailures(folder, position))
    expect(problem.message).toContain(`has ${position.bytes - 1} bytes, but the checkpoint counts on ${position.bytes}`)
    expect(problem.hint).toContain('Restore')
    expect((await stat(path)).size).toBe(position.bytes - 1)
    await rm(path)
    expect((await problemOf(openFailures(folder, position))).message).toContain('has 0 bytes')
    expect(existsSync(path)).toBe(false)
  })

  it('is refused when no line ends where the checkpoint says, and is left alone', async () => {
    const position = await write(named('a', 'b'))
    await writeFile(path, (await readFile(path, 'utf8')).replace('"key":"a"', '"key":"abc"'))
    expect((await problemOf(openFailures(folder, position))).message).toContain('was changed')
    expect((await stat(path)).size).toBe(position.bytes + 2)
  })

  it.skipIf(!existsSync('/dev/full'))('stops with words when the disk is full, its position unmoved', async () => {
    await symlink('/dev/full', path)
    const ledger = await openFailures(folder, start)
    const writes = [ledger.append(named('a')), ledger.append(named('b'))]
    for (const result of await Promise.allSettled(writes)) {
      expect(result).toMatchObject({
        reason: { name: 'CheckpointError', message: `cannot write ${path}: the disk is full` },
      })
    }
    expect(ledger.position).toEqual(start)
    await expect(ledger.append(named('c'))).rejects.toThrow(CheckpointError)
    await ledger.close()
  })

  it('ends with a whole line after a full disk tore a write, and goes on (where a small disk can be mounted)', async ({
    skip,
  }) => {
    const disk = (await smallDisk()) ?? skip('needs the superuser of a Linux')
    const file = join(disk.path, LEDGER)
    try {
      await writeFile(join(disk.path, 'ballast'), Buffer.alloc(4096))
      const ledger = await openFailures(disk.path, start)
      const written: string[] = []
      let problem: unknown
      while (problem === undefined) {
        const next = named(...Array.from({ length: 7 }, (_, index) => `${written.length + index}-${'x'.repeat(500)}`))
        try {
          await ledger.append(next)
          written.push(...next.map(({ key }) => key))
        } catch (error) {
          problem = error
        }
      }
      expect(problem).toMatchObject({ name: 'CheckpointError', message: `cannot write ${file}: the disk is full` })
      expect(written.length).toBeGreaterThan(20)
      expect(ledger.position).toMatchObject({ bytes: (await stat(file)).size, entries: written.length })
      expect(await keys(0, file)).toEqual(written)
      await rm(join(disk.path, 'ballast'))
      await ledger.append(named('after'))
      await ledger.close()
      expect(await keys(0, file)).toEqual([...written, 'after'])
    } finally {
      await disk.remove()
    }
  })

  it.each<[title: string, change: (text: string) => string]>([
    ['a bit of its middle was flipped', (text) => text.replace('"key":"b"', '"key":"c"')],
    [
      'two lines changed places',
      (text) =>
        text
          .split('\n')
          .toSpliced(0, 2, ...text.split('\n').slice(0, 2).reverse())
          .join('\n'),
    ],
    ['a line was doubled in the place of another of its length', (text) => text.replaceAll('"b"', '"a"')],
  ])('is refused when %s, and is left alone', async (_title, change) => {
    const position = await write(named('a', 'b', 'c'))
    const changed = change(await readFile(path, 'utf8'))
    await writeFile(path, changed)
    expect((await problemOf(openFailures(folder, position))).message).toContain('as its checksum tells')
    expect((await problemOf(beginRetry(folder, position))).message).toContain('as its checksum tells')
    expect(await readFile(path, 'utf8')).toBe(changed)
  })

  it('has the same checksum, however its lines came to it', async () => {
    const position = await write(named('a', 'b', 'c'))
    await rm(path)
    const again = await write(named('c'), await write(named('b'), await write(named('a'))))
    expect(again).toEqual(position)
    // Of a checkpoint that tells none, it is found when it is opened.
    const { bytes, entries } = position
    const ledger = await openFailures(folder, { bytes, entries })
    expect(ledger.position).toEqual(position)
    await ledger.close()
  })

  it('that was removed while it was open is put back up to its position, and nothing is added', async () => {
    const ledger = await openFailures(folder, start)
    await ledger.append(named('a', 'b'))
    for (const next of [[], named('c')]) {
      await rm(path)
      await expect(ledger.append(next)).rejects.toMatchObject({
        name: 'CheckpointError',
        message: `the failure ledger ${path} was removed while the run went on; it was written again`,
      })
      expect(await keys()).toEqual(['a', 'b'])
      expect((await stat(path)).mode & 0o777).toBe(0o600)
    }
    expect(ledger.position.entries).toBe(2)
    await ledger.close()
    await (await openFailures(folder, ledger.position)).close()
  })

  it('that was replaced while it was open is noticed before anything is added, and the other is left alone', async () => {
    const ledger = await openFailures(folder, start)
    await ledger.append(named('a'))
    const text = await readFile(path)
    await rename(path, `${path}.old`)
    await writeFile(path, text)
    for (const next of [[], named('c')]) {
      await expect(ledger.append(next)).rejects.toMatchObject({
        message: `the failure ledger ${path} was replaced by another file while the run went on`,
      })
    }
    expect([await readFile(path), await readFile(`${path}.old`)]).toEqual([text, text])
    await ledger.close()
  })

  it.each([
    ['added to', 1],
    ['cut', -1],
  ])('that somebody else has %s is noticed before anything is written', async (_title, by) => {
    const ledger = await openFailures(folder, start)
    await ledger.append(named('a'))
    const { bytes } = ledger.position
    await truncate(path, bytes + by)
    await expect(ledger.append(named('b'))).rejects.toMatchObject({
      message: `the failure ledger ${path} has ${bytes + by} bytes where this session wrote ${bytes}: somebody else writes to it`,
    })
    expect((await stat(path)).size).toBe(bytes + by)
    await ledger.close()
  })

  it('says so when it cannot be opened', async () => {
    await expect(openFailures(join(folder, 'gone'), start)).rejects.toMatchObject({
      name: 'CheckpointError',
      message: `cannot open ${join(folder, 'gone', LEDGER)}: it does not exist, or was removed`,
    })
  })
})

describe('a damaged ledger', () => {
  it.each([
    ['not JSON', '{"key":', 'line 2 of the failure ledger', 'is not JSON'],
    ['an empty line', '', 'line 2 of', 'is not JSON'],
    ['a missing field', '{}', 'line 2 of', 'is damaged: key is missing'],
    ['a wrong type', JSON.stringify({ ...sample, size: '5' }), 'line 2 of', 'size should be a whole number'],
    ['an unknown field', JSON.stringify({ ...sample, x: 1 }), 'line 2 of', 'x is not a field that this version knows'],
  ])('is refused with its line named: %s', async (_title, line, where, what) => {
    await write(named('a'))
    await appendFile(path, `${line}\n${JSON.stringify(sample)}\n`)
    const problem = await problemOf(read())
    expect(problem.message).toContain(where)
    expect(problem.message).toContain(what)
  })

  it('is refused wherever it is cut within a line', async () => {
    const { bytes } = await write(named('a', 'b'))
    const first = (await read()).ends[0]!
    const whole = await readFile(path)
    for (let length = 1; length < bytes; length++) {
      if (length === first) continue
      await writeFile(path, whole.subarray(0, length))
      const problem = await problemOf(read())
      expect(problem.message).toContain(`line ${length < first ? 1 : 2} of the failure ledger`)
      expect(problem.message).toContain('is cut short')
    }
  })

  it('is refused when bytes of it are not UTF-8, since a key with a character replaced is another key', async () => {
    await write(named('é'))
    const bytes = await readFile(path)
    bytes[bytes.indexOf(Buffer.from('é'))] = 0xff
    await writeFile(path, bytes)
    expect((await problemOf(read())).message).toContain('line 1 of')
  })

  it('is refused when no line begins at the byte to go on from', async () => {
    const { bytes } = await write(named('a', 'b'))
    const first = (await read()).ends[0]!
    expect((await problemOf(read(first + 1))).message).toContain(`line 1 after byte ${first + 1} of the failure ledger`)
    expect((await problemOf(read(bytes + 1))).message).toContain('is missing')
    expect(await keys(first)).toEqual(['b'])
    expect(await keys(bytes)).toEqual([])
  })

  it('does not fill the memory with a line that never ends', async () => {
    await writeFile(path, Buffer.alloc(3 * 1024 * 1024, 0x20))
    expect((await problemOf(read())).message).toContain('line 1 of the failure ledger')
  })

  it('is told apart from one that is missing', async () => {
    expect((await problemOf(read())).message).toContain('it does not exist, or was removed')
  })

  it('may be longer than the memory that is read at once', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => `${index}-${'é'.repeat(index % 97)}`)
    await write(named(...many))
    expect((await stat(path)).size).toBeGreaterThan(4 * 65_536)
    expect(await keys()).toEqual(many)
  })
})

describe('trying failures again', () => {
  it('takes the ledger away, so that new failures go to a new one', async () => {
    const position = await write(named('a', 'b'))
    await appendFile(path, 'torn by a crash')
    await beginRetry(folder, position)
    expect(await keys(0, join(folder, RETRYING))).toEqual(['a', 'b'])
    await write(named('b'))
    expect(await keys()).toEqual(['b'])
    await endRetry(folder)
    await endRetry(folder)
    expect(await readdir(folder)).toEqual([LEDGER])
  })

  it('may begin again after a crash before the checkpoint was saved', async () => {
    const position = await write(named('a', 'b'))
    await beginRetry(folder, position)
    await beginRetry(folder, position)
    expect(await keys(0, join(folder, RETRYING))).toEqual(['a', 'b'])
  })

  it('leaves nothing lost when the run goes on without it after such a crash', async () => {
    const position = await write(named('a', 'b'))
    await beginRetry(folder, position)
    await write(named('c'), position)
    expect(await keys()).toEqual(['a', 'b', 'c'])
    expect(await readdir(folder)).toEqual([LEDGER])
  })

  it('does not take another file for the ledger', async () => {
    const position = await write(named('a', 'b'))
    await rename(path, join(folder, RETRYING))
    await appendFile(join(folder, RETRYING), 'x\n')
    await problemOf(openFailures(folder, position))
    await problemOf(beginRetry(folder, position))
    expect(await readdir(folder)).toEqual([RETRYING])
  })

  it('writes over what an earlier retry left, whose failures were all settled', async () => {
    await beginRetry(folder, await write(named('old')))
    await beginRetry(folder, await write(named('new')))
    expect(await keys(0, join(folder, RETRYING))).toEqual(['new'])
  })
})

describe('the ledger of an earlier run', () => {
  it('is set aside under the time, as is one being tried again', async () => {
    await beginRetry(folder, await write(named('a')))
    await write(named('b'))
    const moved = await setAside(folder)
    expect(moved).toHaveLength(2)
    expect(moved[0]).toMatch(/failures\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.ndjson$/)
    expect(moved[1]).toMatch(/failures\.retrying\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.ndjson$/)
    expect(await keys(0, moved[0])).toEqual(['b'])
    expect(await keys(0, moved[1])).toEqual(['a'])
    expect((await readdir(folder)).length).toBe(2)
  })

  it('is left alone when it is empty or missing', async () => {
    expect(await setAside(folder)).toEqual([])
    await write([])
    expect(await setAside(folder)).toEqual([])
    expect(await readdir(folder)).toEqual([LEDGER])
  })

  it('never takes the place of another, however fast runs follow each other', async () => {
    const moved: string[] = []
    for (let run = 0; run < 20; run++) {
      await write(named(`run-${run}`))
      moved.push(...(await setAside(folder)))
    }
    expect(new Set(moved).size).toBe(20)
    expect((await Promise.all(moved.map((file) => keys(0, file)))).flat()).toEqual(
      Array.from({ length: 20 }, (_, run) => `run-${run}`),
    )
  })
})
