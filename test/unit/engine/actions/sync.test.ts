import { describe, expect, test } from 'vitest'
import { deletingDeferred } from '../../../../src/engine/actions/deferred-delete.js'
import { moveAction } from '../../../../src/engine/actions/move.js'
import { decideSync, syncAction } from '../../../../src/engine/actions/sync.js'
import { StorageError, type Severity } from '../../../../src/errors.js'
import type { MoveJob } from '../../../../src/job/move.js'
import type { Outcome } from '../../../../src/job/outcome.js'
import type { SyncBy, SyncJob } from '../../../../src/job/sync.js'
import { lookingFirst } from '../../../../src/storage/looking-first.js'
import type { ObjectHead, ObjectSummary, Removal, Storage } from '../../../../src/storage/storage.js'
import type { WorkItem } from '../../../../src/sources/work-source.js'

const MD5 = { one: '0123456789abcdef0123456789abcdef', two: 'fedcba9876543210fedcba9876543210' }
const OLD = '2024-01-01T00:00:00.000Z'
const NEW = '2024-01-01T00:00:01.000Z'
const LATER = '2024-01-01T00:00:02.000Z'

const PLACES = { source: { bucket: 'a', prefix: 'in/' }, destination: { bucket: 'b', prefix: 'out/' } }
const sync = (by: SyncBy = 'content', more: Partial<SyncJob> = {}): SyncJob => ({
  kind: 'sync',
  ...PLACES,
  by,
  ...more,
})
const MOVE: MoveJob = { kind: 'move', ...PLACES }

const object = (etag = MD5.one, size = 5, lastModified = OLD): ObjectSummary => ({
  ...{ key: 'k', size, etag, lastModified, storageClass: 'STANDARD' },
})

const headOf = (listed: ObjectSummary, more: Partial<ObjectHead> = {}): ObjectHead => ({
  ...listed,
  ...{ headers: new Map(), carried: [], tags: 0, checksums: new Map(), plainEtag: true, unshown: 0 },
  ...{ archived: false, locked: false },
  ...more,
})

const problem = (code: string, severity: Severity = 'fail-object') =>
  new StorageError(code, { severity, code, operation: 'HeadObject', bucket: 'b', key: 'k' })
const gone = problem('NoSuchKey', 'skip')

interface Made {
  /** What HEAD answers, one after the other; the last of them from then on. */
  readonly heads?: readonly (ObjectHead | StorageError)[]
  readonly copy?: string | StorageError
  readonly removal?: StorageError
  readonly conditional?: boolean
  /** What it goes on listing, until it is told to delete. */
  readonly listed?: readonly ObjectSummary[]
}

/** A store that does not exist, and what it was asked. */
function store(
  name: string,
  { heads = [gone], copy = MD5.one, removal, conditional, listed = [] }: Made,
  asked: string[],
): Storage {
  const answers = [...heads]
  let shown = listed
  return {
    place: { bucket: name, prefix: '' },
    conditional,
    list: () => Promise.resolve({ objects: shown, truncated: false }),
    reading: {
      head: () => {
        asked.push(`HEAD ${name}`)
        const answer = answers.length > 1 ? answers.shift() : answers[0]
        return answer instanceof StorageError ? Promise.reject(answer) : Promise.resolve(answer)
      },
    } as unknown as Storage['reading'],
    copyFrom: () => {
      asked.push(`COPY ${name}`)
      return copy instanceof StorageError ? Promise.reject(copy) : Promise.resolve(copy)
    },
    removing: lookingFirst({
      remove: (objects: readonly Removal[]) => {
        for (const { key, etag } of objects) asked.push(`DELETE ${name} ${key} ${String(etag)}`)
        if (removal === undefined) shown = []
        return Promise.resolve(objects.map(() => removal))
      },
    }),
  }
}

function world(source: Made, destination: Made) {
  const asked: string[] = []
  return {
    asked,
    ways: {
      source: store('a', source, asked),
      destination: store('b', destination, asked),
      settings: { streamed: false },
    },
  }
}

