import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestSandbox } from './cli-buckets.js'
import { start, until } from './cli-program.js'

/** Random numbers in [0, 1) that are the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed * 7919
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff
}

/** All requests that a server has had. */
export function requestsOf(server: TestSandbox): number {
  return Object.values(server.stats().byOperation).reduce((sum, n) => sum + n, 0)
}

interface Kills {
  readonly cwd: string
  readonly server: TestSandbox
  /** How often it is killed, at most. */
  readonly kills: number
  /** What counts until a kill, by its number from 0 on. */
  readonly counted: (kill: number) => number
  /** How much more of it there is to be then. */
  readonly after: (kill: number) => number
}

/** Starts a run with its folder in `run`, kills it with -9, and goes on with it, again and again. Answers the arguments by which the last of it is done. */
export async function killedAgain(
  args: readonly string[],
  { cwd, server, kills, counted, after }: Kills,
): Promise<readonly string[]> {
  let now = args
  for (let kill = 0; kill < kills; kill++) {
    // The test has connections of its own.
    const { open } = server.stats().connections
    const running = start([...now, '--endpoint-url', server.url], { cwd })
    const target = counted(kill) + after(kill)
    await until(() => running.isOver() || counted(kill) >= target)
    running.kill('SIGKILL')
    const { signal } = await running.finished
    await until(() => server.stats().connections.open <= open && server.stats().inFlight.now === 0)
    if ((await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)) !== undefined)
      now = ['resume', 'run', '--yes']
    if (signal === undefined) break
  }
  return now
}
