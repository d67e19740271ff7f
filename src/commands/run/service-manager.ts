import { spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { sleep } from '../../abort.js'
import type { RunEvent } from '../../job/events.js'
import { printable } from '../../keys.js'
import { Standstill } from './standstill.js'

/** The service manager (systemd) that has started the program, and wants to hear how it goes. */
export interface ServiceManager {
  /** Takes in what happens. */
  readonly watch: (event: RunEvent) => void
  /** Takes lines for people, of which the last is shown as the status of the service. */
  readonly log: Writable
  /** Tells nothing any more. Resolves when all is told, or cannot be. */
  readonly close: () => Promise<void>
}

/** How often it is told, at most, in milliseconds. */
const INTERVAL = 15_000
/** How long it is waited for at the end, in milliseconds. */
const PATIENCE = 5_000
const LONGEST_STATUS = 300

/**
 * Tells the service manager that the environment names, if it does: that the program is up, what it does, that it stops, and, where there is a watchdog,
 * again and again that it does not stand still. Nobody waits for that, and what goes wrong with it is told once by `warn`.
 */
export function serviceManager(
  { stop, warn }: { readonly stop: AbortSignal; readonly warn: (message: string) => void },
  env: NodeJS.ProcessEnv = process.env,
  open: (warn: (message: string) => void) => Messenger = systemdNotify,
): ServiceManager | undefined {
  if (env.NOTIFY_SOCKET === undefined || env.NOTIFY_SOCKET === '') return undefined
  const messenger = open(warn)
  const standstill = new Standstill()
  const watchdog = watchdogOf(env)
  let folder: string | undefined
  let status: string | undefined
  let closed = false
  const tick = async (): Promise<void> => {
    if (status !== undefined) messenger.send(`STATUS=${status}`)
    status = undefined
    if (watchdog === undefined || standstill.isStill(performance.now())) return
    // A disk that does not answer holds up the checkpoint, and with it this.
    if (folder !== undefined) await stat(folder).catch(() => undefined)
    if (!closed) messenger.send('WATCHDOG=1')
  }
  const timer = setInterval(() => void tick(), Math.min(INTERVAL, (watchdog ?? Infinity) / 3))
  const stopping = (): void => messenger.send('STOPPING=1')
  stop.addEventListener('abort', stopping, { once: true })
  messenger.send('READY=1')
  return {
    watch(event) {
      if (event.type === 'start') folder = event.checkpoint
      standstill.event(event, performance.now())
    },
    log: new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, _encoding, done) {
        // What is indented belongs to what stands before it.
        const lines = String(chunk).split('\n')
        status = lines.findLast((line) => /^\S/.test(line))?.slice(0, LONGEST_STATUS) ?? status
        done()
      },
    }),
    async close() {
      closed = true
      clearInterval(timer)
      stop.removeEventListener('abort', stopping)
      if (status !== undefined) messenger.send(`STATUS=${status}`)
      // A service that ends before it was heard to be up counts as failed.
      await Promise.race([messenger.end(), sleep(PATIENCE, new AbortController().signal)])
    },
  }
}

/** Within how many milliseconds a sign of life is to come; undefined where nobody waits for one of this process. See sd_watchdog_enabled(3). */
function watchdogOf({ WATCHDOG_USEC: microseconds = '', WATCHDOG_PID: pid }: NodeJS.ProcessEnv): number | undefined {
  if (!/^[1-9]\d{0,15}$/.test(microseconds) || (pid !== undefined && pid !== String(process.pid))) return undefined
  return Number(microseconds) / 1000
}

/** Tells assignments, one after the other. */
export interface Messenger {
  /** Does not wait. */
  readonly send: (assignment: string) => void
  /** Resolves when all is told, or cannot be. */
  readonly end: () => Promise<void>
}

// Node.js has no datagram sockets of Unix, and what has is native code. systemd-notify comes with systemd. It is started by a shell that is there from
// the beginning: to start a process by itself would hold up this one for the longer the more memory it has (133 ms with 1.7 GB).
const SCRIPT = 'while IFS= read -r one; do systemd-notify "$one" 2>&3; echo $?; done 3>/dev/null'

function systemdNotify(warn: (message: string) => void): Messenger {
  let warned = false
  const failed = (reason: string): void => {
    if (!warned) warn(`systemd does not hear how the run goes: ${printable(reason)}; the run goes on`)
    warned = true
  }
  // In a session of its own it hears no Ctrl-C.
  const shell = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
  const closed = new Promise<void>((resolve) => void shell.once('close', () => resolve()))
  shell.on('error', ({ message }) => failed(message))
  shell.stdin.on('error', ({ message }) => failed(message))
  shell.stdout.on('data', (codes: Buffer) => {
    const code = /[1-9]\d*/.exec(String(codes))?.[0]
    if (code !== undefined) failed(code === '127' ? 'systemd-notify is not there' : `systemd-notify ended with ${code}`)
  })
  return {
    send: (assignment) => void shell.stdin.write(`${assignment}\n`),
    end: async () => {
      shell.stdin.end()
      await closed
    },
  }
}
