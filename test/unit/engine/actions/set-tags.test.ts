import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tagChanges, wantedTags } from '../../../../src/engine/actions/set-tags.js'
import { tagsIn, taggingWith } from '../../../../src/engine/actions/tags.js'

const NAME = fc.constantFrom('a', 'b', 'c', 'd e', 'ü&=+')
const TAGS = fc.array(fc.tuple(NAME, fc.string({ unit: 'grapheme' })), { maxLength: 5 })

describe('the tags that an object is to have', () => {
  test('are those that are set, and of the others all that are not to be removed; once they are so, nothing changes', () => {
    fc.assert(
      fc.property(TAGS, TAGS, fc.array(NAME), (had, set, given) => {
        const before = new Map(had)
        const remove = given.filter((name) => !set.some(([one]) => one === name))
        const after = wantedTags({ set, remove }, before)
        const others = [...before].filter(([name]) => !new Map(set).has(name) && !remove.includes(name))
        expect(after).toEqual(new Map([...others, ...set]))
        expect(tagChanges(after, wantedTags({ set, remove }, after))).toEqual([])
      }),
    )
  })

  test('are those that are set alone, where they replace all', () => {
    fc.assert(
      fc.property(TAGS, TAGS, (had, set) => {
        expect(wantedTags({ set, remove: [], replace: true }, new Map(had))).toEqual(new Map(set))
      }),
    )
  })

  test('are read back from what is sent', () => {
    fc.assert(
      fc.property(TAGS, (tags) => {
        const all = new Map(tags)
        expect(tagsIn(taggingWith(all).header)).toEqual(all)
      }),
    )
  })
})
