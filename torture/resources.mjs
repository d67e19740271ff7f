// Preloaded into s3move (node --import): each of its threads writes how many timers it waits for, into a file of its own in a folder.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'

const file = join(String(process.env.TORTURE_RESOURCES), String(threadId))

setInterval(() => {
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  writeFile(file, String(timers)).catch((/** @type {unknown} */ error) => {
    process.stderr.write(`unhandled: ${String(error)}\n`)
  })
}, 1_000).unref()
