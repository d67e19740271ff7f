import * as fc from 'fast-check'
import { XMLParser } from 'fast-xml-parser'
import { describe, expect, test } from 'vitest'
import { decodeListed } from '../../../../src/storage/s3/encode.js'
import { MalformedList, parseListPage, UndecodableKey, type ListAnswer } from '../../../../src/storage/s3/list-page.js'
import { UnreadableTime } from '../../../../src/storage/s3/list-time.js'

/** A body as it comes from the wire: one byte a character. */
const wire = (xml: string) => Buffer.from(xml, 'utf8').toString('latin1')

const escape = (text: string) =>
  text.replace(
    /[&<>"'\r]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' })[c] ?? '&#13;',
  )

/** As S3 encodes keys for `encoding-type=url`. */
const urlEncode = (key: string) =>
  encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+').replaceAll('*', '%2A')

interface Made {
  readonly xml: string
  readonly keys: readonly string[]
}

const legalInXml = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((text) => text.replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '_'))
const anyKey = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.constantFrom('/', '+', '%', '%2B', ' ', '&', '&amp;', '<Key>', '</Contents>', '"', '\r', '\n', '\r\n', '\0'),
      fc.constantFrom('\u001f', '\ud7ff', '\ue000', '\uffff', '\u{1f600}', ']]>', '&#13;', '*', '..'),
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''))

const unknown = fc.constantFrom(
  '<Owner><ID>abc</ID><DisplayName>x &amp; y</DisplayName></Owner>',
  '<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>',
  '<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus>',
  '<Novelty a="1" b="2/">text</Novelty>',
  '<Empty/>',
  '<Empty />',
)
const unknownOutside = fc.constantFrom(
  '<Name>bucket</Name>',
  '<MaxKeys>1000</MaxKeys>',
  '<Prefix/>',
  '<Prefix></Prefix>',
  '<StartAfter>a&amp;b</StartAfter>',
  '<ContinuationToken>abc==</ContinuationToken>',
  '<Delimiter>/</Delimiter>',
  '<Marker xmlns="x"></Marker>',
)

function page(urlEncoded: boolean): fc.Arbitrary<Made> {
  const object = fc
    .record({
      key: urlEncoded ? anyKey : legalInXml,
      size: fc.integer({ min: 0, max: 50 * 1024 ** 4 }),
      etag: fc.constantFrom('&quot;d41d8cd98f00b204e9800998ecf8427e-2&quot;', '"abc"', 'abc', '&quot;&quot;', ''),
      lastModified: fc.constant('2024-02-29T23:59:59.000Z'),
      storageClass: fc.option(fc.constantFrom('STANDARD', 'GLACIER', 'INTELLIGENT_TIERING'), { nil: undefined }),
      extra: fc.array(unknown, { maxLength: 2 }),
      shuffle: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    })
    .map(({ key, size, etag, lastModified, storageClass, extra, shuffle }) => ({
      key,
      parts: shuffled(shuffle, [
        `<Key>${urlEncoded ? urlEncode(key) : escape(key)}</Key>`,
        `<Size>${size}</Size>`,
        `<ETag>${etag}</ETag>`,
        `<LastModified>${lastModified}</LastModified>`,
        ...(storageClass === undefined ? [] : [`<StorageClass>${storageClass}</StorageClass>`]),
        ...extra,
      ]),
    }))
  return fc
    .record({
      objects: fc.array(object, { maxLength: 6 }),
      prefixes: fc.array(
        (urlEncoded ? anyKey : legalInXml).map(
          (folder) =>
            `<CommonPrefixes><Prefix>${urlEncoded ? urlEncode(folder) : escape(folder)}</Prefix></CommonPrefixes>`,
        ),
        { maxLength: 2 },
      ),
      truncated: fc.boolean(),
      token: fc.option(fc.constantFrom('1abc+/==', 'a&amp;b', 'ключ'), { nil: undefined }),
      counted: fc.boolean(),
      extra: fc.array(unknownOutside, { maxLength: 3 }),
      space: fc.constantFrom('', '\n  ', '\r\n\t', ' '),
      prolog: fc.constantFrom('', '<?xml version="1.0" encoding="UTF-8"?>', '<?xml version="1.0"?>\n', '\ufeff', '\n '),
      attributes: fc.constantFrom('', ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'),
      shuffle: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    })
    .map(({ objects, prefixes, truncated, token, counted, extra, space, prolog, attributes, shuffle }) => {
      // Pretty printing goes between elements that hold elements, never into text.
      const contents = objects.map(({ parts }) => `<Contents>${space}${parts.join(space)}${space}</Contents>`)
      const around = shuffled(shuffle, [
        `<IsTruncated>${truncated}</IsTruncated>`,
        contents.join(space),
        ...(urlEncoded ? ['<EncodingType>url</EncodingType>'] : []),
        ...(token === undefined ? [] : [`<NextContinuationToken>${token}</NextContinuationToken>`]),
        ...(counted ? [`<KeyCount>${objects.length + prefixes.length}</KeyCount>`] : []),
        ...prefixes,
        ...extra,
      ])
      return {
        xml: `${prolog}<ListBucketResult${attributes}>${space}${around.join(space)}${space}</ListBucketResult>`,
        keys: objects.map(({ key }) => key),
      }
    })
}

const shuffled = (order: readonly number[], parts: readonly string[]) =>
  parts
    .map((part, index) => ({ part, rank: order[index % order.length] ?? 0 }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ part }) => part)

