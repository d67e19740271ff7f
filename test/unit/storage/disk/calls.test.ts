import fs from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { lstat, namesIn, openFile, readFully } from '../../../../src/storage/disk/calls.js'

afterEach(() => vi.restoreAllMocks())

test('calls are made at once while that is quick, by libuv’s threads when it is slow, and at once again when it no longer is', async () => {
  const atOnce = vi.spyOn(fs, 'lstatSync')
  const look = async (times: number): Promise<number> => {
    atOnce.mockClear()
    for (let i = 0; i < times; i++) expect((await lstat(tmpdir()))?.isDirectory()).toBe(true)
    return atOnce.mock.calls.length
  }
  expect(await look(100)).toBe(100)
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 5))
  // A few, until it is known.
  expect(await look(1_000)).toBeLessThan(20)
  clock.mockImplementation(() => (now += 0.01))
  await look(30_000)
  expect(await look(100)).toBe(100)
})

test('what leads nowhere is undefined or empty, whichever way it is found out, and what is short is told', async () => {
  const folder = await mkdtemp(join(tmpdir(), 's3move-calls-'))
  try {
    const file = join(folder, 'file')
    await writeFile(file, 'abc')
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 5))
    for (let i = 0; i < 50; i++) {
      for (const path of [join(folder, 'none'), join(file, 'below')]) {
        expect([await lstat(path), await namesIn(path)]).toEqual([undefined, []])
      }
      await expect(openFile(join(folder, 'none'), 'r')).rejects.toMatchObject({ code: 'ENOENT' })
    }
    const opened = await openFile(file, 'r')
    const bytes = Buffer.alloc(5)
    expect([await readFully(opened, bytes, 1), bytes.toString('latin1', 0, 2)]).toEqual([2, 'bc'])
    fs.closeSync(opened)
  } finally {
    await rm(folder, { recursive: true })
  }
})
