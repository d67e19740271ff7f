import { describe, expect, test } from 'vitest'
import { annotationsFailed, haveOtherAnnotations, withAnnotations } from '../../../../src/engine/actions/annotations.js'
import { unlessChanged } from '../../../../src/engine/actions/copy-in-parts.js'
import { StorageError } from '../../../../src/errors.js'
import type { Attributes } from '../../../../src/job/object-attributes.js'
import type { ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const OBJECT: ObjectSummary = { key: 'k', size: 5, etag: 'e1', lastModified: '', storageClass: 'STANDARD' }

/** A store with one object that has these annotations. */
class Annotated {
  etag = 'e1'
  readonly texts = new Map<string, string>()
  readonly sent: string[] = []
  has: boolean | undefined
  /** What goes wrong, by operation. */
  readonly fails = new Map<string, StorageError>()
  /** Called before a text is read. */
  meanwhile: () => void = () => undefined

  constructor(
    private readonly bucket: string,
    texts: Readonly<Record<string, string>> = {},
    private readonly knows = true,
  ) {
    for (const [name, text] of Object.entries(texts)) this.texts.set(name, text)
  }

  private ask(operation: string): void {
    this.sent.push(operation)
    const error = this.fails.get(operation)
    if (error !== undefined) throw error
  }

  get storage(): Storage {
    const never = () => Promise.reject(new Error('not asked for'))
    const head = (): ObjectHead => ({
      ...{ size: 5, etag: this.etag, lastModified: '', storageClass: 'STANDARD', headers: new Map(), carried: [] },
      ...{ tags: 0, checksums: new Map(), plainEtag: true, unshown: 0, archived: false, locked: false },
    })
    return {
      place: { bucket: this.bucket, prefix: '' },
      list: never,
      reading: {
        head: () => {
          this.ask('HeadObject')
          return Promise.resolve(head())
        },
        ...{ tagging: never, grants: never, digest: never, open: never, read: never },
      },
      annotating: {
        known: () => this.has,
        list: async () => {
          await Promise.resolve()
          this.ask('List')
          this.has = this.knows
          return [...this.texts].map(([name, text]) => ({ name, size: text.length, etag: '' }))
        },
        read: async (_, name) => {
          await Promise.resolve()
          this.ask(`Get ${name}`)
          this.meanwhile()
          const text = this.texts.get(name)
          return text === undefined ? undefined : Buffer.from(text)
        },
        write: async (_, name, text) => {
          await Promise.resolve()
          this.ask(`Put ${name}`)
          this.texts.set(name, text.toString())
        },
      },
    }
  }
}

const refusal = (code: string, operation: string, severity: 'fail-object' | 'retry' | 'skip' = 'fail-object') =>
  new StorageError('why', { severity, code, operation, bucket: 'dst', key: 'k' })

interface Given {
  readonly attributes?: Attributes
  readonly streamed?: boolean
}

/** Copies the object, and tells under which ETags it was copied. */
function copying(source: Annotated, destination: Annotated, { attributes = {}, streamed = false }: Given = {}) {
  const copied: string[] = []
  const places = { source: { bucket: 'src', prefix: '' }, destination: { bucket: 'dst', prefix: '' } }
  const copy = withAnnotations(
    { kind: 'copy', ...places, attributes },
    { source: source.storage, destination: destination.storage, settings: { streamed } },
    ({ etag }) => {
      copied.push(etag)
      destination.texts.clear()
      return Promise.resolve('made')
    },
  )
  return { copied, result: unlessChanged((race) => copy({ ...OBJECT, etag: source.etag }, race)) }
}

describe('the annotations of a copy that is made anew', () => {
  test('are written behind it; of an object without any it is asked, and nothing more', async () => {
    const [source, destination] = [new Annotated('src', { a: 'one', b: 'two' }), new Annotated('dst', { old: 'x' })]
    expect(await copying(source, destination).result).toBe('made')
    expect(Object.fromEntries(destination.texts)).toEqual({ a: 'one', b: 'two' })
    const [bare, other] = [new Annotated('src'), new Annotated('dst')]
    await copying(bare, other).result
    expect([bare.sent, other.sent]).toEqual([['List'], []])
  })

  test.each([
    ['what passes through this machine keeps them only when asked to', {}, true, false],
    ['what passes through this machine keeps them when asked to', { preserve: ['annotations'] }, true, true],
    ['within a store they are kept', {}, false, true],
    ['nothing keeps what is to be left', { drop: ['annotations'] }, false, false],
  ] as const)('%s', async (_, attributes, streamed, kept) => {
    const [source, destination] = [new Annotated('src', { a: 'one' }), new Annotated('dst')]
    await copying(source, destination, { attributes, streamed }).result
    expect([destination.texts.has('a'), source.sent.length > 0]).toEqual([kept, kept])
  })

  test('are those of what was copied: one that is written to meanwhile is copied again', async () => {
    const [source, destination] = [new Annotated('src', { a: 'of e1' }), new Annotated('dst')]
    source.meanwhile = () => {
      source.meanwhile = () => undefined
      source.etag = 'e2'
      source.texts.set('a', 'of e2')
    }
    const { copied, result } = copying(source, destination)
    expect([await result, copied]).toEqual(['made', ['e1', 'e2']])
    expect(Object.fromEntries(destination.texts)).toEqual({ a: 'of e2' })
  })

  test('that are taken away meanwhile are no failure, nor is a copy that somebody else has replaced', async () => {
    const [source, destination] = [new Annotated('src', { a: 'one', b: 'two' }), new Annotated('dst')]
    source.meanwhile = () => void source.texts.delete('b')
    await copying(source, destination).result
    expect([...destination.texts.keys()]).toEqual(['a'])
    const replaced = new Annotated('dst')
    replaced.fails.set('Put a', refusal('PreconditionFailed', 'PutObjectAnnotation'))
    await copying(new Annotated('src', { a: 'one' }), replaced).result
    expect([...replaced.texts.keys()]).toEqual([])
  })

  test('that cannot be written are a failure of the object; what may pass stays what it is', async () => {
    const [source, destination] = [new Annotated('src', { a: 'one' }), new Annotated('dst')]
    destination.fails.set('Put a', refusal('AccessDenied', 'PutObjectAnnotation'))
    const failure = { code: 'AnnotationsNotKept', severity: 'fail-object', operation: 'PutObjectAnnotation' }
    await expect(copying(source, destination).result).rejects.toMatchObject(failure)
    destination.fails.set('Put a', refusal('NoSuchKey', 'PutObjectAnnotation', 'skip'))
    await expect(copying(source, destination).result).rejects.toMatchObject(failure)
    destination.fails.set('Put a', refusal('InternalError', 'PutObjectAnnotation', 'retry'))
    await expect(copying(source, destination).result).rejects.toMatchObject({ severity: 'retry' })
  })

  test('are never sent to a store that was not seen to have some', async () => {
    const [source, destination] = [new Annotated('src', { a: 'one' }), new Annotated('dst', {}, false)]
    await expect(copying(source, destination).result).rejects.toMatchObject({ code: 'AnnotationsNotKept' })
    await expect(copying(source, destination).result).rejects.toMatchObject({ code: 'AnnotationsNotKept' })
    // It is asked once.
    expect(destination.sent).toEqual(['List'])
  })

  test('that cannot be listed are a failure before the copy, which says how to do without', async () => {
    const source = new Annotated('src', { a: 'one' })
    source.fails.set('List', refusal('AccessDenied', 'ListObjectAnnotations'))
    const { copied, result } = copying(source, new Annotated('dst'))
    await expect(result).rejects.toThrow('--no-preserve annotations copies it without')
    expect(copied).toEqual([])
  })
})

test.each([
  ['PutObjectAnnotation', true],
  ['GetObjectAnnotation', true],
  ['ListObjectAnnotations', true],
  ['CopyObject', false],
  [undefined, false],
] as const)('an object that failed in %s failed for its annotations: %s', (failedIn, expected) => {
  expect(annotationsFailed({ ...OBJECT, ...(failedIn === undefined ? {} : { failedIn }) })).toBe(expected)
})

test.each([
  ['alike', { a: 'one' }, { a: 'one' }, true, false],
  ['of other texts of one size', { a: 'one' }, { a: 'two' }, true, true],
  ['of other names', { a: 'one' }, { b: 'one' }, true, true],
  ['more', { a: 'one' }, { a: 'one', b: 'x' }, true, true],
  ['unknown to one store, which has none then', { a: 'one' }, {}, false, undefined],
] as const)('annotations that are %s differ as they do', async (_, ones, others, knows, expected) => {
  const [source, destination] = [new Annotated('src', ones), new Annotated('dst', others, knows)]
  const differ = await haveOtherAnnotations(source.storage, OBJECT, destination.storage, 'k')
  expect(differ).toBe(expected)
})
