import { listOf, selectionOf, shardIn, type Job } from '../job/kinds.js'
import { placeUrl } from '../job/place.js'
import type { Selection } from '../job/selection.js'
import { shardName } from '../job/shard.js'
import { listWord, objects, shellArgument } from './format.js'

/** The flags that ask for a selection, as they could be pasted. */
function filterWords(select: Selection): string {
  const { globs = [], regex = [], minSize, maxSize, storageClasses = [] } = select
  const flags: (readonly [name: string, value: string])[] = [
    ...globs.map(([verdict, glob]) => [verdict, glob] as const),
    ...regex.map((pattern) => ['regex', pattern] as const),
    ...(minSize === undefined && maxSize === undefined ? [] : [['size', sizeWords(minSize, maxSize)] as const]),
    ...optional('newer-than', select.modifiedSince),
    ...optional('older-than', select.modifiedBefore),
    ...storageClasses.map((name) => ['storage-class-is', name] as const),
    ...optional('after', select.after),
    ...optional('until', select.until),
    ...optional('shard', select.shard && `${select.shard.number}/${select.shard.of}`),
  ]
  const words = flags.map(([name, value]) =>
    value.startsWith('-') ? `--${name}=${shellArgument(value)}` : `--${name} ${shellArgument(value)}`,
  )
  return [...words, ...(select.ignoreCase === true ? ['--ignore-case'] : [])].join(' ')
}

function optional(name: string, value: string | undefined): (readonly [string, string])[] {
  return value === undefined ? [] : [[name, value]]
}

function sizeWords(least = 0, most?: number): string {
  if (most === undefined) return `+${least}`
  if (least === 0 && most > 0) return `-${most}`
  return least === most ? String(least) : `${least}..${most}`
}

/** That a job had no objects, and what that comes from: its filters, its list, or that there are none. `seen` objects were left out. */
export function nothingFound(job: Job, seen: number): string {
  const [select, list] = [selectionOf(job), listOf(job)]
  const url = placeUrl(job.source)
  if (select === undefined) {
    return list === undefined ? `${url} has no objects` : `${listWord(list)} names no objects`
  }
  const { shard, ...others } = select
  if (shard !== undefined && Object.keys(others).length === 0) return `${shardName(shard)} of ${url} has no objects`
  const whose = list === undefined ? `of ${url}` : `that ${listWord(list)} names`
  const looked = seen === 0 ? '' : ` (${objects(seen)} looked at)`
  return `no object ${whose} matches ${filterWords(select)}${looked}`
}

/** What a person may look at then. */
export function nothingFoundHint(job: Job): string {
  if (shardIn(job) !== undefined) return 'the others may have some: s3move status --merge DIR.. adds them up'
  if (selectionOf(job) !== undefined) return 'is the filter right?'
  return listOf(job) === undefined ? 'are bucket and prefix right?' : 'is it the right file?'
}