const anyPage = fc.oneof(page(true), page(false))

const xmlParser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  processEntities: true,
  htmlEntities: true,
  ignoreDeclaration: true,
  isArray: (name) => name === 'Contents' || name === 'CommonPrefixes',
})

/** What a general XML parser makes of the same page. */
function reference(xml: string): ListAnswer {
  const list = (xmlParser.parse(xml.replace(/^\ufeff/, '')) as Record<string, Record<string, unknown>>)
    .ListBucketResult!
  const contents = (list.Contents ?? []) as Record<string, string>[]
  const token = list.NextContinuationToken as string | undefined
  const written = (key: string): string =>
    list.EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key
  return {
    folders: ((list.CommonPrefixes ?? []) as Record<string, string>[]).map((one) => written(one.Prefix!)),
    truncated: list.IsTruncated === 'true',
    nextToken: token === '' ? undefined : token,
    objects: contents.map((one) => ({
      key: written(one.Key!),
      size: Number(one.Size),
      etag: one.ETag!.replace(/^"(.*)"$/, '$1'),
      lastModified: one.LastModified!,
      storageClass: one.StorageClass ?? 'STANDARD',
    })),
  }
}

const minimal = (inside: string, count = 1) =>
  `<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>${count}</KeyCount>${inside}</ListBucketResult>`
const one = (key: string, size = '1') => `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`
const keysOf = (body: string) => parseListPage(body).objects.map(({ key }) => key)
const urlListed = (key: string) => minimal(`<EncodingType>url</EncodingType>${one(key)}`)

