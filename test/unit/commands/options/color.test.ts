import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { paintsFor } from '../../../../src/commands/options/color.js'

const TERMINAL = Object.assign(new PassThrough(), { isTTY: true })
const PIPE = new PassThrough()

/** What is painted of a terminal as standard error, and of a pipe as standard output. */
function painted(args: readonly string[], env: NodeJS.ProcessEnv): string {
  const { stdout, stderr } = paintsFor(['ls', ...args], { stdout: PIPE, stderr: TERMINAL }, env)
  const names = [...(stderr('bad', 'x') === 'x' ? [] : ['terminal']), ...(stdout('bad', 'x') === 'x' ? [] : ['pipe'])]
  return names.join(' and ') || 'none'
}

describe('colours', () => {
  test.each<[args: string[], env: NodeJS.ProcessEnv, expected: string]>([
    [[], {}, 'terminal'],
    [['--color', 'auto'], {}, 'terminal'],
    [[], { TERM: 'dumb' }, 'none'],
    [[], { NO_COLOR: '1' }, 'none'],
    [[], { NO_COLOR: '0' }, 'none'],
    [[], { NO_COLOR: '' }, 'terminal'],
    [[], { FORCE_COLOR: '1' }, 'terminal and pipe'],
    [[], { FORCE_COLOR: '0' }, 'none'],
    [[], { FORCE_COLOR: 'false' }, 'none'],
    [[], { FORCE_COLOR: '' }, 'terminal'],
    [[], { FORCE_COLOR: '1', NO_COLOR: '1' }, 'terminal and pipe'],
    [['--color=auto'], { NO_COLOR: '1' }, 'none'],
    [['--color', 'always'], { NO_COLOR: '1', TERM: 'dumb' }, 'terminal and pipe'],
    [['--color=never'], { FORCE_COLOR: '1' }, 'none'],
  ])('of %j with %j are on: %s', (args, env, expected) => {
    expect(painted(args, env)).toBe(expected)
  })

  test('are one sequence before and one behind, whatever Node thinks of its own standard output', () => {
    const { stderr } = paintsFor([], { stdout: PIPE, stderr: TERMINAL }, {})
    expect((['bad', 'warning', 'good', 'dim'] as const).map((tone) => stderr(tone, 'x'))).toEqual([
      '\x1b[31mx\x1b[39m',
      '\x1b[33mx\x1b[39m',
      '\x1b[32mx\x1b[39m',
      '\x1b[2mx\x1b[22m',
    ])
  })
})