const codeOf = (outcome: Outcome | undefined) => (outcome?.kind === 'failed' ? outcome.failure.code : outcome?.kind)

describe('what sync makes of two listings', () => {
  const unchanged = { kind: 'skipped', reason: 'unchanged' }
  const parts = `${MD5.one}-2`

  test.each<[string, SyncBy, ObjectSummary, ObjectSummary | undefined, 'act' | 'unchanged']>([
    ['missing', 'content', object(), undefined, 'act'],
    ['missing', 'size', object(), undefined, 'act'],
    ['missing', 'time', object(), undefined, 'act'],
    ['the same', 'content', object(), object(), 'unchanged'],
    ['the same, and newer', 'content', object(MD5.one, 5, NEW), object(), 'unchanged'],
    ['both empty, whatever the ETags', 'content', object(MD5.one, 0), object(parts, 0), 'unchanged'],
    ['of other size', 'content', object(MD5.one, 6), object(), 'act'],
    ['of other size, and older', 'content', object(MD5.one, 6, OLD), object(MD5.one, 5, NEW), 'act'],
    ['of two MD5s', 'content', object(MD5.two), object(), 'act'],
    ['not comparable, as old', 'content', object(parts), object(), 'unchanged'],
    ['not comparable, older', 'content', object(parts, 5, OLD), object(MD5.one, 5, NEW), 'unchanged'],
    ['not comparable, newer', 'content', object(parts, 5, NEW), object(), 'act'],
    ['of other content, by size', 'size', object(MD5.two, 5, NEW), object(), 'unchanged'],
    ['of other size, by size', 'size', object(MD5.one, 6), object(), 'act'],
    ['of other size, by time', 'time', object(MD5.two, 6), object(), 'unchanged'],
    ['newer, by time', 'time', object(MD5.one, 5, NEW), object(), 'act'],
  ])('%s (%s)', (_title, by, source, there, expected) => {
    const decided = decideSync(sync(by))({ ...source, there } satisfies WorkItem as ObjectSummary, [])
    expect(decided).toEqual(expected === 'act' ? undefined : unchanged)
  })

  test('what is extra is passed over, or goes to the ledger; a marker that the source cannot have does not', () => {
    const extra: WorkItem = { ...object(), extra: true }
    expect(decideSync(sync())(extra, [])).toEqual({ kind: 'skipped', reason: 'extra' })
    const whole = sync('content', { delete: {}, source: { bucket: 'a', prefix: '' } })
    expect(decideSync(whole)(extra, [])).toEqual({
      kind: 'delete-deferred',
      deferredDelete: { key: 'out/k', size: 5, etag: MD5.one, lastModified: OLD },
    })
    expect(decideSync(whole)({ ...extra, key: '' }, [])).toEqual({ kind: 'skipped', reason: 'prefix-marker' })
  })

  test.each<[string, Partial<ObjectHead> | StorageError, Partial<ObjectHead> | StorageError, string]>([
    ['two MD5s of plain objects', {}, {}, 'copied'],
    [
      'checksums that are equal',
      { checksums: new Map([['crc32', 'x']]) },
      { checksums: new Map([['crc32', 'x']]) },
      'skipped',
    ],
    [
      'checksums that differ',
      { checksums: new Map([['crc32', 'x']]) },
      { checksums: new Map([['crc32', 'y']]) },
      'copied',
    ],
    ['one encrypted with KMS, the source as old', {}, { plainEtag: false }, 'skipped'],
    ['one encrypted with KMS, the source newer', { lastModified: NEW }, { plainEtag: false }, 'copied'],
    ['one encrypted with SSE-C, the source as old', {}, problem('SSE-C'), 'skipped'],
    ['a destination that is gone by now', {}, gone, 'copied'],
    ['a source that is gone by now', gone, {}, 'skipped'],
    ['a source that may not be looked at', problem('AccessDenied'), {}, 'AccessDenied'],
  ])('where the ETags are two MD5s, HEAD decides: %s', async (_title, source, destination, expected) => {
    const [one, other] = [object(MD5.two), object(MD5.one)]
    const made = (listed: ObjectSummary, head: Partial<ObjectHead> | StorageError): Made => ({
      heads: [head instanceof StorageError ? head : headOf(listed, head)],
    })
    const { asked, ways } = world(made(one, source), made(other, destination))
    const outcome = await syncAction(sync(), ways)({ ...one, there: other } as WorkItem)
    expect([codeOf(outcome), asked.slice(0, 2)]).toEqual([expected, ['HEAD a', 'HEAD b']])
    expect(asked.includes('COPY b')).toBe(expected === 'copied')
  })
})

