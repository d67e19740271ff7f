import { expect, test } from 'vitest'
import { GroupCommit } from '../../../../src/storage/disk/group-commit.js'

/** A commit whose batches are ended by hand. */
function manual(): {
  readonly commit: GroupCommit<number>
  readonly batches: (readonly number[])[]
  readonly end: (errors?: unknown) => Promise<void>
} {
  const batches: (readonly number[])[] = []
  const ends: ((errors: unknown) => void)[] = []
  const commit = new GroupCommit<number>(async (batch) => {
    batches.push(batch)
    const errors = await new Promise<unknown>((resolve) => ends.push(resolve))
    if (errors instanceof Error) throw errors
    return (errors ?? []) as unknown[]
  })
  return {
    commit,
    batches,
    end: async (errors) => {
      ends.shift()?.(errors)
      await turn()
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

test('what comes in one turn, or while others are worked on, is worked on together, and nothing twice', async () => {
  const { commit, batches, end } = manual()
  const settled: number[] = []
  const add = (item: number): void => void commit.add(item).then(() => settled.push(item))
  add(1)
  add(2)
  await turn()
  add(3)
  add(4)
  await turn()
  expect([batches, settled]).toEqual([[[1, 2]], []])
  await end()
  expect([batches, settled]).toEqual([
    [
      [1, 2],
      [3, 4],
    ],
    [1, 2],
  ])
  await end()
  add(5)
  await turn()
  await end()
  expect([batches.length, settled]).toEqual([3, [1, 2, 3, 4, 5]])
})

test('each gets its own error, or the one of all', async () => {
  const { commit, end } = manual()
  const all = [1, 2, 3].map((item) => commit.add(item).catch((error: unknown) => error))
  await turn()
  await end([undefined, new Error('mine')])
  expect(await Promise.all(all)).toEqual([undefined, new Error('mine'), undefined])
  const more = [4, 5].map((item) => commit.add(item).catch((error: unknown) => error))
  await turn()
  await end(new Error('ours'))
  expect(await Promise.all(more)).toEqual([new Error('ours'), new Error('ours')])
})
