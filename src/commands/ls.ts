import { resolve } from 'node:path'
import type { LsJob } from '../job/ls.js'
import type { Command } from './options/command.js'
import { EXIT_TABLE } from './options/exit.js'
import { booleanFlag, grouped, readArgument, readChoice, readFlag, readText, textFlag } from './options/flag-values.js'
import { anySource, parsePlace } from './options/places.js'
import { scanFlags } from './options/run-options.js'

export const command: Command = {
  usage: 'ls <source>',
  summary: 'write every key below a prefix',
  help: '$0 ls s3://bucket[/prefix]\n\nWrites every key, with size, ETag, last modification and storage class, to standard output or a file.',
  options: [
    ...[scanFlags, anySource],
    (argv) =>
      grouped(argv, 'Output:', {
        format: textFlag('text, json or csv', 'text'),
        sorted: booleanFlag('in the byte order of the keys; else as they come'),
        to: textFlag('file to write; .gz and .zst are compressed. It is FILE.part until it is whole'),
      }),
  ],
  examples: [
    ['$0 ls s3://photos --to photos.csv.gz --format csv', 'an inventory'],
    ['$0 ls s3://photos/2019/ --sorted | head', 'the first keys of a folder'],
  ],
  epilogue: EXIT_TABLE,
  async run(flags, io) {
    const to = readText(flags, 'to')
    const job: LsJob = {
      kind: 'ls',
      source: parsePlace(readArgument(flags, 'source'), 'source'),
      format: readChoice(flags, 'format', ['text', 'json', 'csv']) ?? 'text',
      sorted: readFlag(flags, 'sorted') ?? false,
      ...(to === undefined ? {} : { to: resolve(io.cwd, to) }),
    }
    const { startScan } = await import('./run/start-scan.js')
    return await startScan(job, flags, io)
  },
}
