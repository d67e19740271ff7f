import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { faultOfLine } from './json-schema.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The built program. */
export const PROGRAM = join(ROOT, 'dist/cli.js')

/** The credentials that the program is given unless a test says otherwise. */
export const CREDENTIALS = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: 'wJalr/secret+of+the+tests' }

/** How the program ended and what it said. */
export interface Finished {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
  readonly stdout: string
  readonly stderr: string
}

/** The program at work. */
export interface Running {
  readonly pid: number
  /** What it has said so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  readonly isOver: () => boolean
  readonly kill: (signal: NodeJS.Signals) => void
  /** Goes away as the reader of its output. */
  readonly close: (stream: 'stdout' | 'stderr') => void
  readonly finished: Promise<Finished>
}

/** Where and how the program is started. */
export interface StartOptions {
  readonly cwd: string
  /** Added to an environment that holds nothing of AWS but `CREDENTIALS` and a region; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly uid?: number
  /** What it says on stdout is read more slowly than it is written. */
  readonly slowReader?: boolean
  /** What it reads on stdin, which has an end then; without it there is nothing to read. */
  readonly input?: string | Buffer
  /** A file that stdout goes to. */
  readonly stdout?: string
  /** Another file of the built program. */
  readonly program?: string
}

/** Starts `s3move`. It is killed when the test ends, should it still run then. */
export function start(
  args: readonly string[],
  { cwd, env = {}, uid, slowReader = false, stdout: file, input, program = PROGRAM }: StartOptions,
): Running {
  refuseOldBuild()
  const variables: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    HOME: cwd,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: 'us-east-1',
    ...env,
  }
  const output = file === undefined ? 'pipe' : openSync(file, 'w')
  const child: ChildProcess = spawn(process.execPath, [program, ...args], {
    cwd,
    env: Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined)),
    stdio: [input === undefined ? 'ignore' : 'pipe', output, 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  if (output !== 'pipe') closeSync(output)
  // It may end before it has read all.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input)
  const stdout = collected(child.stdout)
  const stderr = collected(child.stderr)
  if (slowReader) readSlowly(child.stdout)
  onTestFinished(() => end(child))
  return {
    pid: child.pid!,
    stdout,
    stderr,
    isOver: () => child.exitCode !== null || child.signalCode !== null,
    kill: (signal) => child.kill(signal),
    close: (stream) => void child[stream]?.destroy(),
    finished: new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        const fault = args.includes('--json') ? faultIn(stdout()) : undefined
        if (fault === undefined)
          resolve({ code: code ?? undefined, signal: signal ?? undefined, stdout: stdout(), stderr: stderr() })
        else reject(new Error(`not as docs/schema has it: ${fault}`))
      })
    }),
  }
}

// A line that a kill has cut off is none.
function faultIn(stdout: string): string | undefined {
  for (const line of stdout.split('\n').slice(0, -1)) {
    const fault = faultOfLine(line)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Runs `s3move` to its end. */
export async function run(args: readonly string[], options: StartOptions): Promise<Finished> {
  return await start(args, options).finished
}

/** An empty folder, removed when the test ends. */
export async function workFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 's3move-cli-'))
  // A program whose terminal was closed still saves where it is.
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 20 }))
  return path
}

/** Waits until `condition` holds, or fails when the program ends before. */
export async function until(condition: () => boolean | Promise<boolean>, running?: Running): Promise<void> {
  while (!(await condition())) {
    if (running?.isOver() === true) {
      const { code, stderr } = await running.finished
      throw new Error(`s3move ended too early, with ${String(code)}: ${stderr}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Asserts that the program refused with one line and a hint on stderr, and nothing else; the line is returned. */
export function refusal(finished: Finished, code = 2): string {
  const [line = '', hint = '', ...rest] = finished.stderr.split('\n')
  expect(finished.stderr, 'one line and a hint').toMatch(/^s3move: .+\n {8}.+\n$/)
  expect(finished.stdout, 'nothing, or that it was refused').toMatch(
    /^(?:\{"schema":"s3move\/1","type":"error",.*\n)?$/,
  )
  expect([rest, finished.code]).toEqual([[''], code])
  expect(finished.stderr).not.toMatch(/^\s+at /m)
  return `${line}\n${hint}`
}

function collected(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString()
}

function readSlowly(stream: NodeJS.ReadableStream | null): void {
  stream?.on('data', () => {
    stream.pause()
    setTimeout(() => stream.resume(), 10)
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await closed
}

let isNew = false

/** Throws when the build is older than its source: tests that run what was built would tell a lie. */
export function refuseOldBuild(): void {
  if (isNew) return
  const built = statSync(PROGRAM, { throwIfNoEntry: false })?.mtimeMs
  if (built === undefined) throw new Error('dist/cli.js does not exist: run ‘npm run build’ first')
  const changed = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).find(
    (name) => name.endsWith('.ts') && statSync(join(ROOT, 'src', name)).mtimeMs > built,
  )
  if (changed !== undefined) throw new Error(`dist is older than src/${changed}: run ‘npm run build’ first`)
  isNew = true
}
