import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readTuning, tunedElsewhere, tuneText } from '../../../../src/commands/options/tune-file.js'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 's3move-tune-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const MEASURED = { measured: '2026-01-01T00:00:00Z', source: 's3://photos/2019/', concurrency: 7 }

function tuneOf(host: string) {
  const tune = join(folder, 'tune')
  writeFileSync(tune, tuneText({ ...MEASURED, host }))
  return { tune }
}

test('a file is read once for a start, whoever asks', () => {
  const flags = tuneOf('h')
  expect(readTuning(flags)).toMatchObject({ concurrency: 7 })
  writeFileSync(flags.tune, 'something else')
  expect(readTuning(flags)).toMatchObject({ concurrency: 7 })
  expect(() => readTuning({ ...flags })).toThrow('is no file of a probe')
})

test.each([
  ['127.0.0.1:9000', { host: '127.0.0.1:9000', bucket: 'other' }],
  ['photos.s3.eu-west-1.amazonaws.com', { host: 'other.s3.eu-west-1.amazonaws.com', bucket: 'other' }],
  ['photos.s3.eu-west-1.amazonaws.com', { host: 's3.eu-west-1.amazonaws.com', bucket: 'with.dots' }],
])('what was measured at %s holds for another bucket there', (host, side) => {
  expect(tunedElsewhere(tuneOf(host), [side])).toBeUndefined()
  expect(tunedElsewhere(tuneOf(host), [{ host: 'else', bucket: 'b' }, side])).toBeUndefined()
})

test.each([
  ['127.0.0.1:9000', { host: '127.0.0.1:9001', bucket: 'photos' }, '127.0.0.1:9000', '127.0.0.1:9001'],
  [
    'photos.s3.eu-west-1.amazonaws.com',
    { host: 'photos.s3.us-east-1.amazonaws.com', bucket: 'photos' },
    's3.eu-west-1.amazonaws.com',
    's3.us-east-1.amazonaws.com',
  ],
])('what was measured at %s is warned of elsewhere', (host, side, there, here) => {
  expect(tunedElsewhere(tuneOf(host), [side])).toBe(
    `what --tune says was measured at ${there} (s3://photos/2019/, 2026-01-01T00:00:00Z), and this is ${here}: it may be far too much there, or too little`,
  )
})

test('between folders, and without the flag, there is nothing to warn of', () => {
  expect(tunedElsewhere(tuneOf('h'), [{ host: undefined, bucket: '/backup' }])).toBeUndefined()
  expect(tunedElsewhere({}, [{ host: 'h', bucket: 'b' }])).toBeUndefined()
})
