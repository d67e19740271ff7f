import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {number} slowness How many times fewer objects it is given than s3move, so that no row takes minutes.
 * @property {(copy: { url: string, source: string, destination: string, concurrency: number }) => string[]} args
 */

/** @type {readonly Peer[]} */
const PEERS = [
  {
    name: 's5cmd',
    slowness: 3,
    args: ({ url, source, destination, concurrency }) => [
      ...['--endpoint-url', url, '--numworkers', String(concurrency), '--log', 'error'],
      ...['cp', `s3://${source}/*`, `s3://${destination}/`],
    ],
  },
  {
    name: 'rclone',
    slowness: 5,
    args: ({ url, source, destination, concurrency }) => [
      ...['copy', `:s3:${source}`, `:s3:${destination}`, '--s3-provider', 'Other', '--s3-endpoint', url],
      ...['--s3-env-auth', '--s3-no-check-bucket', '--s3-list-version', '2'],
      ...['--transfers', String(concurrency), '--checkers', '64'],
    ],
  },
  {
    name: 'aws',
    slowness: 100,
    // Its number of requests in flight is a matter of its config file: see AWS_CONFIG in bench.mjs.
    args: ({ url, source, destination }) => [
      ...['s3', 'cp', '--recursive', '--only-show-errors', '--endpoint-url', url],
      ...[`s3://${source}`, `s3://${destination}`],
    ],
  },
]

/** The programs that do the same work and are found on PATH. */
export function peersOnPath() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return PEERS.filter(({ name }) =>
    folders.some((folder) => {
      try {
        accessSync(join(folder, name), constants.X_OK)
        return true
      } catch {
        return false
      }
    }),
  )
}
