import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deletingDeferred } from '../../../../src/engine/actions/deferred-delete.js'
import type { SyncJob } from '../../../../src/job/sync.js'
import { isStill, numbersOf } from '../../../../src/storage/disk/identity.js'
import { checkOutside, openFolder, openFolderToWrite } from '../../../../src/storage/disk/open-folder.js'
import { DiskStore } from '../../../../src/storage/disk/store.js'

const GONE = { severity: 'stop-run', code: 'NoSuchBucket', key: undefined }

let above: string
let root: string
beforeEach(async () => {
  above = await mkdtemp(join(tmpdir(), 's3move-disk-'))
  root = join(above, 'disk')
  await fill(root)
})
afterEach(() => rm(above, { recursive: true }))

async function fill(folder: string): Promise<void> {
  for (const name of ['a', 'b', 'c']) {
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, name, 'x'), 'content')
  }
}

/** What is left when a disk is unmounted: its mount point. */
async function unmount(): Promise<void> {
  await rename(root, join(above, 'away'))
  await mkdir(root)
}

const open = async (folder: string): Promise<DiskStore> =>
  new DiskStore({ bucket: folder, prefix: '' }, await openFolder(folder), () => undefined)

async function openToWrite(folder: string): Promise<DiskStore> {
  return new DiskStore({ bucket: folder, prefix: '' }, await openFolderToWrite(folder), () => undefined)
}

describe('a folder whose disk is unmounted while it is used', () => {
  test('is no end of a listing, wherever that has come to', async () => {
    const stores = await Promise.all([open(root), open(root), open(root)])
    const lists = [{}, { after: 'a/x' }, { after: 'c/x' }]
    for (const store of stores) await store.list({ limit: 1 })
    await unmount()
    for (const [index, from] of lists.entries()) await expect(stores[index]!.list(from)).rejects.toMatchObject(GONE)
    await expect((await open(root)).list({})).resolves.toMatchObject({ objects: [], truncated: false })
  })

  test('is not its mount point either when there is something in that', async () => {
    // Of another device than the mount point, which these folders are not.
    const folder = { ...(await openFolder(root)), device: '0' }
    const store = new DiskStore({ bucket: root, prefix: '' }, folder, () => undefined)
    expect((await store.list({})).objects.length).toBe(3)
    await unmount()
    await writeFile(join(root, 'not mounted'), '')
    await expect(store.list({})).rejects.toMatchObject(GONE)
  })

  test('has not lost an object that is looked for, read or removed', async () => {
    const store = await open(root)
    const [{ etag } = { etag: '' }] = (await store.list({})).objects
    await unmount()
    const { reading, removing } = store
    await expect(reading.head('a/x')).rejects.toMatchObject(GONE)
    await expect(reading.open({ key: 'a/x', size: 7, etag })).rejects.toMatchObject(GONE)
    expect(await removing.remove([{ key: 'a/x' }])).toMatchObject([GONE])
  })

  test('as the source of sync --delete deletes nothing at the destination', async () => {
    const job: SyncJob = {
      ...{ kind: 'sync', by: 'content', delete: {} },
      source: { bucket: root, prefix: '' },
      destination: { bucket: join(above, 'backup'), prefix: '' },
    }
    const [source, destination] = [await open(root), await openToWrite(job.destination.bucket)]
    const body = Buffer.from('content')
    const pieces = async function* (): AsyncGenerator<Buffer> {
      yield await Promise.resolve(body)
    }
    for (const key of ['a/x', 'extra', 'also']) {
      await destination.writing!.write(key, { size: 7, pieces }, [], '2024-01-02T03:04:05.000Z')
    }
    const act = deletingDeferred(job, { source, destination, settings: { streamed: true } })
    const [one, other, extra] = (await destination.list({})).objects
    expect([one?.key, other?.key, extra?.key]).toEqual(['a/x', 'also', 'extra'])
    // Both were only at the destination when they were listed, and one still is.
    expect([await act(one!), await act(other!)]).toEqual([{ kind: 'skipped', reason: 'appeared' }, { kind: 'deleted' }])
    await unmount()
    await expect(act(extra!)).rejects.toMatchObject(GONE)
    expect((await readdir(job.destination.bucket)).sort()).toEqual(['.s3move', 'a', 'extra'])
  })

  test('is told when s3move wrote it, although a run keeps its checkpoints in the mount point', async () => {
    const folder = join(above, 'ours')
    const store = await openToWrite(folder)
    await rm(folder, { recursive: true })
    await mkdir(join(folder, '.s3move/runs'), { recursive: true })
    await expect(store.list({})).rejects.toMatchObject(GONE)
  })
})

describe('a folder', () => {
  test('is the one that it was while its numbers are, and with one of them while something is in it', async () => {
    const before = { names: 'literal', ...(await numbersOf(root))! } as const
    const rebooted = { ...before, device: `${before.device}0` }
    const renumbered = { ...before, inode: `${before.inode}0` }
    const another = { ...rebooted, inode: renumbered.inode }
    const judge = (): Promise<boolean[]> =>
      Promise.all([before, rebooted, renumbered, another].map((one) => isStill(root, one)))
    expect(await judge()).toEqual([true, true, true, false])
    for (const name of await readdir(root)) await rm(join(root, name), { recursive: true })
    await mkdir(join(root, '.s3move'))
    expect(await judge()).toEqual([true, false, false, false])
    await rm(root, { recursive: true })
    expect(await judge()).toEqual([false, false, false, false])
  })

  test('is the same by whatever path, and no destination of itself or for what lies in it', async () => {
    // As through another mount: two paths without symbolic links.
    const elsewhere = { ...(await openFolder(root)), root: '/mnt/elsewhere' }
    const refused = { message: expect.stringContaining('one is the other, or lies in it') as string }
    for (const within of ['', 'a', 'a/new/deep', 'new']) {
      await expect(checkOutside(elsewhere, join(root, within)), within).rejects.toMatchObject(refused)
    }
    for (const beside of [above, join(above, 'new'), join(above, 'disk2')]) await checkOutside(elsewhere, beside)
    // Nothing is known where a file system gives no numbers.
    await checkOutside({ ...elsewhere, inode: '0' }, root)
  })

  test('is not opened in place of the one of before when it is empty, gone, or its names mean something else', async () => {
    const before = await openFolder(root)
    expect(await openFolder(root, { before })).toEqual(before)
    const refused = { message: expect.stringContaining('which this run reads, is gone or another one') as string }
    await unmount()
    await expect(openFolder(root, { before })).rejects.toMatchObject(refused)
    // An empty disk in its place may have the same numbers; one from which all was moved has.
    const same = { ...before, ...(await numbersOf(root))! }
    await expect(openFolder(root, { before: same })).rejects.toMatchObject(refused)
    expect(await openFolder(root, { before: same, emptied: true })).toEqual(same)
    await openFolderToWrite(root)
    await expect(openFolder(root, { before })).rejects.toMatchObject(refused)
    const ours = await openFolder(root)
    await rm(root, { recursive: true })
    await expect(openFolder(root, { before })).rejects.toMatchObject(refused)
    await fill(root)
    await expect(openFolder(root, { before: ours })).rejects.toMatchObject(refused)
  })
})
