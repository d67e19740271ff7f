import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { CommandIo } from '../../../../src/commands/options/io.js'
import { questionBefore } from '../../../../src/commands/run/deletion-question.js'
import type { EarlierCount } from '../../../../src/commands/run/earlier-count.js'
import type { Opened } from '../../../../src/commands/run/open-and-run.js'
import type { WriteJob } from '../../../../src/job/kinds.js'
import type { BucketTraits, ObjectSummary } from '../../../../src/storage/storage.js'
import { written } from '../../../support/written.js'

const A = { bucket: 'photos', prefix: 'a/' }
const B = { bucket: 'kept', prefix: 'b/' }
const DELETE: WriteJob = { kind: 'delete', source: A }
const MOVE: WriteJob = { kind: 'move', source: A, destination: B, attributes: {} }
const SYNC: WriteJob = {
  kind: 'sync',
  source: A,
  destination: B,
  by: 'content',
  attributes: {},
  delete: { most: 1000 },
}

/** What is said before the answer `typed`, of a source of so many objects of 10 bytes; and whether it goes on. */
async function asked(job: WriteJob, given: Partial<Given> = {}): Promise<readonly [said: string, goesOn: boolean]> {
  const { size = 3, truncated = false, traits = { versioned: false }, typed = 'photos' } = given
  const [stdin, stderr] = [new PassThrough(), new PassThrough()].map((stream) => Object.assign(stream, { isTTY: true }))
  const signal = new AbortController().signal
  const io: CommandIo = {
    stdin: stdin!,
    stderr: stderr!,
    stdout: stderr!,
    cwd: '/nowhere',
    args: [],
    stop: signal,
    abandon: signal,
  }
  const objects = Array.from({ length: size }, (_, n): ObjectSummary => {
    return { key: `${n}.jpg`, size: 10, etag: '', lastModified: '', storageClass: 'STANDARD' }
  })
  const end = {
    store: { list: () => Promise.resolve({ objects, truncated }) },
    traits: () => Promise.resolve({ acls: undefined, versioned: undefined, ...traits }),
  }
  const opened = { ends: { source: end, destination: end, connection: {} } } as unknown as Opened
  const question = questionBefore(job, {}, io)
  stdin!.write(`${typed}\n`)
  const goesOn = await question!(opened, given.listed, given.earlier).then(
    () => true,
    () => false,
  )
  return [written(stderr!), goesOn]
}

interface Given {
  readonly size: number
  readonly truncated: boolean
  readonly traits: Partial<BucketTraits>
  readonly typed: string
  readonly listed: number
  readonly earlier: EarlierCount
}

describe('what is asked before a deletion', () => {
  test('says how many objects and bytes, where one page of the listing tells', async () => {
    const [said, goesOn] = await asked(DELETE)
    expect(said.split('\n')).toEqual([
      'every object whose key begins with s3://photos/a/ is to be deleted',
      '  3 objects, 30 B',
      '  the bucket keeps no versions: nobody can bring back what is deleted',
      'Type the name of the bucket to go on (photos): ',
    ])
    expect(goesOn).toBe(true)
    const select = { globs: [['exclude', '*'] as const, ['include', '1*'] as const] }
    expect((await asked({ ...DELETE, select }))[0]).toContain('every selected object whose key begins')
    expect((await asked({ ...DELETE, select }))[0]).toContain('\n  1 object, 10 B\n')
    expect((await asked(DELETE, { listed: 1234 }))[0]).toContain('the list names 1,234 objects')
  })

  test('claims no number that it does not know', async () => {
    expect((await asked(DELETE, { size: 1000, truncated: true }))[0]).toContain('more than 1,000 objects (--dry-run')
    expect((await asked(DELETE, { size: 0, truncated: true }))[0]).toContain('how many objects is not known yet')
    expect((await asked(SYNC, { typed: 'kept' }))[0]).toContain(
      'how many objects is known once both sides are listed (--dry-run tells); if these are more than 1,000, none is deleted',
    )
  })

  test('tells the number that an earlier run of the same place counted, where all of it is to be deleted', async () => {
    const earlier: EarlierCount = { objects: 5678, bytes: 1024, kind: 'copy', savedAt: new Date().toISOString() }
    const big = { size: 1000, truncated: true, earlier }
    expect((await asked(DELETE, big))[0]).toMatch(/\n {2}5,678 objects, 1\.0 KiB, as copy counted \d.* ago \(--dry-run/)
    const select = { globs: [['exclude', '*.raw'] as const] }
    expect((await asked({ ...DELETE, select }, big))[0]).not.toContain('5,678')
  })

  test.each([
    [{ versioned: true }, 'the bucket keeps versions: each object gets a delete marker, and its versions stay'],
    [{ versioned: false, suspended: true }, 'suspended: what was written since goes for good, older versions stay'],
    [{ versioned: false }, 'the bucket keeps no versions: the copies are all that is left then'],
    [{ versioned: undefined }, 'whether the bucket keeps versions is not known'],
  ] as const)('says what becomes of what is moved away: %j', async (traits, said) => {
    expect((await asked(MOVE, { traits }))[0]).toContain(said)
  })

  test('wants the name of the bucket in which objects are deleted', async () => {
    expect((await asked(SYNC, { typed: 'photos' }))[1]).toBe(false)
    expect((await asked(SYNC, { typed: 'kept' }))[1]).toBe(true)
    expect((await asked(MOVE, { typed: 'kept' }))[1]).toBe(false)
    const folder = { bucket: '/data/site', prefix: '' }
    expect(await asked({ ...MOVE, source: folder }, { typed: 'site' })).toEqual([
      expect.stringContaining('a folder keeps no versions: the copies are all that is left then') as string,
      true,
    ])
  })
})
