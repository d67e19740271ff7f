import { createServer } from 'node:net'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The built program. */
export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Credentials for a server that accepts any, and no word of the real ones in the environment. */
export const SANDBOX_ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: 'sandbox',
  AWS_SECRET_ACCESS_KEY: 'sandbox',
  AWS_SESSION_TOKEN: undefined,
  AWS_PROFILE: undefined,
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  NO_PROXY: '127.0.0.1,localhost',
}

/** Builds the program if it is not there. */
export async function buildIfMissing() {
  if (existsSync(CLI)) return
  process.stdout.write('building s3move …\n')
  const build = spawn('npm', ['run', '--silent', 'build'], {
    cwd: ROOT,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  const { code } = await ended(build)
  if (code !== 0) throw new Error('the build failed')
}

/**
 * Waits for the end of a child process.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<{ code: number | null, signal: string | null }>}
 */
export function ended(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}

/**
 * Starts `s3move sandbox` in a process of its own.
 * @param {readonly string[]} options Buckets and flags, as on the command line.
 */
export async function startSandbox(options) {
  const child = spawn(process.execPath, [CLI, 'sandbox', ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  const end = ended(child)
  const url = await new Promise((/** @type {(url: string) => void} */ resolve, reject) => {
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ more) => {
      text += more
      const found = /listening on (\S+)\n/.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
    end.then(({ code }) => reject(new Error(`the sandbox ended with code ${String(code)}`)), reject)
  })
  return {
    url,
    /** What the server has counted; the names are those of `GET /_sandbox/stats`. */
    async stats() {
      const answer = await fetch(`${url}/_sandbox/stats`)
      return /** @type {import('../src/sandbox/wire/stats.js').SandboxStats} */ (await answer.json())
    },
    async stop() {
      child.kill('SIGTERM')
      await end
    },
  }
}

/** A port of loopback on which nobody listens. */
export function freePort() {
  return new Promise((/** @type {(port: number) => void} */ resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}