test('a deletion that cannot be tried again because a look fails is still a deletion, and no copy, to the next try', async () => {
  const failed: WorkItem = { ...object(), failedIn: 'DeleteObjects' }
  const denied = problem('AccessDenied')
  for (const [source, destination] of [
    [{ heads: [denied] }, {}],
    [{ heads: [gone] }, { heads: [denied] }],
  ] as const) {
    const { asked, ways } = world(source, destination)
    const outcome = await syncAction({ ...sync(), delete: {} }, ways)(failed)
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'AccessDenied', operation: 'DeleteObjects' } })
    expect(asked).not.toContain('COPY b')
  }
})

describe('the proof of a copy that is to replace its source', () => {
  test.each<[string, string, string, ObjectHead | StorageError | undefined, string]>([
    ['an answer with the MD5 of the source', MD5.one, MD5.one, undefined, 'delete-deferred'],
    ['of an object in parts, a look at the copy', `${MD5.one}-2`, MD5.two, headOf(object(MD5.two)), 'delete-deferred'],
    ['of an encrypted object too', MD5.one, MD5.two, headOf(object(MD5.two)), 'delete-deferred'],
    ['a copy of another size is none', MD5.one, MD5.two, headOf(object(MD5.two, 4)), 'CopyNotProven'],
    ['nor one with another ETag', MD5.one, MD5.two, headOf(object(MD5.one)), 'CopyNotProven'],
    ['nor one that is gone', MD5.one, MD5.two, gone, 'CopyNotProven'],
    ['nor one that was answered without an ETag', MD5.one, '', headOf(object(MD5.two)), 'CopyNotProven'],
    ['one that cannot be looked at is not proven', MD5.one, MD5.two, problem('AccessDenied'), 'AccessDenied'],
  ])('%s', async (_title, etag, copy, head, expected) => {
    const { asked, ways } = world({}, { copy, ...(head === undefined ? {} : { heads: [head] }) })
    const outcome = await moveAction(MOVE, ways)(object(etag))
    expect(codeOf(outcome)).toBe(expected)
    expect(asked).toEqual(head === undefined ? ['COPY b'] : ['COPY b', 'HEAD b'])
    if (expected === 'delete-deferred') {
      expect(outcome).toMatchObject({ deferredDelete: { key: 'in/k', size: 5, etag, copy } })
    }
  })

  test('on a retry the source is taken as it is by now; what was deleted since was moved', async () => {
    const now = object(MD5.two, 9)
    const changed = world({ heads: [headOf(now)] }, { copy: MD5.two })
    const failed: WorkItem = { ...object(), failedIn: 'DeleteObjects' }
    expect(await moveAction(MOVE, changed.ways)(failed)).toMatchObject({ deferredDelete: { size: 9, etag: MD5.two } })
    expect(await moveAction(MOVE, world({}, {}).ways)(failed)).toEqual({ kind: 'copied' })
    expect(codeOf(await moveAction(MOVE, world({ listed: [object()] }, {}).ways)(failed))).toBe('ListedButNotFound')
    const uncopied: WorkItem = { ...object(), failedIn: 'CopyObject' }
    expect(await moveAction(MOVE, world({}, {}).ways)(uncopied)).toEqual({ kind: 'skipped', reason: 'gone' })
  })
})

