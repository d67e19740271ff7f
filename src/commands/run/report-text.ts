import { findRuns, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { readRounds } from '../../checkpoint/rounds.js'
import { countedFailures } from '../../checkpoint/counted-failures.js'
import { placeUrl, type Place } from '../../job/place.js'
import { comparesPlaces } from '../../job/verify.js'
import { FailureGroups } from '../../report/failure-groups.js'
import { jsonRecord, verdictFields } from '../../report/json-records.js'
import { reportMarkdown } from '../../report/pages/report-markdown.js'
import { reportPage } from '../../report/pages/report-page.js'
import { fieldsOfRound } from '../../report/rounds.js'
import { environmentFacts, type RunAccount, type RunProof } from '../../report/run-account.js'
import { timeOf } from '../../times.js'
import { version } from '../../version.js'
import { codeInWords } from './codes-in-words.js'
import { statusOf } from './look-at-runs.js'
import type { ReportFormat } from './report-file.js'
import { statusFields } from './show-status.js'

/** A report of a run in a folder, as text. */
export async function reportOf(run: SavedRun, format: ReportFormat, cwd: string): Promise<string> {
  const account = await accountOf(run, cwd)
  switch (format) {
    case 'html':
      return reportPage(account, codeInWords)
    case 'markdown':
      return reportMarkdown(account, codeInWords)
    case 'json':
      return `${jsonRecord('report', fieldsOf(account))}\n`
  }
}

async function accountOf(found: SavedRun, cwd: string): Promise<RunAccount> {
  const { checkpoint } = found
  const groups = new FailureGroups(checkpoint.job.source.prefix)
  for await (const failure of countedFailures(found)) groups.add(failure)
  return {
    run: await statusOf(found, cwd),
    checkpoint,
    failures: groups.byCode(),
    proof: await proofOf(found, cwd),
    rounds: await readRounds(found.folder),
    reporter: `s3move ${version()}, Node.js ${process.version} on ${process.platform} ${process.arch}`,
    at: new Date().toISOString(),
  }
}

// The newest comparison below `.s3move/` of the two places, that has come to its end.
async function proofOf({ checkpoint: { job } }: SavedRun, cwd: string): Promise<RunProof | undefined> {
  if (!('destination' in job)) return undefined
  const { source, destination } = job
  const proofs = (await findRuns(cwd)).flatMap((run): RunProof[] => {
    if ('problem' in run) return []
    const { job: other, state, scan, savedAt, startedAt } = run.checkpoint
    if (!comparesPlaces(other) || state !== 'finished' || scan?.likenesses === undefined) return []
    const same = isSamePlace(other.source, source) && isSamePlace(other.destination, destination)
    return same ? [{ job: other, verdicts: scan.likenesses, savedAt, startedAt }] : []
  })
  return proofs.sort((one, other) => timeOf(other.savedAt) - timeOf(one.savedAt))[0]
}

function isSamePlace(one: Place, other: Place): boolean {
  return placeUrl(one) === placeUrl(other)
}

function fieldsOf(account: RunAccount): object {
  const { run, checkpoint, failures, proof, rounds, at } = account
  return {
    ...statusFields(run),
    history: checkpoint.history,
    failureGroups: failures.map(({ code, objects, folders, elsewhere, example }) => {
      const { meaning, todo } = codeInWords(code)
      return {
        code,
        objects,
        folders: folders.map(([name, n]) => ({ name, objects: n })),
        elsewhere,
        example,
        meaning,
        todo,
      }
    }),
    proof:
      proof === undefined
        ? null
        : { startedAt: proof.startedAt, endedAt: proof.savedAt, ...verdictFields(proof.verdicts) },
    ...(rounds === undefined ? {} : { roundHistory: rounds.rounds.map(fieldsOfRound) }),
    environment: Object.fromEntries(environmentFacts(account)),
    reportedAt: at,
  }
}