describe('parseListPage', () => {
  test('reads what a real XML parser reads, whatever the order of elements, unknown ones and white space', () => {
    fc.assert(
      fc.property(anyPage, ({ xml, keys }) => {
        const answer = parseListPage(wire(xml))
        expect(answer).toEqual(reference(xml))
        expect(answer.objects.map(({ key }) => key)).toEqual(keys)
      }),
      { numRuns: 600 },
    )
  })

  test('refuses every page that was cut, wherever it was cut', () => {
    fc.assert(
      fc.property(anyPage, ({ xml }) => {
        const body = wire(xml)
        for (let end = 0; end < body.length; end++)
          expect(() => parseListPage(body.slice(0, end))).toThrow(MalformedList)
      }),
      { numRuns: 30 },
    )
  })

  test.each([
    ['2024-01-31T12:00:00.000Z', '2024-01-31T12:00:00.000Z'],
    ['2024-01-31T12:00:00Z', '2024-01-31T12:00:00.000Z'],
    ['2024-01-31T12:00:00.000', '2024-01-31T12:00:00.000Z'],
    ['2024-01-31 12:00:00.5', '2024-01-31T12:00:00.500Z'],
    ['2024-01-31T14:00:00+02:00', '2024-01-31T12:00:00.000Z'],
    ['Wed, 31 Jan 2024 12:00:00 GMT', '2024-01-31T12:00:00.000Z'],
    ['', ''],
  ])('takes the time %j for one in UTC unless it says otherwise', (written, expected) => {
    const page = minimal(one('a').replace('<Size>', `<LastModified>${written}</LastModified><Size>`))
    expect(parseListPage(page).objects[0]?.lastModified).toBe(expected)
  })

  test.each(['01/02/2024', 'yesterday', '1706702400', '2024-02-30T00:00:00Z', '2024-01-31T12:00:00 EST'])(
    'does not guess what the time %j may be',
    (written) => {
      const page = minimal(one('a').replace('<Size>', `<LastModified>${written}</LastModified><Size>`))
      expect(() => parseListPage(page)).toThrow(new UnreadableTime(written))
    },
  )

  test('says in its own words what is wrong with a page that lost bytes in the middle', () => {
    fc.assert(
      fc.property(anyPage, fc.nat(), fc.nat(), ({ xml }, from, length) => {
        const body = wire(xml)
        const start = from % body.length
        try {
          parseListPage(body.slice(0, start) + body.slice(start + 1 + (length % (body.length - start))))
        } catch (error) {
          const kinds = [MalformedList, UndecodableKey, UnreadableTime]
          expect(kinds.some((kind) => error instanceof kind)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['fewer keys than announced', minimal(one('a'), 2)],
    ['more keys than announced', minimal(one('a') + one('b'), 1)],
    ['a count that is no number', minimal(one('a')).replace('>1</KeyCount>', '>x</KeyCount>')],
    ['no word on whether there is more', '<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>'],
    ['another word on whether there is more', minimal('', 0).replace('false', 'perhaps')],
    ['an object without a key', minimal('<Contents><Size>1</Size></Contents>')],
    ['an object without a size', minimal('<Contents><Key>a</Key></Contents>')],
    ['an empty size', minimal(one('a', ''))],
    ['a negative size', minimal(one('a', '-1'))],
    ['a size that is no whole number', minimal(one('a', '1.5'))],
    ['a size in another notation', minimal(one('a', '0x10'))],
    ['an empty object', minimal('<Contents/>')],
    ['elements inside a key', minimal(one('a<b/>c'))],
    ['a stray end', minimal('</Contents>', 0)],
    ['another document', '<Error><Code>InternalError</Code></Error>'],
    ['no document', ''],
    ['white space only', ' \r\n'],
    ['HTML', '<html><body>Service Unavailable</body></html>'],
    ['JSON', '{"Contents":[]}'],
    ['a token that is not UTF-8', minimal('<NextContinuationToken>\xff</NextContinuationToken>', 0)],
  ])('refuses a page with %s', (_what, body) => {
    expect(() => parseListPage(body)).toThrow(MalformedList)
  })

  test('counts common prefixes into KeyCount, as S3 does', () => {
    const { objects, folders } = parseListPage(
      minimal(`${one('a')}<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>`, 2),
    )
    expect([objects.length, folders]).toEqual([1, ['b/']])
  })

  test('decodes url-encoded keys exactly: CR, LF, control characters, plus, percent', () => {
    expect(keysOf(urlListed('a%0D%0Ab%00%1F%7F'))).toEqual(['a\r\nb\0\u001f\u007f'])
    expect(keysOf(urlListed('a+b%2Bc%252B%25'))).toEqual(['a b+c%2B%'])
    expect(keysOf(urlListed('%E4%B8%AD%F0%9F%98%80'))).toEqual(['中\u{1f600}'])
  })

  test('decodes a plus as a plus when the store did not url-encode', () => {
    expect(keysOf(minimal(one('a+b%2B')))).toEqual(['a+b%2B'])
    expect(keysOf(minimal(one('a&#13;&#xA;&lt;&amp;amp;')))).toEqual(['a\r\n<&amp;'])
  })

  test('decodes a url-encoded key whose other characters came as bare UTF-8 or as XML entities', () => {
    expect(keysOf(wire(urlListed('é%20中&amp;&lt;%26amp;')))).toEqual(['é 中&<&amp;'])
  })

  test.each([
    ['percent-encoded bytes that are not UTF-8', urlListed('a%FF')],
    ['a percent-encoded surrogate', urlListed('%ED%A0%80')],
    ['an overlong encoding', urlListed('%C0%AF')],
    ['a cut percent-encoding', urlListed('a%2')],
    ['a reference that XML does not know', minimal(one('a&nbsp;b'))],
    ['a bare ampersand', minimal(one('a&b'))],
    ['a reference to half a surrogate pair', minimal(one('a&#xD800;'))],
    ['bare bytes that are not UTF-8', minimal(one('a\xff'))],
    ['bare bytes that are not UTF-8 among url-encoded ones', urlListed('a%20\xff')],
  ])('calls a key undecodable that has %s', (_what, body) => {
    expect(() => parseListPage(body)).toThrow(UndecodableKey)
  })
})

describe('decodeListed', () => {
  test('undoes what S3 does to keys', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        expect(decodeListed(urlEncode(key))).toBe(key)
      }),
    )
  })
})
