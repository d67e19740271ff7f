import { fstatSync, mkdtempSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { tellingTo } from '../../../src/commands/options/log-format.js'
import { journalLines, MARKED } from '../../../src/report/journal.js'
import { warningLine } from '../../../src/report/paint.js'
import { written } from '../../support/written.js'

function journalled(...chunks: readonly string[]): string {
  const stream = new PassThrough()
  const lines = journalLines(stream)
  for (const chunk of chunks) lines.write(chunk)
  return written(stream)
}

test('each line has the priority of the gravest that it says, and one that is indented at least that of the one before', () => {
  expect(
    journalled(
      'copying\n',
      `${warningLine('the disk is full', MARKED)}\n`,
      `${MARKED('bad', 'finished with failures:')} 3\n  ${MARKED('warning', 'skipped')}\n\n  next\nlast\n`,
      `${MARKED('good', 'finished')} ${MARKED('dim', 'all')}\n`,
    ),
  ).toBe(
    '<6>copying\n<4>warning: the disk is full\n<3>finished with failures: 3\n<3>  skipped\n<3>  next\n<6>last\n<6>finished all\n',
  )
  expect(journalled('\n')).toBe('')
})

test('lines are for the journal where standard error is it, unless the command line says otherwise', () => {
  const fd = openSync(join(mkdtempSync(join(tmpdir(), 's3move-journal-')), 'log'), 'w')
  const { dev, ino } = fstatSync(fd, { bigint: true })
  const stderr = Object.assign(new PassThrough(), { fd })
  const isMarked = (args: readonly string[], env: NodeJS.ProcessEnv): boolean =>
    tellingTo(args, { stdout: new PassThrough(), stderr }, env).paint.stderr === MARKED
  const journal = { JOURNAL_STREAM: `${dev}:${ino}` }
  expect(isMarked(['copy'], journal)).toBe(true)
  expect(isMarked(['copy', '--color', 'always'], journal)).toBe(true)
  expect(isMarked(['copy', '--log-format=text'], journal)).toBe(false)
  expect(isMarked(['copy'], { JOURNAL_STREAM: `${dev}:${ino + 1n}` })).toBe(false)
  expect(isMarked(['copy'], {})).toBe(false)
  expect(isMarked(['copy', '--log-format', 'journald'], {})).toBe(true)
})
