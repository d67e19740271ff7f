import { printable } from '../../keys.js'
import { count, duration, jobTitle } from '../format.js'
import { environmentFacts, proofInWords, type RunAccount } from '../run-account.js'
import type { Rounds } from '../../checkpoint/rounds.js'
import { lagInWords, roundTable } from '../rounds.js'
import { outlookInWords } from '../run-outlook.js'
import { outlookOfStatus, stateInWords } from '../run-status.js'
import { ratesOf } from './run-rates.js'
import { runFacts, type ExplainCode } from './run-sections.js'

/** Rows of a table of rates; the run is divided into so many. */
const ROWS = 12

/** A report in Markdown (CommonMark, with tables as GitHub has them). */
export function reportMarkdown(account: RunAccount, explain: ExplainCode): string {
  const { run, checkpoint, failures, rounds, at } = account
  const outlook = outlookOfStatus(run)
  const told = outlook === undefined ? '' : `: ${outlookInWords(outlook, run.heldBy !== null)}`
  const failed = Object.entries(run.failed).sort(([, one], [, other]) => other - one)
  const rates = ratesOf(checkpoint.history, ROWS)
  return [
    `# Report: ${plain(jobTitle(run.job))}`,
    `**${stateInWords(run)}**${plain(told)}`,
    ...(run.stopped === null ? [] : [plain(printable(run.stopped.reason))]),
    ...(run.next === null ? [] : [`Next: ${code(run.next)}`]),
    markdownTable(['', ''], runFacts(run, checkpoint)),
    '## Over time',
    rates.length === 0
      ? 'It was too short for that.'
      : markdownTable(
          ['at work', 'objects a second', 'bytes a second', 'throttled a second'],
          rates.map(({ activeMs, ...perSecond }) => [
            duration(activeMs),
            ...[perSecond.objects, perSecond.bytes, perSecond.throttled].map((value) => count(value)),
          ]),
        ),
    '## Failures',
    failed.length === 0
      ? 'None.'
      : markdownTable(
          ['code', 'objects', 'meaning', 'what to do', 'for example'],
          failed.map(([name, number]) => {
            const { meaning = '', todo = '' } = explain(name)
            const key = failures.find((group) => group.code === name)?.example.key
            return [printable(name), count(number), meaning, todo, key === undefined ? '' : printable(key)]
          }),
        ),
    ...(rounds === undefined ? [] : ['## Rounds', lagLine(rounds, at), roundsAsTable(rounds)]),
    '## Proof',
    plain(proofInWords(account)),
    '## Requests',
    markdownTable(
      ['operation', 'requests'],
      Object.entries(run.requests)
        .sort(([, one], [, other]) => other - one)
        .map(([name, number]) => [name, count(number)]),
    ),
    '## How it was run',
    markdownTable(['', ''], environmentFacts(account)),
    '',
  ].join('\n\n')
}

function lagLine(rounds: Rounds, at: string): string {
  return plain(`At the end of this report ${lagInWords(rounds.settled?.here, new Date(at))}.`)
}

function roundsAsTable(rounds: Rounds): string {
  const [head = [], ...rows] = roundTable(rounds)
  return markdownTable(head, rows)
}

/** A table as GitHub has them; its cells are text, whatever is in them. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(plain).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

// A name may hold anything that Markdown, or the HTML in it, gives a meaning.
function plain(text: string): string {
  return text
    .replace(/[\\`*_[\]<>|~&@]|(?<=https?|ftp):|(?<=www)\./gi, (character) => `&#${character.charCodeAt(0)};`)
    .replaceAll('\n', ' ')
}

function code(text: string): string {
  return `<code>${plain(text)}</code>`
}
