import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openFolderToWrite } from '../../../../src/storage/disk/open-folder.js'
import { DiskStore } from '../../../../src/storage/disk/store.js'
import { lockName } from '../../../../src/storage/disk/temporary.js'

// FAT, exFAT and some network file systems have no hard links.
vi.mock('../../../../src/storage/disk/calls.js', async (original) => ({
  ...(await original<object>()),
  link: () => Promise.reject(Object.assign(new Error('operation not permitted'), { code: 'EPERM' })),
}))

const THEN = '2024-01-02T03:04:05.000Z'

function putNew(store: DiskStore, key: string, size: number): Promise<string> {
  const body = Buffer.alloc(size, 'x')
  const content = {
    size,
    async *pieces() {
      yield await Promise.resolve(body)
    },
  }
  const fields = [
    ['if-none-match', '*'],
    ['x-amz-meta-size', String(size)],
  ] as const
  return store.writing!.write(key, content, fields, THEN)
}

describe('where there are no hard links', () => {
  let folder: string
  const inTemporary = (): Promise<string[]> => readdir(join(folder, '.s3move/tmp'))
  const open = async (): Promise<DiskStore> =>
    new DiskStore({ bucket: folder, prefix: '' }, await openFolderToWrite(folder), () => undefined)
  const lockOf = (pid: number, key: string): string => {
    const { own, ending } = lockName(key)
    return join(folder, '.s3move/tmp', `${own.slice(0, 12)}-${pid}${ending}`)
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 's3move-disk-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('of many who write what must not be there yet one succeeds, and its content and headers stay', async () => {
    const stores = [await open(), await open(), await open()]
    await putNew(stores[0]!, 'both/in it', 1)
    // The last has to make room for a folder.
    for (const key of ['plain', 'deep/er', 'both']) {
      const tries = Array.from({ length: 60 }, (_, index) => putNew(stores[index % 3]!, key, 1 + index))
      const ended = await Promise.allSettled(tries)
      const won = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      for (const one of ended) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'PreconditionFailed' })
      }
      const { etag, size, headers } = await stores[0]!.reading.head(key)
      expect([won, Number(headers.get('x-amz-meta-size'))]).toEqual([[etag], size])
    }
    expect(await inTemporary()).toEqual([])
  })

  test('waits while another living process writes a file of the name, and tells when that takes too long', async () => {
    const store = await open()
    await writeFile(lockOf(process.ppid, 'x'), '')
    await expect(putNew(store, 'x', 1)).rejects.toMatchObject({ severity: 'retry', code: 'EBUSY' })
    await expect(store.reading.head('x')).rejects.toMatchObject({ code: 'NoSuchKey' })
    const waiting = putNew(store, 'x', 1)
    await rm(lockOf(process.ppid, 'x'))
    await waiting
    expect(await inTemporary()).toEqual([])
  })

  test('the lock of a killed process holds nobody up and is removed, that of a living one stays', async () => {
    const store = await open()
    const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
    for (const pid of [dead, process.ppid, process.pid]) await writeFile(lockOf(pid, 'y'), '')
    await writeFile(lockOf(dead, 'x'), '')
    await putNew(store, 'x', 1)
    await open()
    expect((await inTemporary()).map((name) => Number(name.split('-')[1])).sort()).toEqual(
      [process.ppid, process.pid].sort(),
    )
  })
})
