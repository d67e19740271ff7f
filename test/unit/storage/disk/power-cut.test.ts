import { createHash } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import type * as Calls from '../../../../src/storage/disk/calls.js'
import type * as FileSystem from '../../../../src/file-system.js'
import { openFolder, openFolderToWrite } from '../../../../src/storage/disk/open-folder.js'
import { DiskStore } from '../../../../src/storage/disk/store.js'
import { workFolder } from '../../../support/cli-program.js'
import { PowerCutDisk, restore, type Leftover } from '../../../support/power-cut-disk.js'

// Told of each step.
const watch = vi.hoisted(() => ({ disk: undefined as PowerCutDisk | undefined, stepped: (): void => undefined }))

vi.mock('../../../../src/storage/disk/calls.js', async (original) => {
  const real = await original<typeof Calls>()
  const told =
    <A extends unknown[], R>(
      call: (...args: A) => Promise<R>,
      tell: (disk: PowerCutDisk, answer: R, ...args: A) => void,
    ) =>
    async (...args: A): Promise<R> => {
      const answer = await call(...args)
      if (watch.disk !== undefined) {
        tell(watch.disk, answer, ...args)
        watch.stepped()
      }
      return answer
    }
  return {
    ...real,
    openFile: told(real.openFile, (disk, file, path, flags) => disk.opened(file, path, flags === 'wx')),
    writeAll: told(real.writeAll, (disk, _, ...args) => disk.written(...args)),
    setTimes: told(real.setTimes, (disk, _, ...args) => disk.timed(...args)),
    sync: told(real.sync, (disk, _, file) => disk.fileSynced(file)),
    close: told(real.close, (disk, _, file) => disk.closed(file)),
    rename: told(real.rename, (disk, _, ...args) => disk.renamed(...args)),
    link: told(real.link, (disk, _, ...args) => disk.linked(...args)),
    unlink: told(real.unlink, (disk, _, path) => disk.removed(path)),
    mkdir: told(real.mkdir, (disk, _, path) => disk.made(path)),
    rmdir: told(real.rmdir, (disk, _, path) => disk.removed(path)),
  }
})

vi.mock('../../../../src/file-system.js', async (original) => {
  const real = await original<typeof FileSystem>()
  return {
    ...real,
    syncFolder: async (folder: string) => {
      await real.syncFolder(folder)
      watch.disk?.folderSynced(folder)
      watch.stepped()
    },
  }
})

afterEach(() => {
  watch.disk = undefined
})

const TIME = '2024-01-02T03:04:05.000Z'

async function put(store: DiskStore, key: string, body: string, ifAbsent = false): Promise<void> {
  const content = {
    size: body.length,
    async *pieces() {
      yield await Promise.resolve(Buffer.from(body))
    },
  }
  const fields = [['x-amz-meta-md5', md5(body)] as const, ...(ifAbsent ? [['if-none-match', '*'] as const] : [])]
  await store.writing!.write(key, content, fields, TIME)
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

const openToRead = async (folder: string): Promise<DiskStore> =>
  new DiskStore({ bucket: folder, prefix: '' }, await openFolder(folder), () => undefined)

test('a power cut at any moment leaves each object old or new, with its attributes or none, and what was confirmed as it was', async () => {
  const folder = await workFolder()
  const opened = await openFolderToWrite(folder)
  const newStore = (): DiskStore => new DiskStore({ bucket: folder, prefix: '' }, opened, () => undefined)
  const before = newStore()
  const keys = ['a', 'b', 'c', 'deep/er/x', 'deep/er/y']
  for (const key of keys) await put(before, key, `old ${key}`)
  const store = newStore()
  const disk = new PowerCutDisk()
  await disk.take(folder)
  // What each object may be, undefined when it need not be there.
  const allowed = new Map<string, readonly (string | undefined)[]>(keys.map((key) => [key, [`old ${key}`]]))
  const cuts: { readonly left: Leftover; readonly allowed: typeof allowed }[] = []
  watch.disk = disk
  watch.stepped = () => void cuts.push({ left: disk.left(), allowed: new Map(allowed) })
  const changes: [key: string, body: string, ifAbsent?: boolean][] = [
    // As long as the old one, and of the same time: only the log can tell them apart.
    ['a', 'new a'],
    ['b', 'longer than the old b'],
    ['new', 'new', true],
    ['deep/er/x', 'new deep/er/x'],
    ['other/folder/z', 'z', true],
    ['deep', 'an object of the name of a folder'],
  ]
  for (const [key, body] of changes) allowed.set(key, [...(allowed.get(key) ?? [undefined]), body])
  const [first, ...others] = changes
  await Promise.all([
    ...others.map(async (change) => {
      await put(store, ...change)
      allowed.set(change[0], [change[1]])
    }),
    (async () => {
      await put(store, ...first!)
      allowed.set('a', ['new a'])
      // Once more, over what was just written.
      allowed.set('a', ['new a', 'now a'])
      await put(store, 'a', 'now a')
      allowed.set('a', ['now a'])
    })(),
  ])
  watch.stepped()
  watch.disk = undefined
  const seen = new Set<string>()
  for (const { left, allowed } of cuts) {
    for (const happens of [() => true, () => false, () => Math.random() < 0.5]) {
      const after = await workFolder()
      await restore(left, folder, after, happens)
      const found = await openToRead(after)
      const { objects } = await found.list({})
      const there = new Set(objects.map(({ key }) => key))
      const missing = [...allowed].filter(([key, bodies]) => !there.has(key) && !bodies.includes(undefined))
      expect(missing).toEqual([])
      for (const { key, etag, size } of objects) {
        const { bytes, head } = await found.reading.open({ key, etag, size })
        const body = bytes.toString()
        expect([key, allowed.get(key)]).toEqual([key, expect.arrayContaining([body])])
        if (head.plainEtag) expect([key, etag, head.headers.get('x-amz-meta-md5')]).toEqual([key, md5(body), md5(body)])
        // Confirmed: with all that was written with it.
        if (allowed.get(key)?.length === 1) expect([key, head.plainEtag]).toEqual([key, true])
        seen.add(`${key} ${body} ${String(head.plainEtag)}`)
      }
    }
  }
  // Old, new, and new without attributes.
  expect(seen).toContain('a old a true')
  expect(seen).toContain('a now a true')
  expect(seen).toContain('a old a false')
  expect(cuts.length).toBeGreaterThan(50)
}, 120_000)
