import fc from 'fast-check'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import {
  keyIn,
  listedRow,
  manifestRow,
  ManifestWriter,
  type SendManifest,
  listedInRow,
} from '../../../src/batch/manifest.js'

const keys = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })

describe('a row of a manifest', () => {
  test('has two fields on one line and gives the very key back, whatever the key', () => {
    fc.assert(
      fc.property(keys, (key) => {
        const row = manifestRow('bucket', key)
        expect(row.slice(0, -1)).toMatch(/^bucket,[^,"\r\n]+$/)
        expect(keyIn(row.slice('bucket,'.length, -1))).toBe(key)
      }),
    )
  })

  test('is read as other programs encode it too: blanks as plus signs, slashes encoded', () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(keyIn(encodeURIComponent(key))).toBe(key)
        expect(keyIn(new URLSearchParams([['', key]]).toString().slice(1))).toBe(key)
      }),
      { examples: [['a b/c+d~e*f!(x)']] },
    )
  })

  test.each(['100%', 'a b', 'a%41b', 'ü', '%ff', 'a,b'])(
    'a report that has %j as it is is taken at its word',
    (key) => {
      expect(keyIn(key)).toBe(key)
    },
  )
})

function collecting(): {
  readonly sent: Map<string, string>
  readonly send: SendManifest
} {
  const sent = new Map<string, string>()
  return {
    sent,
    async send(key, body) {
      sent.set(key, await text(body))
      return `etag of ${key}`
    },
  }
}

describe('manifests', () => {
  test('one for each kind of object, and another when it is full', async () => {
    const { sent, send } = collecting()
    const writer = new ManifestWriter<string>('in/', 2, send)
    for (const n of [1, 2, 3, 4, 5]) await writer.add(n === 4 ? 'STANDARD_IA' : 'STANDARD', `src,${n}\n`, n)
    await writer.finish()
    await writer.close()
    expect(Object.fromEntries(sent)).toEqual({
      'in/manifest-1.csv': 'src,1\nsrc,2\n',
      'in/manifest-2.csv': 'src,3\nsrc,5\n',
      'in/manifest-3.csv': 'src,4\n',
    })
    const written = writer.written.toSorted((a, b) => a.manifest.localeCompare(b.manifest))
    expect(written.map(({ manifest, etag, rows, bytes, kind }) => [manifest, etag, rows, bytes, kind])).toEqual([
      ['in/manifest-1.csv', 'etag of in/manifest-1.csv', 2, 3, 'STANDARD'],
      ['in/manifest-2.csv', 'etag of in/manifest-2.csv', 2, 8, 'STANDARD'],
      ['in/manifest-3.csv', 'etag of in/manifest-3.csv', 1, 4, 'STANDARD_IA'],
    ])
  })

  test('what cannot be sent is told, and not waited for without end', async () => {
    const refused = new Error('refused')
    const writer = new ManifestWriter<string>('', 1e9, () => Promise.reject(refused))
    const row = `${'x'.repeat(600_000)}\n`
    await expect(
      (async () => {
        for (let n = 0; n < 5; n++) await writer.add('STANDARD', row, 1)
        await writer.finish()
      })(),
    ).rejects.toBe(refused)
    await writer.close()
    expect(writer.written).toEqual([])
  })
})

test('a row with what was listed gives it back, and S3 is left the fields of the others', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), fc.string({ unit: 'grapheme' }), (key, size, etag) => {
      const [bucket, name = '', traits = '', ...more] = listedRow('src', key, { size, etag }).trimEnd().split(',')
      expect([bucket, keyIn(name), listedInRow(traits), more]).toEqual(['src', key, { size, etag }, []])
    }),
  )
  expect(listedInRow('Successful')).toBeUndefined()
})
