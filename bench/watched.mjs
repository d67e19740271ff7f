import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { cpuSeconds } from './cpu.mjs'
import { CLI, ended, startSandbox } from './program.mjs'
import { mean, number, table } from './table.mjs'

/** Browsers that follow the page. */
const FOLLOWERS = 5

/**
 * What a page with followers costs a run: CPU of the copy alone, with and without it, in turn, and that of the process that serves the page.
 * @param {number} objects
 * @param {number} times
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
export async function watchedTable(objects, times, place) {
  /** @type {{ own: number, seconds: number }[]} */
  const alone = []
  /** @type {{ own: number, page: number, seconds: number }[]} */
  const watched = []
  for (let turn = 0; turn < times; turn++) {
    // Neither always comes first.
    for (const listen of turn % 2 === 0 ? [false, true] : [true, false]) {
      const run = await copied(objects, listen, place)
      if (listen) watched.push(run)
      else alone.push(run)
    }
  }
  const [without, own] = [mean(alone.map((run) => run.own)), mean(watched.map((run) => run.own))]
  const seconds = mean(watched.map((run) => run.seconds))
  const page = mean(watched.map((run) => run.page))
  const percent = (/** @type {number} */ share) => `${number(share * 100, 1)} %`
  return table([
    ['', 'seconds', 'CPU s', ''],
    ['the copy alone', number(mean(alone.map((run) => run.seconds)), 2), number(without, 2), ''],
    ['the copy with a page', number(seconds, 2), number(own, 2), `${percent(own / without - 1)} more`],
    ['the process of the page', '', number(page, 2), `${percent(page / seconds)} of a core, start-up left out`],
  ])
}

/**
 * @param {number} objects
 * @param {boolean} listen
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
async function copied(objects, listen, { env, cwd }) {
  const sandbox = await startSandbox([
    `src:hex:${String(objects)}:size=1000`,
    'dst',
    '--latency',
    'copy=25-35,list=50-50',
  ])
  try {
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', sandbox.url, '--checkpoint', 'run', '--fresh']
    const began = performance.now()
    const child = spawn(process.execPath, [CLI, ...args, ...(listen ? ['--listen', '0'] : [])], {
      ...{ cwd, env, stdio: ['ignore', 'ignore', 'pipe'] },
    })
    const end = ended(child)
    const { pid = 0 } = child
    let [own, page, start, pagePid] = [0, 0, 0, 0]
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      said += text
      const url = /live page: (\S+)\n/.exec(said)?.[1]
      if (url === undefined || pagePid !== 0) return
      pagePid = childOf(pid)
      start = cpuSeconds(pagePid)
      for (let n = 0; n < FOLLOWERS; n++) follow(url)
    })
    // What a process has used is gone with it.
    const watch = setInterval(() => {
      own = Math.max(own, cpuSeconds(pid))
      if (pagePid !== 0) page = Math.max(page, cpuSeconds(pagePid) - start)
    }, 50)
    const { code } = await end
    clearInterval(watch)
    if (code !== 0) throw new Error(`the copy ended with code ${String(code)}: ${said}`)
    return { own, page, seconds: (performance.now() - began) / 1000 }
  } finally {
    await sandbox.stop()
  }
}

/** @param {string} url */
function follow(url) {
  get(new URL('/events/', url), (response) => response.on('error', () => undefined).resume()).on(
    'error',
    () => undefined,
  )
}

/** @param {number} pid */
function childOf(pid) {
  return Number(
    readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'latin1')
      .trim()
      .split(' ')[0],
  )
}
