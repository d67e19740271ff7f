import { changePace, type PaceChange } from '../../job/pace.js'
import { bytes, objects } from '../../report/format.js'
import type { CommandIo } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** Changes the pace of a run whenever its page asks for that, and tells so. */
export function takePaceFromPage({ ends }: Opened, io: CommandIo, note: (message: string) => void): void {
  io.onPace?.((change) => {
    changePace(ends.settings, change)
    note(`the pace was changed on the page: ${inWords(change)}`)
  })
}

function inWords({ concurrency, bandwidth }: PaceChange): string {
  return [
    ...(concurrency === undefined ? [] : [`at most ${objects(concurrency)} in flight`]),
    ...(bandwidth === undefined ? [] : [bandwidth === null ? 'no bandwidth limit' : `${bytes(bandwidth)}/s each way`]),
  ].join(', ')
}
