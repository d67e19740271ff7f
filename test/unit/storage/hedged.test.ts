import { expect, test } from 'vitest'
import { hedged } from '../../../src/storage/hedged.js'

/** Requests that are answered when the test says so. */
function requests() {
  const sent: { resolve: (value: string) => void; reject: (error: Error) => void }[] = []
  const second = new Promise<void>((resolve) => {
    const seen = setInterval(() => {
      if (sent.length < 2) return
      clearInterval(seen)
      resolve()
    }, 1)
  })
  const send = () => new Promise<string>((resolve, reject) => sent.push({ resolve, reject }))
  return { sent, send, second }
}

test('a slow first answer counts, though it was asked a second time', async () => {
  const { sent, send, second } = requests()
  const answer = hedged(send, 5)
  await second
  sent[0]!.resolve('first')
  expect(await answer).toBe('first')
})

test('a request that is lost is made up for by the second, and one that fails by the other', async () => {
  const lost = requests()
  const answer = hedged(lost.send, 5)
  await lost.second
  lost.sent[1]!.resolve('second')
  expect(await answer).toBe('second')
  const other = requests()
  const still = hedged(other.send, 5)
  await other.second
  other.sent[0]!.reject(new Error('reset'))
  other.sent[1]!.resolve('second')
  expect(await still).toBe('second')
})

test('what fails at once is not asked twice, and when both fail it is an error', async () => {
  let sent = 0
  const failing = () => {
    sent++
    return Promise.reject(new Error(`failed ${sent}`))
  }
  await expect(hedged(failing, 5)).rejects.toThrow('failed 1')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(sent).toBe(1)
  const both = requests()
  const answer = hedged(both.send, 5)
  await both.second
  both.sent[0]!.reject(new Error('one'))
  both.sent[1]!.reject(new Error('two'))
  await expect(answer).rejects.toThrow('two')
})
