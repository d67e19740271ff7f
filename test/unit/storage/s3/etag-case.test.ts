import { describe, expect, test } from 'vitest'
import { EtagCase } from '../../../../src/storage/s3/etag-case.js'
import { inLowerCase } from '../../../../src/storage/etags.js'

const MD5 = '0f343b0931126a20f133d67c2b018a3b'
const answer = (head: string, body = '') => ({ status: 200, head: `HTTP/1.1 200 OK\r\n${head}`, body })

describe('ETags', () => {
  test('that are MD5s are equal whatever their case, others only to themselves', () => {
    expect(inLowerCase(MD5.toUpperCase())).toBe(MD5)
    expect(inLowerCase(`${MD5.toUpperCase()}-12`)).toBe(`${MD5}-12`)
    for (const other of [
      '',
      'ABC',
      `W/${MD5.toUpperCase()}`,
      `${MD5.toUpperCase()}-N`,
      `${MD5.toUpperCase()}0`,
      'Opaque/+=',
    ]) {
      expect(inLowerCase(other)).toBe(other)
    }
  })

  test.each([
    ['a header', answer(`ETag: "${MD5.toUpperCase()}"`)],
    ['a list', answer('', `<Contents><ETag>&quot;${MD5.toUpperCase()}&quot;</ETag></Contents>`)],
    ['the ETag of parts in a copy', answer('', `<CopyObjectResult><ETag>"${MD5.toUpperCase()}-3"</ETag>`)],
  ])('are sent as the store writes them, once that is known from %s', (_, response) => {
    const etags = new EtagCase(undefined)
    expect(etags.own(MD5)).toBe(MD5)
    etags.learn(response)
    expect([etags.own(MD5), etags.own(`${MD5}-2`), etags.own('opaque')]).toEqual([
      MD5.toUpperCase(),
      `${MD5.toUpperCase()}-2`,
      'opaque',
    ])
    const fields = [
      ['if-match', `"${MD5}"`],
      ['if-none-match', '*'],
      ['x-amz-copy-source-if-match', `"${MD5}"`],
      ['x-amz-meta-a', MD5],
    ] as const
    expect(etags.ownFields(fields, false).map(([, value]) => value)).toEqual([
      ...[`"${MD5.toUpperCase()}"`, '*', `"${MD5.toUpperCase()}"`],
      MD5,
    ])
  })

  test('are sent without quotes where a store takes them so, and what has none stays as it is', () => {
    const [quoted, bare] = [[['if-match', `"${MD5}"`]], [['if-match', MD5]]] as const
    const etags = new EtagCase(true)
    expect(etags.ownFields(quoted, true)).toEqual([['if-match', MD5.toUpperCase()]])
    expect(etags.ownFields(bare, true)).toEqual(bare)
    expect(etags.ownFields(bare, false)).toEqual(bare)
  })

  test('without a letter say nothing of the case, and those in lower case are sent so', () => {
    const etags = new EtagCase(undefined)
    etags.learn(answer(`etag: "${'1'.repeat(32)}"`))
    expect(etags.capitals).toBeUndefined()
    etags.learn(answer(`etag: "${MD5}"`))
    expect([etags.capitals, etags.own(MD5)]).toEqual([false, MD5])
  })
})
