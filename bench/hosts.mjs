import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds } from './cpu.mjs'
import { CLI, ended, freePort, startSandbox } from './program.mjs'
import { mean, number, ratio, table } from './table.mjs'

/**
 * What it costs that another host does the work: CPU of all processes beside that of a run that does it alone, in turn, and what passes through the
 * Redis between them. Undefined where there is none on this machine.
 * @param {number} objects
 * @param {number} times
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
export async function hostsTable(objects, times, place) {
  for (const program of ['redis-server', 'redis-cli'])
    if (spawnSync(program, ['--version']).status !== 0) return undefined
  /** @type {Awaited<ReturnType<typeof alone>>[]} */
  const without = []
  /** @type {Awaited<ReturnType<typeof lent>>[]} */
  const with1 = []
  for (let turn = 0; turn < times; turn++) {
    // Neither always comes first.
    for (const one of turn % 2 === 0 ? [alone, lent] : [lent, alone]) {
      if (one === alone) without.push(await alone(objects, place))
      else with1.push(await lent(objects, place))
    }
  }
  const micro = (/** @type {readonly number[]} */ all) => (mean(all) / objects) * 1e6
  const own = micro(without.map(({ cpu }) => cpu))
  const [run, host, redis] = [
    micro(with1.map(({ cpu }) => cpu.run)),
    micro(with1.map(({ cpu }) => cpu.host)),
    micro(with1.map(({ cpu }) => cpu.redis)),
  ]
  const thousands = objects / 1000
  return table([
    ['', 'CPU us/object', 'to alone', 'Redis commands/1,000', 'KB/1,000'],
    ['the run alone', number(own, 1), '', '', ''],
    [
      ...['one host, run and Redis', number(run + host + redis, 1), ratio(run + host + redis, own)],
      ...[number(mean(with1.map(({ commands }) => commands)) / thousands, 1)],
      ...[number(mean(with1.map(({ bytes }) => bytes)) / 1000 / thousands, 1)],
    ],
    ['  the host', number(host, 1), '', '', ''],
    ['  the run', number(run, 1), '', '', ''],
    ['  Redis', number(redis, 1), '', '', ''],
  ])
}

/** @param {number} objects */
const store = (objects) =>
  startSandbox([`src:hex:${String(objects)}:size=1000`, 'dst', '--latency', 'copy=25-35,list=50-50'])

/** @param {string} url */
const copy = (url) => ['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run', '--fresh']

/**
 * @param {number} objects
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
async function alone(objects, place) {
  const sandbox = await store(objects)
  try {
    const run = watched(process.execPath, [CLI, ...copy(sandbox.url), '--threads', '1'], place)
    await run.end()
    return { cpu: run.cpu() }
  } finally {
    await sandbox.stop()
  }
}

/**
 * @param {number} objects
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
async function lent(objects, place) {
  const sandbox = await store(objects)
  const port = String(await freePort())
  const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', ''], { stdio: 'ignore' })
  const ask = (/** @type {readonly string[]} */ ...command) =>
    spawnSync('redis-cli', ['-p', port, ...command]).stdout.toString()
  try {
    while (ask('PING').trim() !== 'PONG') await sleep(20)
    const url = `redis://127.0.0.1:${port}`
    const allowed = ['--allow', 's3://src', '--allow', 's3://dst', '--allow-endpoint', sandbox.url]
    const host = watched(process.execPath, [CLI, 'worker', url, ...allowed, '--threads', '1', '--once'], place)
    const run = watched(process.execPath, [CLI, ...copy(sandbox.url), '--fleet', url, '--threads', '0'], place)
    await Promise.all([host.end(), run.end()])
    const count = (/** @type {string} */ name) => Number(new RegExp(`${name}:(\\d+)`).exec(ask('INFO', 'stats'))?.[1])
    return {
      cpu: { run: run.cpu(), host: host.cpu(), redis: cpuSeconds(server.pid ?? 0) },
      commands: count('total_commands_processed'),
      bytes: count('total_net_input_bytes') + count('total_net_output_bytes'),
    }
  } finally {
    const end = ended(server)
    server.kill('SIGKILL')
    await end
    await sandbox.stop()
  }
}

/**
 * A program whose CPU is looked at as it goes on, since it is gone with it.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} place
 */
function watched(command, args, { env, cwd }) {
  const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  const over = ended(child)
  let said = ''
  let cpu = 0
  child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => (said += text))
  const watch = setInterval(() => (cpu = Math.max(cpu, cpuSeconds(child.pid ?? 0))), 20)
  return {
    cpu: () => cpu,
    async end() {
      const { code } = await over
      clearInterval(watch)
      if (code !== 0) throw new Error(`${args[1] ?? command} ended with code ${String(code)}: ${said}`)
    },
  }
}
