import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
  appendFile,
  truncate,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openFolder, openFolderToWrite } from '../../../../src/storage/disk/open-folder.js'
import { DiskStore } from '../../../../src/storage/disk/store.js'
import { workFolder } from '../../../support/cli-program.js'

/** As a new process would. */
const open = async (folder: string): Promise<DiskStore> =>
  new DiskStore({ bucket: folder, prefix: '' }, await openFolderToWrite(folder), () => undefined)

const TIMES = ['2024-01-02T03:04:05.000Z', '2025-01-02T03:04:05.000Z'] as const

async function put(store: DiskStore, key: string, body: string, note: string, time: string = TIMES[0]): Promise<void> {
  const content = {
    size: body.length,
    async *pieces() {
      yield await Promise.resolve(Buffer.from(body))
    },
  }
  await store.writing!.write(key, content, [['x-amz-meta-note', note]], time)
}

const noteOf = async (store: DiskStore, key: string): Promise<string | undefined> =>
  (await store.reading.head(key)).headers.get('x-amz-meta-note')

const attributesOf = (folder: string): string => join(folder, '.s3move/attributes')

const logsIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith('%log-')).sort()

/** No process has this number. */
const DEAD = 2 ** 22 + 1

/** Makes the logs in a folder those of processes that are gone. */
async function bury(folder: string): Promise<void> {
  for (const name of await logsIn(folder)) {
    await rename(join(folder, name), join(folder, name.replace(`-${process.pid}-`, `-${DEAD}-`)))
  }
}

test('keeps the attributes of all objects of a folder in one file, a line each, readable without s3move', async () => {
  const folder = await workFolder()
  const store = await open(folder)
  await Promise.all(Array.from({ length: 50 }, (_, index) => put(store, `a/${index}`, 'x', `note ${index}`)))
  const [log = '', ...more] = await logsIn(join(attributesOf(folder), 'a'))
  expect(more).toEqual([])
  const lines = (await readFile(join(attributesOf(folder), 'a', log), 'utf8')).trimEnd().split('\n')
  const read = lines.map((line) => JSON.parse(line) as { name: string; headers: unknown })
  expect(read.map(({ name }) => name).sort()).toEqual(Array.from({ length: 50 }, (_, index) => String(index)).sort())
  expect(read.find(({ name }) => name === '7')).toMatchObject({ headers: [['x-amz-meta-note', 'note 7']] })
})

test('reads a folder of the first format, and tells an earlier s3move that it is one no more once it is written to', async () => {
  const folder = await workFolder()
  await put(await open(folder), 'a/x', 'hello', 'new')
  const [log = ''] = await logsIn(join(attributesOf(folder), 'a'))
  const line = await readFile(join(attributesOf(folder), 'a', log), 'utf8')
  // As it was: a file for each object.
  await rm(join(attributesOf(folder), 'a', log))
  await writeFile(
    join(attributesOf(folder), 'a', 'x%.json'),
    line.replace('"name":"x",', '').replace('new', 'old').trim(),
  )
  const marker = join(folder, '.s3move/format.json')
  await writeFile(marker, '{"format":1,"names":"exact"}\n')
  const reading = new DiskStore({ bucket: folder, prefix: '' }, await openFolder(folder), () => undefined)
  expect(await noteOf(reading, 'a/x')).toBe('old')
  expect(JSON.parse(await readFile(marker, 'utf8'))).toMatchObject({ format: 1 })
  const store = await open(folder)
  expect(JSON.parse(await readFile(marker, 'utf8'))).toEqual({ format: 2, names: 'exact' })
  expect(await noteOf(store, 'a/x')).toBe('old')
  await put(store, 'a/x', 'hello', 'newer')
  expect(await noteOf(store, 'a/x')).toBe('newer')
  await store.removing.remove([{ key: 'a/x' }])
  expect(await readdir(attributesOf(folder))).toEqual([])
})

test('a line that was cut off, or is damaged, spoils no other one', async () => {
  const folder = await workFolder()
  await put(await open(folder), 'x', 'hello', 'one')
  const [log = ''] = await logsIn(attributesOf(folder))
  const path = join(attributesOf(folder), log)
  await appendFile(
    path,
    '\0\0\0\n{"name":"x","size":5,"modif\n{"name":"\\u12"}\nnull\n[]\n{"name":"x"}\n{"name":"y","size":',
  )
  await bury(attributesOf(folder))
  const store = await open(folder)
  expect(await noteOf(store, 'x')).toBe('one')
  await put(store, 'y', 'hello', 'two')
  expect([await noteOf(store, 'x'), await noteOf(store, 'y')]).toEqual(['one', 'two'])
})

