import { spawn } from 'node:child_process'
import { Terminal } from '@xterm/headless'
import { onTestFinished } from 'vitest'
import { CREDENTIALS, refuseOldBuild, until } from './cli-program.js'

/** A shell in a terminal. */
export interface ShellTerminal {
  /** Types text, control characters too. */
  type(text: string): void
  /** All lines so far, those that have scrolled away first; long ones are as they were written. */
  lines(): Promise<string[]>
  /** The colour in which a line begins that begins with `text`: its number among the eight of a terminal; undefined for its own. */
  colourOf(text: string): Promise<number | undefined>
  /** Waits until a line shows `text`, or matches it. */
  shows(text: string | RegExp): Promise<void>
  /** Sequences that came and would outlast the program: the cursor hidden, saved or restored, wrapping switched off. */
  readonly lasting: readonly string[]
}

/**
 * Runs bash in a pseudo terminal of 80 columns, by `script` (bsdutils, which no Debian lacks), before an emulator that keeps the screen. It ends with the test.
 * Its prompt is `$ `.
 */
export async function shellTerminal(cwd: string, env: Readonly<Record<string, string>>): Promise<ShellTerminal> {
  refuseOldBuild()
  const screen = new Terminal({ cols: 80, rows: 24, scrollback: 100_000, allowProposedApi: true })
  const lasting = lastingSequences(screen)
  const inside = 'stty cols 80 rows 24; exec bash --norc --noprofile -i'
  const child = spawn('script', ['--quiet', '--return', '--command', inside, '/dev/null'], {
    cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...{ PATH: process.env.PATH, HOME: cwd, TERM: 'xterm-256color', PS1: '$ ', LANG: 'C.UTF-8', SHELL: '/bin/sh' },
      // Told of the end of its terminal, it would write its history into a folder that is being removed.
      ...{ HISTFILE: '/dev/null' },
      ...{ AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
      ...env,
    },
  })
  child.stdout.on('data', (chunk: Buffer) => screen.write(chunk))
  const closed = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    // Of a terminal that is gone all processes are told.
    child.kill('SIGKILL')
    await closed
    screen.dispose()
  })
  const lines = async (): Promise<string[]> => {
    await new Promise<void>((resolve) => screen.write('', resolve))
    return linesOf(screen)
  }
  const terminal: ShellTerminal = {
    lasting,
    lines,
    async colourOf(text) {
      await lines()
      return colourOf(screen, text)
    },
    type: (text) => void child.stdin.write(text),
    async shows(text) {
      const found = (line: string): boolean => (typeof text === 'string' ? line.includes(text) : text.test(line))
      await until(async () => (await lines()).some(found))
    },
  }
  await terminal.shows(/^\$ ?$/)
  return terminal
}

function lastingSequences(screen: Terminal): string[] {
  const seen: string[] = []
  for (const final of ['h', 'l'] as const) {
    screen.parser.registerCsiHandler({ prefix: '?', final }, (params) => {
      // Those of the shell itself: bracketed paste.
      if (!params.includes(2004)) seen.push(`CSI ?${params.join(';')}${final}`)
      return false
    })
  }
  for (const final of ['7', '8'] as const) {
    screen.parser.registerEscHandler({ final }, () => {
      seen.push(`ESC ${final}`)
      return false
    })
  }
  for (const final of ['s', 'u'] as const) {
    screen.parser.registerCsiHandler({ final }, () => {
      seen.push(`CSI ${final}`)
      return false
    })
  }
  return seen
}

function colourOf({ buffer }: Terminal, text: string): number | undefined {
  for (let i = 0; i < buffer.active.length; i++) {
    const line = buffer.active.getLine(i)
    if (line?.translateToString(true).startsWith(text) !== true) continue
    const cell = line.getCell(0)
    return cell?.isFgPalette() ? cell.getFgColor() : undefined
  }
  throw new Error(`no line begins with ${text}`)
}

function linesOf({ buffer }: Terminal): string[] {
  const { active } = buffer
  const lines: string[] = []
  for (let i = 0; i < active.length; i++) {
    const line = active.getLine(i)
    const text = line?.translateToString(true) ?? ''
    if (line?.isWrapped === true) lines.push((lines.pop() ?? '') + text)
    else lines.push(text)
  }
  while (lines.at(-1) === '') lines.pop()
  return lines
}
