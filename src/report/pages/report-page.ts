import type { Rounds } from '../../checkpoint/rounds.js'
import { jobTitle } from '../format.js'
import { environmentFacts, proofInWords, type RunAccount } from '../run-account.js'
import { lagInWords, roundTable } from '../rounds.js'
import { escaped, htmlDocument, htmlFacts, htmlTable } from './html.js'
import { rateCharts } from './run-rates.js'
import { failureSection, requestSection, runFacts, stateSection, type ExplainCode } from './run-sections.js'

/** A report as one page that needs nothing beside itself, runs no script and loads nothing. */
export function reportPage(account: RunAccount, explain: ExplainCode): string {
  const { run, checkpoint, failures, rounds, at } = account
  const title = `report: ${jobTitle(run.job)}`
  const charts = rateCharts(checkpoint.history)
  const body = [
    `<h1>${escaped(title)}</h1>`,
    stateSection(run),
    htmlFacts(runFacts(run, checkpoint)),
    `<h2>Over time</h2>${charts === '' ? '<p>It was too short for that.</p>' : charts}`,
    `<h2>Failures</h2>${failureSection(run.failed, failures, explain)}`,
    ...(rounds === undefined ? [] : [`<h2>Rounds</h2>${lagLine(rounds, at)}${htmlTable(roundTable(rounds))}`]),
    `<h2>Proof</h2><p>${escaped(proofInWords(account))}</p>`,
    `<h2>Requests</h2>${requestSection(run.requests)}`,
    `<h2>How it was run</h2>${htmlFacts(environmentFacts(account))}`,
  ]
  return htmlDocument({ title, body })
}

function lagLine(rounds: Rounds, at: string): string {
  return `<p>${escaped(`At the end of this report ${lagInWords(rounds.settled?.here, new Date(at))}.`)}</p>`
}