test('an object whose replacement was killed before its last step has its own attributes, or none', async () => {
  const folder = await workFolder()
  const store = await open(folder)
  await put(store, 'x', 'first', 'first')
  const [log = ''] = await logsIn(attributesOf(folder))
  const path = join(attributesOf(folder), log)
  const content = await readFile(join(folder, 'x'))
  const { mtime } = await stat(join(folder, 'x'))
  const { size: end } = await stat(path)
  // Of another time: what is kept of both is told apart.
  await put(store, 'x', 'other', 'other', TIMES[1])
  await writeFile(join(folder, 'x'), content)
  await utimes(join(folder, 'x'), mtime, mtime)
  expect(await noteOf(store, 'x')).toBe('first')
  // Of the same size and time: nothing could tell them apart.
  await truncate(path, end)
  await bury(attributesOf(folder))
  const again = await open(folder)
  await put(again, 'x', 'alike', 'alike')
  const [, own = ''] = await logsIn(attributesOf(folder))
  const lines = (await readFile(join(attributesOf(folder), own), 'utf8')).trimEnd().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { none?: boolean }).none)).toEqual([true, undefined])
  await writeFile(join(attributesOf(folder), own), `${lines[0]!}\n`)
  await writeFile(join(folder, 'x'), content)
  await utimes(join(folder, 'x'), mtime, mtime)
  expect(await noteOf(await open(folder), 'x')).toBeUndefined()
})

test('logs of runs that are over become one, and only lines that count are kept', async () => {
  const folder = await workFolder()
  const keys = Array.from({ length: 20 }, (_, index) => `a/${index}`)
  for (let run = 0; run < 9; run++) {
    const store = await open(folder)
    for (const key of keys) await put(store, key, 'hello', `${key} of run ${run}`, TIMES[run % 2])
    if (run === 3) await store.removing.remove([{ key: 'a/19' }])
    expect((await logsIn(join(attributesOf(folder), 'a'))).length).toBeLessThanOrEqual(4)
    await bury(join(attributesOf(folder), 'a'))
  }
  const store = await open(folder)
  for (const key of keys) expect(await noteOf(store, key)).toBe(`${key} of run 8`)
})

test('logs of a process that is at work are left alone', async () => {
  const folder = await workFolder()
  await put(await open(folder), 'x', 'hello', 'living')
  const [living = ''] = await logsIn(attributesOf(folder))
  for (let run = 0; run < 6; run++) {
    await put(await open(folder), `${run}`, 'hello', 'dead')
    for (const name of await logsIn(attributesOf(folder))) {
      if (name === living) continue
      await rename(
        join(attributesOf(folder), name),
        join(attributesOf(folder), name.replace(`-${process.pid}-`, `-${DEAD}-`)),
      )
    }
  }
  expect(await logsIn(attributesOf(folder))).toHaveLength(7)
})

test('a log that was taken away is begun anew, and nothing of it is lost', async () => {
  const folder = await workFolder()
  const store = await open(folder)
  await put(store, 'a/x', 'hello', 'one')
  await rm(join(attributesOf(folder), 'a'), { recursive: true })
  await put(store, 'a/y', 'hello', 'two')
  expect([await noteOf(store, 'a/x'), await noteOf(store, 'a/y')]).toEqual([undefined, 'two'])
})

test('each object has what was last written with it, whatever was written, removed and put together in which order', async () => {
  const step = fc.record({
    what: fc.constantFrom('put', 'put', 'put', 'remove', 'new run', 'other reader'),
    key: fc.constantFrom('a', 'a/b', 'b', 'a/c', 'd/e/f'),
    time: fc.constantFrom(...TIMES),
    body: fc.constantFrom('one', 'two', 'longer'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const folder = await mkdtemp(join(tmpdir(), 's3move-logs-'))
      try {
        let store = await open(folder)
        let reader = store
        const model = new Map<string, string>()
        for (const [index, { what, key, time, body }] of steps.entries()) {
          if (what === 'put') {
            await put(store, key, body, String(index), time)
            model.set(key, String(index))
          } else if (what === 'remove') {
            expect(await store.removing.remove([{ key }])).toEqual([undefined])
            model.delete(key)
          } else if (what === 'new run') {
            await buryAll(attributesOf(folder))
            store = await open(folder)
          } else reader = await open(folder)
          const { objects } = await reader.list({})
          expect(objects.map((object) => object.key).sort()).toEqual([...model.keys()].sort())
          for (const [at, note] of model) expect([at, await noteOf(reader, at)]).toEqual([at, note])
        }
      } finally {
        await rm(folder, { recursive: true })
      }
    }),
    { numRuns: 30 },
  )
}, 120_000)

async function buryAll(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await bury(join(entry.parentPath, entry.name))
  }
  await bury(folder)
}
