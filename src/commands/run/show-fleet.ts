import { Mismatch } from '../../job/schema.js'
import { printable } from '../../keys.js'
import { jsonRecord } from '../../report/json-records.js'
import { EXIT } from '../options/exit.js'
import type { FleetAsked } from '../options/fleet-options.js'
import type { CommandIo } from '../options/io.js'
import { openFleet } from './fleet.js'
import { publishedStatus, type PublishedStatus } from './fleet-status.js'

/** Tells of all runs that are announced at a Redis, or of the one of a name. Answers the exit code. */
export async function fleetStatus(asked: FleetAsked, json: boolean, io: CommandIo): Promise<number> {
  const fleet = await openFleet(asked, io)
  try {
    const { broker } = fleet
    const names = [...(await broker.announced()).keys()].filter(
      (name) => asked.name === undefined || name === asked.name,
    )
    const pages: string[] = []
    for (const name of names.sort()) {
      const found = read(await broker.published(name))
      if (json) io.stdout.write(`${jsonRecord('announced', { name, status: found?.status ?? null })}\n`)
      else pages.push(page(name, found))
    }
    if (!json) io.stdout.write(pages.length === 0 ? `${nobody(asked)}\n` : pages.join('\n'))
    return EXIT.done
  } finally {
    fleet.close()
  }
}

function nobody({ name }: FleetAsked): string {
  return name === undefined ? 'no run is announced there' : `no run is announced there by the name ${name}`
}

// Anybody may have written it.
function read(text: string | undefined): PublishedStatus | undefined {
  if (text === undefined) return undefined
  try {
    return publishedStatus(JSON.parse(text), '')
  } catch (error) {
    if (!(error instanceof Mismatch || error instanceof SyntaxError)) throw error
    return undefined
  }
}

function page(name: string, found: PublishedStatus | undefined): string {
  const lines = found?.lines ?? [
    '  it was announced, and nothing is told of it: it has just begun, or is of another version',
  ]
  return [`${printable(name)}:`, ...lines.map((line) => printable(line))].map((line) => `${line}\n`).join('')
}
