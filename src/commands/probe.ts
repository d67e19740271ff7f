import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { ALWAYS } from './options/exit.js'
import { readArgument } from './options/flag-values.js'
import { readJson } from './options/output-options.js'
import { bucketSource, parseBucket } from './options/places.js'
import { probeFlags, readEvery, readProbeBounds, readProbeFiles, readWritePrefix } from './options/probe-options.js'
import { readMonitor } from './options/status-options.js'

export const command: Command = {
  usage: 'probe <source>',
  group: 'looking',
  summary: 'how fast a store is: latencies, throughput, how many requests it bears',
  help: '$0 probe s3://bucket[/prefix]\n\nMeasures connections, LIST, HEAD and GET by the objects that are there, and how many requests a second the store bears; says what follows for copies. It only reads, unless --write gives it a place, and tells before how much it may ask and what that costs.',
  options: [bucketSource, probeFlags],
  examples: [
    ['$0 probe s3://photos', 'with at most 5,000 requests'],
    ['$0 probe s3://photos/2019/ --max-requests 50000', 'for p99.9, and limits further up'],
    ['$0 probe s3://photos --max-cost 0.01 --json', 'for a program, for a cent at most'],
    ['$0 probe s3://photos --write tmp/', 'PUT, COPY, parts and DELETE too, with objects of its own below tmp/'],
    ['$0 probe s3://photos --every 5m --history photos.ndjson', 'a history'],
    ['$0 probe s3://photos --tune photos.tune', 's3move copy … --tune photos.tune takes what follows'],
  ],
  everyday: ['write', 'max-requests', 'max-cost', 'tune', 'to', 'every', 'history', 'json', 'endpoint-url'],
  exits: {
    ...ALWAYS,
    0: 'measured; what was refused is told in its row',
    4: 'no request was answered as it should be, or not all that was written could be deleted',
    130: 'interrupted; told is a part',
  },
  async run(flags, io) {
    const monitor = readMonitor(flags)
    const every = readEvery(flags)
    if (monitor !== undefined && every !== undefined) {
      throw new UserError(
        `--every and --format ${monitor.format} contradict each other: a monitoring system asks again by itself`,
        'leave one of them away',
      )
    }
    const asked = {
      source: parseBucket(readArgument(flags, 'source'), 'source'),
      ...readProbeBounds(flags, monitor !== undefined || every !== undefined),
      ...readProbeFiles(flags, io.cwd),
      write: readWritePrefix(flags),
      ...{ monitor, every, json: monitor === undefined && readJson(flags) },
    }
    const { probeStore } = await import('./run/probe-store.js')
    return await probeStore(asked, flags, io)
  },
}
