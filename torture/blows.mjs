// What befalls a run that is worked on by hosts: to them, to the Redis between, and to the run itself.
import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {(victim: import('./run.mjs').Victim, fleet: import('./fleet.mjs').Fleet) => Promise<void>} Blow */

/** @type {Blow} */
export const hostKilled = (_, fleet) => Promise.resolve(fleet.replace())

/** @type {Blow} */
export const hostStopped = (_, fleet) => fleet.freeze(18_000)

/** @type {Blow} */
export const cutOff = async (_, { wire }) => {
  wire.cut()
  await sleep(9_000)
  await wire.mend()
}

/** @type {Blow} */
export const redisStopped = (_, { redis }) => redis.stop(8_000)

/** @type {Blow} */
export const redisKilled = (_, { redis }) => redis.kill(1_500)

/** @type {Blow} */
export const redisFlushed = (_, { redis }) => Promise.resolve(redis.flush())

/** @type {Blow} */
export const redisBack = (_, { redis }) => redis.goBack(4_000)

/** @type {Blow} */
export const entriesForgotten = async (victim, { redis }) => {
  // So that there are some that it has not read.
  victim.kill('SIGSTOP')
  await sleep(500)
  redis.forget()
  victim.kill('SIGCONT')
}

/** @type {Blow} */
export const runStopped = async (victim) => {
  victim.kill('SIGSTOP')
  await sleep(9_000)
  victim.kill('SIGCONT')
}

/** @type {Blow} */
export const runKilled = (victim) => Promise.resolve(victim.kill('SIGKILL'))
