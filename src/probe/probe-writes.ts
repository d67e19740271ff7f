import { createHash, randomBytes } from 'node:crypto'
import type { Finding } from '../job/finding.js'
import type { MeasuredRequests, Sweep } from '../job/probed.js'
import type { AnswerTime } from '../storage/timed-requests.js'
import type { SentContent } from '../storage/timed-writes.js'
import { Allowance } from './allowance.js'
import { honouredByWrites, MOST_QUESTIONS } from './honoured.js'
import { affordableOf, AT_ONCE, measured, NONE_AFFORDABLE, TIME, type Measured } from './measure.js'
import type { ProbeFolder } from './probe-folder.js'
import type { ProbeLimits } from './probe-reads.js'
import { rowOf } from './rows.js'
import { sweep } from './sweep.js'
import { WRITTEN_CLASSES, writtenSize, type SizeClass } from './size-classes.js'

/** How many of the requests are for what. The rest is for the sweep. */
const SHARES = { put: 0.16, copy: 0.16, part: 0.04, delete: 0.08 }
/** Objects that the copies of a sweep are made of: many copies of one object may wait for each other. */
const SOURCES = 16

/** What is measured by requests that write. */
export interface MeasuredWrites {
  readonly rows: readonly MeasuredRequests[]
  readonly sweeps: readonly Sweep[]
  readonly traits: readonly Finding[]
  readonly requests: Readonly<Record<string, number>>
}

/** Measures writes in a folder. `honours`: also what of them the store honours. What is refused is told in its row. Once `stop` aborts, nothing more is asked. */
export async function probeWrites(
  folder: ProbeFolder,
  limits: ProbeLimits & { readonly honours: boolean },
  told: (what: string) => void,
  stop: AbortSignal,
): Promise<MeasuredWrites> {
  const allowance = new Allowance(limits.requests)
  const common = { atOnce: AT_ONCE, time: TIME, allowance, stop }
  const share = (part: number): number => Math.floor(limits.requests * part)
  const rows: MeasuredRequests[] = []
  const traits: Finding[] = []
  const written = new Map<SizeClass, string[]>()
  // Of each half of the classes, as what is copied takes as much room as what is sent.
  const bytes = limits.bytes / WRITTEN_CLASSES.length / 2
  const ofSize = async (
    operation: string,
    part: number,
    ask: (sizes: Required<SizeClass>, at: number) => Promise<AnswerTime>,
    classes = WRITTEN_CLASSES,
  ): Promise<void> => {
    for (const sizes of classes) {
      if (stop.aborted) return
      const amount = affordableOf(share(part / WRITTEN_CLASSES.length), bytes, writtenSize(sizes))
      const none: Measured = { times: [], failed: {} }
      if (amount === undefined) rows.push({ ...rowOf(operation, none, sizes), problem: NONE_AFFORDABLE })
      else
        rows.push(rowOf(operation, await measured((at) => ask(sizes, at), { ...common, ...amount, operation }), sizes))
    }
  }

  told('PUT')
  const contents = new Map(WRITTEN_CLASSES.map((sizes) => [sizes, contentOf(writtenSize(sizes))] as const))
  await ofSize('PutObject', SHARES.put, async (sizes) => {
    const key = folder.name('put')
    const answer = await folder.put(key, contents.get(sizes) ?? contentOf(0))
    written.set(sizes, [...(written.get(sizes) ?? []), key])
    return answer
  })
  told('COPY')
  const copies: string[] = []
  const copyOf = async (sources: readonly string[], at: number): Promise<AnswerTime> => {
    const key = folder.name('copy')
    const answer = await folder.copy(sources[at % sources.length] ?? '', key)
    copies.push(key)
    return answer
  }
  const copied = WRITTEN_CLASSES.filter((sizes) => written.has(sizes))
  await ofSize(
    'CopyObject',
    SHARES.copy,
    async (sizes, at) => ({ ...(await copyOf(written.get(sizes) ?? [], at)), bytes: writtenSize(sizes) }),
    copied,
  )
  const [smallest] = copied
  const sources = (smallest === undefined ? [] : (written.get(smallest) ?? [])).slice(0, SOURCES)
  const content = contentOf(writtenSize(WRITTEN_CLASSES[0] ?? { from: 0, upTo: 0 }))
  if (!stop.aborted) {
    told('multipart uploads')
    rows.push(...(await multipartRows(folder, content, { ...common, samples: share(SHARES.part) })))
  }
  if (limits.honours && !stop.aborted && allowance.left >= MOST_QUESTIONS) {
    told('what is honoured')
    traits.push(...(await honouredByWrites(folder, content, allowance)))
  }
  if (!stop.aborted && copies.length > 0) {
    told('DELETE')
    const operation = 'DeleteObject'
    const samples = Math.min(share(SHARES.delete), copies.length)
    const remove = (at: number): Promise<AnswerTime> => folder.remove(copies[at] ?? '')
    rows.push(rowOf(operation, await measured(remove, { ...common, operation, samples, most: copies.length })))
  }
  const sweeps: Sweep[] = []
  const isCopied = rows.some(({ operation, samples }) => operation === 'CopyObject' && samples > 0)
  if (limits.concurrency > 0 && isCopied && sources.length > 0 && !stop.aborted) {
    told('COPY, ever more at once')
    let at = 0
    const ask = (): Promise<AnswerTime> => copyOf(sources, at++)
    sweeps.push(await sweep(ask, { operation: 'CopyObject', most: limits.concurrency, allowance, stop }))
  }
  return { rows, sweeps, traits, requests: allowance.sent }
}

type MultipartOptions = Omit<Parameters<typeof measured>[1], 'operation'>

// Each upload of one part. Half of them are completed, and half aborted.
async function multipartRows(
  folder: ProbeFolder,
  content: SentContent,
  options: MultipartOptions,
): Promise<MeasuredRequests[]> {
  const uploads: string[] = []
  const sent: { readonly upload: string; readonly etag: string }[] = []
  const row = async (
    operation: string,
    ask: (at: number) => Promise<AnswerTime>,
    most?: number,
  ): Promise<MeasuredRequests> =>
    rowOf(operation, await measured(ask, { ...options, operation, ...(most === undefined ? {} : { most }) }))
  const rows = [
    await row('CreateMultipartUpload', async () => {
      const answer = await folder.begin(folder.name('part'))
      uploads.push(answer.upload)
      return answer
    }),
    await row(
      'UploadPart',
      async (at) => {
        const upload = uploads[at] ?? ''
        const answer = await folder.part(upload, content)
        sent.push({ upload, etag: answer.etag })
        return answer
      },
      uploads.length,
    ),
  ]
  const completed = sent.slice(0, Math.ceil(sent.length / 2))
  const aborted = uploads.filter((upload) => !completed.some((one) => one.upload === upload))
  rows.push(
    await row(
      'CompleteMultipartUpload',
      (at) => {
        const { upload = '', etag = '' } = completed[at] ?? {}
        return folder.complete(upload, etag)
      },
      completed.length,
    ),
    await row('AbortMultipartUpload', (at) => folder.abort(aborted[at] ?? ''), aborted.length),
  )
  return rows
}

function contentOf(size: number): SentContent {
  // Not to be compressed, and like nothing that is there.
  const bytes = randomBytes(size)
  return { bytes, md5: createHash('md5').update(bytes).digest() }
}
