import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PROGRAM, refusal, run, workFolder } from '../support/cli-program.js'
import { installed } from '../support/installed.js'

/** A folder with a file, a folder, a run and a profile, and a program `s3move` that completes as ours does and else prints its arguments. */
async function home(shell: string): Promise<{ cwd: string; env: NodeJS.ProcessEnv; script: string }> {
  const cwd = await workFolder()
  await mkdir(join(cwd, 'bin'))
  const program = join(cwd, 'bin/s3move')
  const act = `[ "$1" = __complete ] && exec '${process.execPath}' '${PROGRAM}' "$@"\nprintf 'given'; printf ' <%s>' "$@"; echo`
  await writeFile(program, `#!/bin/sh\n${act}\n`)
  await chmod(program, 0o755)
  await writeFile(join(cwd, 'one list.csv'), '')
  await mkdir(join(cwd, 'sub'))
  await mkdir(join(cwd, '.s3move/a-to-b-1'), { recursive: true })
  await mkdir(join(cwd, '.aws'))
  await writeFile(join(cwd, '.aws/config'), '[profile work]\nregion = eu-central-1\n')
  const script = join(cwd, 'completion')
  await writeFile(script, (await run(['completion', shell], { cwd })).stdout)
  const env = { PATH: `${join(cwd, 'bin')}:${process.env.PATH ?? ''}`, HOME: cwd, TERM: 'dumb', LC_ALL: 'C.UTF-8' }
  return { cwd, env, script }
}

/** What is typed, and what the program is given. */
const TYPED: readonly (readonly [line: string, given: string])[] = [
  ['cop\t', '<copy>'],
  ['ls --format=t\t', '<ls> <--format=text>'],
  ['ls s3://a/b --so\t', '<ls> <s3://a/b> <--sorted>'],
  ['copy --sse aws:kms:\t', '<copy> <--sse> <aws:kms:dsse>'],
  ['copy --files-from on\t', '<copy> <--files-from> <one list.csv>'],
  ['copy --profile w\t', '<copy> <--profile> <work>'],
  ['resume .s3\t', '<resume> <.s3move/a-to-b-1>'],
  ['cp \tx', '<cp> <x>'],
]

/** Types lines into a shell at a terminal, each when the one before has been answered; resolves with what the program was given. */
async function typed(
  command: string,
  first: string,
  lines: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
) {
  const shell = spawn('script', ['-qec', command, '/dev/null'], { ...options, stdio: 'pipe' })
  let said = ''
  shell.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const answers = (): string[] => [...said.matchAll(/given ([^\r\n]*)\r?\n/g)].map(([, given = '']) => given.trim())
  shell.stdin.write(`unset HISTFILE; ${first}; s3move begin\r`)
  for (const [index, line] of lines.entries()) {
    await expect.poll(() => answers().length, { timeout: 20_000, interval: 20 }).toBe(index + 1)
    shell.stdin.write(`s3move ${line}\r`)
  }
  await expect.poll(() => answers().length, { timeout: 20_000, interval: 20 }).toBe(lines.length + 1)
  const ended = once(shell, 'exit')
  shell.stdin.end('exit\r')
  await ended
  return answers().slice(1)
}

describe('s3move completion', () => {
  test.skipIf(!installed('bash') || !installed('script'))(
    'completes in bash (skipped where there is no bash or no script)',
    { timeout: 60_000 },
    async () => {
      const { cwd, env, script } = await home('bash')
      const answers = await typed(
        'bash --norc --noprofile -i',
        `. '${script}'`,
        TYPED.map(([line]) => line),
        { cwd, env },
      )
      expect(answers).toEqual(TYPED.map(([, given]) => given))
    },
  )

  test.skipIf(!installed('zsh') || !installed('script'))(
    'completes in zsh (skipped where there is no zsh or no script)',
    { timeout: 60_000 },
    async () => {
      const { cwd, env, script } = await home('zsh')
      const answers = await typed(
        'zsh -f -i',
        `autoload -U compinit; compinit -u -D; . '${script}'`,
        TYPED.map(([line]) => line),
        { cwd, env },
      )
      expect(answers).toEqual(TYPED.map(([, given]) => given))
    },
  )

  test.skipIf(!installed('fish'))(
    'completes in fish (skipped where there is no fish)',
    { timeout: 60_000 },
    async () => {
      const { cwd, env, script } = await home('fish')
      const offered = (line: string): string[] => {
        const { stdout } = spawnSync('fish', ['-c', `source '${script}'; complete -C 's3move ${line}'`], {
          cwd,
          env,
          encoding: 'utf8',
        })
        return stdout
          .trimEnd()
          .split('\n')
          .map((one) => one.split('\t')[0] ?? '')
      }
      expect(offered('cop')).toEqual(['copy'])
      expect(offered('ls --format=t')).toEqual(['--format=text'])
      expect(offered('copy --sse aws:kms:')).toEqual(['aws:kms:dsse'])
      expect(offered('copy --files-from on')).toEqual(['one list.csv'])
      expect(offered('copy --profile w')).toEqual(['work'])
      expect(offered('resume .s3')).toEqual(['.s3move/a-to-b-1'])
      expect(offered('resume s')).toEqual(['sub/'])
      expect(offered('cp ')).toEqual([''])
    },
  )

  test('offers behind the name of a job the options of its command', async () => {
    const cwd = await workFolder()
    await writeFile(
      join(cwd, 's3move.yaml'),
      'jobs:\n  nightly:\n    command: sync\n    source: s3://a\n    destination: s3://b\n',
    )
    const offered = async (...words: string[]): Promise<string[]> =>
      (await run(['__complete', 'run', ...words], { cwd })).stdout.trimEnd().split('\n').slice(1)
    expect(await offered('')).toEqual(['nightly\ta job'])
    expect(await offered('nightly', '--size-o')).toEqual([expect.stringMatching(/^--size-only\t/)])
    expect(await offered('nightly', '--color', 'n')).toEqual(['never'])
    expect(await offered('nightly', '--conc')).toEqual([expect.stringMatching(/^--concurrency\t/)])
    expect(await offered('weekly', '--conf')).toEqual([expect.stringMatching(/^--config\t/)])
  })

  test('is for the shell that is named, or that of $SHELL, and says so where there is none', async () => {
    const cwd = await workFolder()
    for (const [shell, sign] of [
      ['bash', 'complete -F _s3move s3move'],
      ['zsh', '#compdef s3move'],
      ['fish', 'complete -c s3move'],
      ['powershell', 'Register-ArgumentCompleter -Native'],
    ] as const) {
      const { code, stdout } = await run(['completion', shell], { cwd })
      expect([shell, code, stdout.includes(sign)]).toEqual([shell, 0, true])
    }
    expect((await run(['completion'], { cwd, env: { SHELL: '/usr/bin/fish' } })).stdout).toContain('complete -c s3move')
    expect(refusal(await run(['completion'], { cwd, env: { SHELL: undefined } }))).toContain('$SHELL names none')
    expect(refusal(await run(['completion', 'csh'], { cwd }))).toContain('there is no completion for csh')
    expect((await run(['completion', '--help'], { cwd })).stdout).toMatch(/^s3move completion \[bash/)
  })
})
