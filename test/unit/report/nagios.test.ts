import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { serviceOutput, isAlert, readThreshold, worst } from '../../../src/report/nagios.js'

describe('ranges of monitoring plugins', () => {
  // The table of the guidelines, with values that are alerts and values that are none.
  test.each([
    ['10', [-1, 10.5, 11], [0, 5, 10]],
    ['10:', [9, -1], [10, 11]],
    ['~:10', [10.5, 11], [-100, 10]],
    ['10:20', [9, 21], [10, 15, 20]],
    ['@10:20', [10, 15, 20], [9, 21]],
    ['0', [1], [0]],
    ['-5:-1', [0, -6], [-5, -3, -1]],
  ])('%s', (text, alerts, others) => {
    const threshold = readThreshold(text)!
    for (const value of alerts) expect(isAlert(threshold, value)).toBe(true)
    for (const value of others) expect(isAlert(threshold, value)).toBe(false)
  })

  test.each(['', ':', '@', 'x', '5:2', '1:2:3', '10%', '1e3', '~'])('‘%s’ is none', (text) => {
    expect(readThreshold(text)).toBeUndefined()
  })

  test('a value is an alert of exactly one of a range and the same range from within', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.integer(), (start, more, value) => {
        const text = `${start}:${start + more}`
        expect(isAlert(readThreshold(text)!, value)).not.toBe(isAlert(readThreshold(`@${text}`)!, value))
      }),
    )
  })
})

test('the worst finding comes first, a bar is only before values, and critical is worse than unknown', () => {
  const output = serviceOutput(
    [
      { state: 'OK', text: 'a' },
      { state: 'CRITICAL', text: 'b|c' },
      { state: 'UNKNOWN', text: 'd' },
    ],
    [{ label: 'done', value: 3, unit: 'c' }],
  )
  expect(output).toBe('S3MOVE CRITICAL - b¦c | done=3c;;;0;\nd\na\n')
  expect(worst([])).toBe('OK')
  expect(worst(['OK', 'WARNING'])).toBe('WARNING')
})
