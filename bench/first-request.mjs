import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { ended } from './program.mjs'

/**
 * How long a program takes from its start to the first byte of its first request, in milliseconds, as seen by the
 * server: a relay in front of `url` looks at the clock. The program is killed then.
 * @param {string} url
 * @param {(url: string) => readonly string[]} args Arguments of Node, given the URL of the relay.
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} options
 */
export async function firstRequest(url, args, options) {
  const { hostname, port } = new URL(url)
  let heard = /** @type {(at: number) => void} */ (() => undefined)
  const first = new Promise((/** @type {(at: number) => void} */ resolve) => (heard = resolve))
  const relay = createServer((socket) => {
    const beyond = connect(Number(port), hostname)
    socket.once('data', () => heard(performance.now()))
    socket.pipe(beyond).pipe(socket)
    socket.on('error', () => beyond.destroy())
    beyond.on('error', () => socket.destroy())
  })
  await new Promise((/** @type {(value: void) => void} */ resolve) => relay.listen(0, '127.0.0.1', resolve))
  const address = relay.address()
  const relayPort = typeof address === 'object' && address !== null ? address.port : 0
  const began = performance.now()
  const child = spawn(process.execPath, args(`http://127.0.0.1:${String(relayPort)}`), { ...options, stdio: 'ignore' })
  const end = ended(child)
  const at = await Promise.race([first, end.then(() => Number.NaN)])
  child.kill('SIGKILL')
  await end
  relay.close()
  return at - began
}
