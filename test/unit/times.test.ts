import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isoTime, timeOf } from '../../src/times.js'

const noon = Date.UTC(2024, 0, 31, 12)
const aTime = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
/** Zones as they are written, with their minutes ahead of UTC. */
const aZone = fc.oneof(
  fc.constantFrom(['', 0], ['Z', 0], ['z', 0], [' UTC', 0], ['UTC', 0], [' GMT', 0], ['+00', 0], ['-00:00', 0]),
  fc.record({ sign: fc.constantFrom(1, -1), hours: fc.nat(23), minutes: fc.nat(59), form: fc.nat(2) }).map((zone) => {
    const [hours, minutes] = [zone.hours, zone.form === 0 ? 0 : zone.minutes].map((n) => String(n).padStart(2, '0'))
    const written = [hours, `${hours}${minutes}`, `${hours}:${minutes}`][zone.form]
    return [`${zone.sign < 0 ? '-' : '+'}${written}`, zone.sign * (Number(hours) * 60 + Number(minutes))]
  }),
) as fc.Arbitrary<[string, number]>

describe('a time', () => {
  test('is the same moment however databases and stores write it, and in UTC where they name no zone', () => {
    fc.assert(
      fc.property(
        aTime,
        fc.constantFrom('T', 't', ' ', '  '),
        fc.nat(9),
        aZone,
        (date, between, digits, [zone, minutes]) => {
          const [day = '', clock = ''] = date.toISOString().split(/[TZ]/)
          const [seconds = '', milliseconds = ''] = clock.split('.')
          const fraction = `${milliseconds}987654`.slice(0, digits)
          const written = `${day}${between}${seconds}${digits === 0 ? '' : `.${fraction}`}${zone}`
          const told = new Date(`${day}T${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}Z`).getTime()
          expect(timeOf(written)).toBe(told - minutes * 60_000)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('of HTTP is understood in all three of its forms', () => {
    fc.assert(
      fc.property(aTime, (date) => {
        const [weekday = '', day = '', month = '', year = '', clock = ''] = date.toUTCString().split(/,? /)
        const whole = date.getTime() - date.getUTCMilliseconds()
        expect(timeOf(date.toUTCString())).toBe(whole)
        expect(timeOf(`${weekday}, ${day} ${month} ${year} ${clock} +0100`)).toBe(whole - 3_600_000)
        expect(timeOf(`${weekday} ${month} ${day.replace(/^0/, ' ')} ${clock} ${year}`)).toBe(whole)
        const short = date.getUTCFullYear() >= 1969 && date.getUTCFullYear() <= 2068
        if (short) expect(timeOf(`Sunday, ${day}-${month}-${year.slice(2)} ${clock} GMT`)).toBe(whole)
      }),
    )
    expect(timeOf('Sunday, 06-Nov-94 08:49:37 GMT')).toBe(784111777000)
    expect(timeOf('Sun Nov  6 08:49:37 1994')).toBe(784111777000)
  })

  test.each([
    ['2024-01-31', Date.UTC(2024, 0, 31)],
    ['2024-01-31 12:00', noon],
    ['2024-01-31 12:00:00', noon],
    ['2024-01-31 12:00:00.', noon],
    ['2024-01-31T12:00:00,5Z', noon + 500],
    ['2024-01-31 12:00:00.000 UTC', noon],
    ['2024-01-31 12:00:00+00', noon],
    ['2024-01-31 12:00:00.123456789+0530', noon - 19_800_000 + 123],
    ['2024-02-29T23:59:60Z', Date.UTC(2024, 2, 1)],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
  ])('written %s is understood', (text, expected) => {
    expect(timeOf(text)).toBe(expected)
    expect(isoTime(text)).toBe(new Date(expected).toISOString())
  })

  test.each([
    ...['', ' ', 'yesterday', 'infinity', 'NULL', '\\N', '2024', '20240131', '1706702400', '1706702400000', '45322.5'],
    ...['01/02/2026', '1/2/26', '02.01.2026', '2026/01/02', '01-02-2026', '2026-1-2', 'Jan 2, 2026', '2 January 2026'],
    ...['2023-02-29', '2024-02-30T00:00:00Z', '2024-00-10', '2024-13-01', '2024-04-31 00:00:00', '0000-00-00 00:00:00'],
    ...['2024-01-31 24:00:00', '2024-01-31 12:60', '2024-01-31 12:00:61', '2024-01-31 12', '2024-01-31 1:00 PM'],
    ...[
      '2024-01-31Z',
      '2024-01-31 12:00:00.0123456789',
      '2024-01-31 12:00:00 America/New_York',
      '2024-01-31 12:00 EST',
    ],
    ...['2024-01-31 12:00:00+5', '2024-01-31 12:00:00+24', '2024-01-31 12:00:00+05:60', '+002024-01-31T12:00:00Z'],
    ...['Sun, 32 Jan 2027 00:00:00 GMT', 'Sun, 01 Foo 2027 00:00:00 GMT', 'Sun, 01 Jan 2027 00:00:00 PST'],
    ...['2024-01-31T12:00:00Z ', ' 2024-01-31T12:00:00Z', '2024-01-31T12:00:00Zulu', '2024-01-31T12:00:00Z\n'],
  ])('written %j is never guessed', (text) => {
    expect([timeOf(text), isoTime(text)]).toEqual([Number.NaN, undefined])
  })

  test('that JavaScript would write is read back, and no text at all is an error', () => {
    fc.assert(
      fc.property(aTime, (date) => {
        expect(isoTime(date.toISOString())).toBe(date.toISOString())
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789-:TZ. +GMJan,'.split(/(?:)/)) }), (text) => {
        const time = timeOf(text)
        // What is understood is what JavaScript understands by it in UTC, where that has an opinion.
        if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text)) expect([NaN, Date.parse(text)]).toContain(time)
      }),
      { numRuns: 2000 },
    )
  })
})