describe('the deletion of what is on the ledger', () => {
  const same = headOf(object())
  const other = headOf(object(MD5.two))
  const condition = `DELETE a k ${MD5.one}`
  const looks = ['HEAD b', 'HEAD a']
  const refused = problem('PreconditionFailed')
  const copy = (more: Partial<ObjectHead> = {}): Made => ({ heads: [headOf(object(MD5.two, 5, NEW), more)] })
  const item: WorkItem = { ...object(), copy: MD5.two }

  test.each<[string, Made, string, string[]]>([
    ['after a look at its copy and at itself', { heads: [same] }, 'copied', [...looks, condition]],
    ['where conditions are honoured as well', { heads: [same], conditional: true }, 'copied', [...looks, condition]],
    ['not of what has another ETag', { heads: [other] }, 'SourceChanged', looks],
    ['nor of what has another date', { heads: [headOf(object(MD5.one, 5, LATER))] }, 'SourceChanged', looks],
    ['of what is gone there is none', {}, 'copied', looks],
    ['nor where the store says so', { heads: [same], removal: problem('NoSuchKey') }, 'copied', [...looks, condition]],
    [
      'a condition refused: it has changed',
      { heads: [same, other], removal: refused },
      'SourceChanged',
      [...looks, condition, ...looks],
    ],
    [
      'or is gone, by an earlier try',
      { heads: [same, gone], removal: refused },
      'copied',
      [...looks, condition, ...looks],
    ],
    ['one that is denied', { heads: [same], removal: problem('AccessDenied') }, 'AccessDenied', [...looks, condition]],
    ['not when it is listed and not found', { listed: [object()] }, 'ListedButNotFound', looks],
    ['one of which a look is denied', { heads: [problem('AccessDenied')] }, 'AccessDenied', looks],
  ])('%s', async (_title, source, expected, requests) => {
    const { asked, ways } = world(source, copy())
    const outcome = await deletingDeferred(MOVE, ways)(item)
    expect([codeOf(outcome), asked]).toEqual([expected, requests])
    if (outcome?.kind === 'failed') expect(outcome.failure).toMatchObject({ key: 'in/k', operation: 'DeleteObjects' })
  })

  test.each<[string, Made, ObjectHead, string]>([
    ['while its copy is there', copy(), same, 'copied'],
    ['not when another has its place', { heads: [headOf(object(MD5.one, 5, NEW))] }, same, 'CopyNotProven'],
    ['not when nothing has', {}, same, 'CopyNotProven'],
    ['not when both have one date', copy({ lastModified: OLD }), same, 'CopyNotToldApart'],
    ['nor dates of one second', copy({ lastModified: '2024-01-01T00:00:00.999Z' }), same, 'CopyNotToldApart'],
    ['nor when the date of the copy is not told', copy({ lastModified: '' }), same, 'CopyNotToldApart'],
    ['nor when that of the source is not', copy(), headOf(object(), { lastModified: '' }), 'CopyNotToldApart'],
    [
      'also with one date when they are two versions',
      copy({ lastModified: OLD, versionId: 'one' }),
      headOf(object(), { versionId: 'two' }),
      'copied',
    ],
    [
      'not when they are one version',
      copy({ lastModified: OLD, versionId: 'one' }),
      headOf(object(), { versionId: 'one' }),
      'CopyNotToldApart',
    ],
    [
      'nor when one of the two tells no version',
      copy({ lastModified: OLD, versionId: 'one' }),
      same,
      'CopyNotToldApart',
    ],
  ])('of what was moved: %s', async (_title, destination, source, expected) => {
    const { asked, ways } = world({ heads: [source] }, destination)
    expect(codeOf(await deletingDeferred({ ...MOVE, map: ['s/k/n/'] }, ways)(item))).toBe(expected)
    expect(asked.includes(condition)).toBe(expected === 'copied')
  })

  const PARTS = `${MD5.two}-2`
  const inParts = (more: Partial<ObjectHead> = {}): ObjectHead => headOf(object(PARTS), more)
  const listed = [object()]
  const twice = ['HEAD a', 'HEAD a']

  test.each<[string, Made, string, string[]]>([
    ['is deleted while the listing says what it said', { heads: [inParts()], listed }, 'copied', twice],
    [
      'also where dates are told in seconds',
      { heads: [inParts({ lastModified: '2024-01-01T00:00:00Z' })], listed },
      'copied',
      twice,
    ],
    ['not when the listing tells another', { heads: [inParts()], listed: [object(MD5.two)] }, 'SourceChanged', []],
    ['nor another date', { heads: [inParts()], listed: [object(MD5.one, 5, NEW)] }, 'SourceChanged', []],
    ['nor another size', { heads: [inParts()], listed: [object(MD5.one, 6)] }, 'SourceChanged', []],
    ['nor when it is listed no longer', { heads: [inParts()] }, 'SourceChanged', []],
    ['nor when a look shows another date', { heads: [inParts({ lastModified: NEW })], listed }, 'SourceChanged', []],
    ['nor when it shows no date', { heads: [inParts({ lastModified: '' })], listed }, 'SourceChanged', []],
    ['nor another size', { heads: [inParts({ size: 6 })], listed }, 'SourceChanged', []],
    ['nor no ETag', { heads: [inParts({ etag: '' })], listed }, 'SourceChanged', []],
    [
      'nor when it is written while the listing is asked',
      { heads: [inParts(), headOf(object(`${MD5.one}-3`))], listed },
      'SourceChanged',
      twice,
    ],
    [
      'nor when that makes the same anew',
      { heads: [inParts(), inParts({ lastModified: NEW })], listed },
      'SourceChanged',
      twice,
    ],
    [
      'or another version',
      { heads: [inParts({ versionId: 'one' }), inParts({ versionId: 'two' })], listed },
      'SourceChanged',
      twice,
    ],
    ['or is deleted', { heads: [inParts(), gone], listed }, 'SourceChanged', twice],
    [
      'one of which the second look is denied',
      { heads: [inParts(), problem('AccessDenied')], listed },
      'AccessDenied',
      twice,
    ],
  ])('what is listed with another ETag than a look tells: %s', async (_title, source, expected, more) => {
    const { asked, ways } = world(source, copy({ lastModified: LATER }))
    expect(codeOf(await deletingDeferred(MOVE, ways)(item))).toBe(expected)
    const requests = ['HEAD b', ...(more.length > 0 ? more : ['HEAD a'])]
    expect(asked).toEqual(expected === 'copied' ? [...requests, condition] : requests)
    // The same of what only the destination has.
    const extra = world({}, source)
    const outcome = await deletingDeferred(sync('content', { delete: {} }), extra.ways)(object())
    const told = { copied: 'deleted', SourceChanged: 'DestinationChanged' }[expected] ?? expected
    expect([codeOf(outcome), extra.asked.includes(`DELETE b k ${MD5.one}`)]).toEqual([told, expected === 'copied'])
  })

  test.each<[string, Made, Made, string, boolean]>([
    ['what the source does not have', {}, { conditional: true }, 'deleted', true],
    ['not what the source has by now', { heads: [same] }, { conditional: true }, 'skipped', false],
    ['nor what it has under a customer’s key', { heads: [problem('SSE-C')] }, { conditional: true }, 'skipped', false],
    [
      'nor what it does not tell of',
      { heads: [problem('AccessDenied')] },
      { conditional: true },
      'AccessDenied',
      false,
    ],
    ['nor what was written since', {}, { heads: [other] }, 'DestinationChanged', false],
    ['nor what has another date', {}, { heads: [headOf(object(MD5.one, 5, NEW))] }, 'DestinationChanged', false],
  ])('of a synchronisation: %s', async (_title, source, destination, expected, deletes) => {
    const { asked, ways } = world(source, destination)
    const outcome = await deletingDeferred(sync('content', { delete: {} }), ways)(object())
    expect([codeOf(outcome), asked.includes(`DELETE b k ${MD5.one}`)]).toEqual([expected, deletes])
  })
})
