import fc from 'fast-check'
import { expect, test } from 'vitest'
import { attributesIn, type StoredAttributes } from '../../../../src/storage/disk/attributes.js'
import { attributesLine, lineIn, withdrawal } from '../../../../src/storage/disk/attributes-lines.js'

const name = fc.string({ unit: 'binary', minLength: 1 })

const attributes: StoredAttributes = {
  ...{ size: 5, modified: 1_700_000_000_000, etag: 'e', storageClass: 'STANDARD', tags: '' },
  headers: [['x-amz-meta-a', '"none":true}\n']],
  others: [],
}

test('a line says again what was put into it, is ASCII, and has one line break, at its end', () => {
  fc.assert(
    fc.property(name, (name) => {
      const line = attributesLine(name, attributes)
      expect(line).toMatch(/^[ -~]+\n$/)
      expect(lineIn(line.trimEnd())).toEqual({ name, kind: 'attributes' })
      expect(attributesIn(line)).toMatchObject(attributes)
      for (const kind of ['none', 'undone'] as const) {
        const other = withdrawal(name, kind)
        expect(other).toMatch(/^[ -~]+\n$/)
        expect(lineIn(other.trimEnd())).toEqual({ name, kind })
        expect(attributesIn(other)).toBeUndefined()
      }
    }),
  )
})

test('the beginning of a line is none, or says nothing', () => {
  fc.assert(
    fc.property(name, fc.nat(), (name, at) => {
      const line = attributesLine(name, attributes)
      const cut = line.slice(0, at % (line.length - 1))
      expect(lineIn(cut) === undefined || attributesIn(cut) === undefined).toBe(true)
      const other = withdrawal(name, 'none')
      expect(lineIn(other.slice(0, at % (other.length - 1)))).toBeUndefined()
    }),
  )
})
