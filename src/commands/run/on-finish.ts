import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { printable } from '../../keys.js'
import { Interrupted, unless } from '../options/io.js'

/**
 * Has the shell run a command, with `summary` as a line of JSON on its standard input; what it says goes to standard error. Answers why it failed, in
 * words, or undefined. When `abandon` is aborted meanwhile it is ended.
 */
export async function runOnFinish(command: string, summary: string, abandon: AbortSignal): Promise<string | undefined> {
  const child = spawn(command, { shell: true, stdio: ['pipe', process.stderr, process.stderr] })
  // It need not read.
  child.stdin.on('error', () => undefined)
  child.stdin.end(`${summary}\n`)
  try {
    const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    // A run that was ended at once has ended like any other.
    const [code, signal] = await (abandon.aborted ? ended : unless(abandon, ended))
    if (code === 0) return undefined
    return signal === null ? `it ended with ${code ?? 'no code'}` : `it was ended by ${signal}`
  } catch (error) {
    if (error instanceof Interrupted) {
      child.kill()
      return 'it was ended before it was done'
    }
    return printable(error instanceof Error ? error.message : String(error))
  }
}
