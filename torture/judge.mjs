// The judge: s3sim, a synthetic S3 server that is told which faults to make and keeps exact books on what was copied.
import { spawn } from 'node:child_process'
import { ended } from '../bench/program.mjs'

/**
 * Starts s3sim, whose path is in the environment variable S3SIM.
 * @param {readonly string[]} args
 */
export async function startJudge(args) {
  const binary = process.env.S3SIM
  if (binary === undefined) throw new Error('S3SIM must be the path of the s3sim program')
  const child = spawn(binary, ['--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const end = ended(child)
  const url = await new Promise((/** @type {(url: string) => void} */ resolve, reject) => {
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ more) => {
      text += more
      const found = /listening on (\S+)/.exec(text)?.[1]
      if (found !== undefined) resolve(`http://${found}`)
    })
    end.then(({ code }) => reject(new Error(`s3sim ended with code ${String(code)}`)), reject)
  })
  /** @param {string} path */
  const get = async (path) => (await fetch(`${url}/_sim/${path}`)).json()
  return {
    url,
    /** @returns {Promise<Stats>} */
    stats: async () => /** @type {Stats} */ (await get('stats')),
    /**
     * Every object of the source, in order.
     * @param {number} count
     */
    async objects(count) {
      /** @type {{ key: string, storage_class: string, fail_key: boolean }[]} */
      const all = []
      while (all.length < count) {
        const page = /** @type {{ keys: typeof all }} */ (
          await get(`keys?bucket=src&start=${String(all.length)}&limit=5000&full=1`)
        )
        if (page.keys.length === 0) throw new Error('s3sim has fewer objects than it was asked for')
        all.push(...page.keys)
      }
      return all
    },
    /**
     * Answers ExpiredToken to what is signed with an access key, from now on.
     * @param {string} accessKey
     */
    async expire(accessKey) {
      const answer = await fetch(`${url}/_sim/fault?kind=expired-token&key=${accessKey}&after=0`, { method: 'POST' })
      if (!answer.ok) throw new Error(`s3sim does not let a token expire: ${await answer.text()}`)
    },
    async stop() {
      child.kill('SIGTERM')
      await end
    },
  }
}

/**
 * @typedef {{ unique: number, duplicates: number, duplicates_after_lost_response: number, duplicates_after_client_reset: number,
 *   missing_copyable: number, wrong: number, rewritten_unique: number, rewrite_duplicates: number, metadata_lost: number,
 *   metadata_changed: number }} Books
 * @typedef {{ buckets: Record<string, Books>, by_op: Record<string, number>, faults: Record<string, number>,
 *   in_flight: { now: number } }} Stats
 */
