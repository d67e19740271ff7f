#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import type { Argv } from 'yargs'
import { CheckpointError } from './checkpoint/checkpoint-error.js'
import { EXIT, EXIT_TABLE } from './commands/run/exit.js'
import { Interrupted, type CommandIo } from './commands/run/io.js'
import { UserError } from './errors.js'
import { printable, withoutCredentials } from './keys.js'
import { ignoresHangup } from './processes.js'
import { keepThreadPoolAwake } from './libuv-wakeups.js'
import { readSwitches, truthOf, type Declared } from './commands/options/switches.js'
import { usageError } from './commands/options/usage-error.js'
import { version } from './version.js'

/** What stands for a source or a destination, for `--help`. */
const PLACE = 's3://bucket, s3://bucket/prefix or file:///folder'

/** A closed terminal is not to end the program. */
const hangupIgnored = ignoresHangup()

/**
 * Ends a run in two steps: the first signal asks for an orderly end, the second for an end at once. Of a terminal that closes two often come at once, from the
 * kernel and from the shell, so they count as one.
 */
function stopOnSignals(): Pick<CommandIo, 'stop' | 'abandon'> {
  const stop = new AbortController()
  const abandon = new AbortController()
  const signalled = (): void => {
    if (stop.signal.aborted) abandon.abort()
    else stop.abort()
  }
  process.on('SIGINT', signalled)
  process.on('SIGTERM', signalled)
  process.on('SIGHUP', () => {
    if (!hangupIgnored) stop.abort()
  })
  return { stop: stop.signal, abandon: abandon.signal }
}

function complain(message: string, hint?: string): void {
  const text = `s3move: ${message}\n${hint === undefined ? '' : `        ${hint}\n`}`
  // Whatever was wrong with a URL, and whoever says so.
  process.stderr.write(withoutCredentials(text))
}

// Once a command has begun, yargs renders the whole help of it, for nobody: a tenth of a second in which nothing else happens.
function withoutRenderingHelp(parser: unknown): void {
  const internals = parser as { getInternalMethods(): { getUsageInstance(): { cacheHelpMessage: unknown } } }
  internals.getInternalMethods().getUsageInstance().cacheHelpMessage = () => undefined
}

/** Resolves once all that was written to a stream is with its reader, or nobody reads it: `exit` drops what a full pipe has not taken. */
async function handedOver(stream: NodeJS.WritableStream): Promise<void> {
  await new Promise<void>((resolve) => stream.write('', () => resolve()))
}

// yargs takes a flag that begins with `no-` for a negation, and what follows for another argument, unless both are one.
function withValues(args: readonly string[]): string[] {
  const joined: string[] = []
  for (let at = 0; at < args.length; at++) {
    const [arg = '', value] = args.slice(at, at + 2)
    const [, plain = '', word = ''] = /^(--help|--version|-h)=(.*)$/s.exec(arg) ?? []
    if (truthOf(word) === true) joined.push(plain)
    else if (arg === '--no-preserve' && value !== undefined && !value.startsWith('-')) {
      joined.push(`${arg}=${value}`)
      at++
    } else joined.push(arg)
  }
  return joined
}

// The switches that the command declares, as yargs has them; it does not tell them in its types.
function declaredBy(parser: unknown): Declared {
  const options = parser as {
    getOptions(): { readonly boolean: readonly string[]; readonly alias: Readonly<Record<string, readonly string[]>> }
  }
  const { boolean, alias } = options.getOptions()
  const letters = new Map<string, string>()
  for (const name of boolean) for (const letter of alias[name] ?? []) if (letter.length === 1) letters.set(letter, name)
  return { names: new Set(boolean.filter((name) => name.length > 1)), letters }
}

async function main(args: readonly string[]): Promise<number> {
  // Before anything is loaded: a version must be had at once.
  if (args.length === 1 && args[0] === '--version') {
    process.stdout.write(`${version()}\n`)
    return EXIT.done
  }
  const { default: yargs } = await import('yargs')
  const {
    connectionFlags,
    deleteFlags,
    headerFlags,
    paceFlags,
    readSandbox,
    sandboxFlags,
    scanFlags,
    settingFlags,
    sideFlags,
    syncFlags,
    tellingFlags,
    verifyFlags,
    ON_LOSS,
  } = await import('./commands/options/common-options.js')
  const { attributeFlags } = await import('./commands/options/attribute-options.js')
  const { nameFlags, selectionFlags } = await import('./commands/options/selection-options.js')
  const { listFlags } = await import('./commands/options/files-from-options.js')
  const { prefixFlags } = await import('./commands/options/prefix.js')
  const { restoreFlags } = await import('./commands/options/restore-options.js')
  const chosen = <T>(argv: Argv<T>): Argv<T> => prefixFlags(selectionFlags(argv, args))
  let code: number = EXIT.done
  const io: CommandIo = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    args,
    ...stopOnSignals(),
  }
  const runFlags = <T>(argv: Argv<T>): Argv<T> =>
    tellingFlags(connectionFlags(paceFlags(argv)))
      .option('checkpoint', {
        type: 'string',
        requiresArg: true,
        describe: 'folder of the run [default: below .s3move/]',
      })
      .option('dry-run', { type: 'boolean', describe: 'say what would be done, and change nothing' })
  const parser = yargs()
    .scriptName('s3move')
    .usage(
      '$0 <command>\n\nCopies, compares and deletes S3 objects and changes their headers in bulk: listed in parallel, resumable, nothing lost.',
    )
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': true,
      // One spelling of each flag: another might be taken, and count for nothing.
      'camel-case-expansion': false,
      'dot-notation': false,
    })
    .middleware((argv: object, ...[parser]: readonly unknown[]) => {
      Object.assign(argv, Object.fromEntries(readSwitches(args, declaredBy(parser))))
    })
    .command(
      'copy <source> <destination>',
      'copy every object below a prefix, inside S3',
      (argv) =>
        sideFlags(runFlags(restoreFlags(attributeFlags(settingFlags(nameFlags(chosen(listFlags(argv))))))))
          .usage(
            '$0 copy s3://source[/prefix] s3://destination[/prefix]\n\nCopies every object below the source prefix to the destination, inside S3 (CopyObject).\nThe source prefix is replaced by the destination prefix, letter by letter. Either side may be a folder: file:///folder.',
          )
          .positional('source', { type: 'string', describe: PLACE, demandOption: true })
          .positional('destination', {
            type: 'string',
            describe: PLACE,
            demandOption: true,
          })
          .option('clobber', { type: 'boolean', describe: '--no-clobber: replace nothing', hidden: true })
          .option('no-clobber', { type: 'boolean', describe: 'replace nothing at the destination (If-None-Match)' })
          .option('all-versions', {
            type: 'boolean',
            describe: 'each object with all of its versions and delete markers, the oldest first',
          })
          .group(['no-clobber', 'all-versions'], 'Objects:')
          .option('fresh', { type: 'boolean', describe: 'begin again, though an unfinished run of this job exists' })
          .group(['checkpoint', 'fresh', 'dry-run'], 'Run:')
          .example('$0 copy s3://photos s3://photos-eu', 'a whole bucket')
          .example('$0 copy s3://photos/2019/ s3://archive/photos/2019/', 'a folder, to another name')
          .example('$0 copy s3://photos file:///backup/photos', 'to the local disk; and back the same way')
          .example('$0 copy s3://a s3://b --dry-run', 'how many objects, how many requests')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { copy } = await import('./commands/copy.js')
        code = await copy(argv.source, argv.destination, argv, io)
      },
    )
    .command(
      'sync <source> <destination>',
      'copy what is missing or different',
      (argv) =>
        sideFlags(runFlags(restoreFlags(attributeFlags(settingFlags(syncFlags(chosen(argv)))))))
          .usage(
            '$0 sync s3://source[/prefix] s3://destination[/prefix]\n\nLists both sides and copies what is missing at the destination or different: by size, ETag and, where these say nothing, by which is newer.',
          )
          .positional('source', { type: 'string', describe: PLACE, demandOption: true })
          .positional('destination', {
            type: 'string',
            describe: PLACE,
            demandOption: true,
          })
          .option('fresh', { type: 'boolean', describe: 'begin again, though an unfinished run of this job exists' })
          .group(['checkpoint', 'fresh', 'dry-run'], 'Run:')
          .example('$0 sync s3://photos s3://photos-eu', 'what is missing or different')
          .example('$0 sync s3://a s3://b --delete --max-delete 1000', 'and delete what is extra, 1,000 at most')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { sync } = await import('./commands/sync.js')
        code = await sync(argv.source, argv.destination, argv, io)
      },
    )
    .command(
      'move <source> <destination>',
      'copy every object, and delete it at the source once its copy is proven',
      (argv) =>
        sideFlags(runFlags(restoreFlags(attributeFlags(settingFlags(nameFlags(chosen(listFlags(argv))))))))
          .usage(
            '$0 move s3://source[/prefix] s3://destination[/prefix]\n\nCopies every object as copy does. An object is deleted at the source only when its copy is proven and its key is on the disk, in moved.ndjson.',
          )
          .positional('source', { type: 'string', describe: PLACE, demandOption: true })
          .positional('destination', {
            type: 'string',
            describe: PLACE,
            demandOption: true,
          })
          .option('fresh', { type: 'boolean', describe: 'begin again, though an unfinished run of this job exists' })
          .group(['checkpoint', 'fresh', 'dry-run'], 'Run:')
          .example('$0 move s3://photos/2019/ s3://archive/2019/', 'a folder')
          .example('$0 move s3://a s3://b --dry-run', 'how many objects, how many requests')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { move } = await import('./commands/move.js')
        code = await move(argv.source, argv.destination, argv, io)
      },
    )
    .command(
      'set-headers <source>',
      'change headers of every object below a prefix, in place',
      (argv) =>
        runFlags(headerFlags(listFlags(argv)))
          .usage(
            '$0 set-headers s3://bucket[/prefix] --cache-control VALUE ...\n\nChanges headers in place: HEAD, and only where something would change a copy of the object onto itself that keeps all the rest.',
          )
          .positional('source', { type: 'string', describe: 's3://bucket or s3://bucket/prefix', demandOption: true })
          .option('fresh', { type: 'boolean', describe: 'begin again, though an unfinished run of this job exists' })
          .group(['checkpoint', 'fresh', 'dry-run'], 'Run:')
          .example("$0 set-headers s3://photos --cache-control 'public, max-age=31536000'", 'for a year')
          .example('$0 set-headers s3://site --guess-content-type --dry-run', 'what would change')
          .example('$0 set-headers s3://site --rules rules.yaml --preserve acl', 'by rules; public objects stay public')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { setHeaders } = await import('./commands/set-headers.js')
        code = await setHeaders(argv.source, argv, io)
      },
    )
    .command(
      'delete <source>',
      'delete every object below a prefix',
      (argv) =>
        deleteFlags(runFlags(chosen(listFlags(argv))))
          .usage(
            '$0 delete s3://bucket[/prefix]\n\nDeletes every object below the prefix, a thousand to a request (DeleteObjects). Asks for the name of the bucket first.\n' +
              'In a bucket that keeps versions each object gets a delete marker, and its versions stay, unless --all-versions says otherwise.',
          )
          .positional('source', { type: 'string', describe: 's3://bucket or s3://bucket/prefix', demandOption: true })
          .option('fresh', { type: 'boolean', describe: 'begin again, though an unfinished run of this job exists' })
          .group(['yes', 'checkpoint', 'fresh', 'dry-run'], 'Run:')
          .example('$0 delete s3://logs/2019/ --dry-run', 'how many objects, how many bytes')
          .example('$0 delete s3://logs/2019/ --yes', 'without a question, for scripts')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { deleteCommand } = await import('./commands/delete.js')
        code = await deleteCommand(argv.source, argv, io)
      },
    )
    .command(
      'ls <source>',
      'write every key below a prefix',
      (argv) =>
        scanFlags(argv)
          .usage(
            '$0 ls s3://bucket[/prefix]\n\nWrites every key, with size, ETag, last modification and storage class, to standard output or a file.',
          )
          .positional('source', { type: 'string', describe: PLACE, demandOption: true })
          .option('format', { type: 'string', requiresArg: true, describe: 'text, json or csv [default: text]' })
          .option('sorted', { type: 'boolean', describe: 'in the byte order of the keys; else as they come' })
          .option('to', {
            type: 'string',
            requiresArg: true,
            describe: 'file to write; .gz and .zst are compressed. It is FILE.part until it is whole',
          })
          .group(['format', 'sorted', 'to'], 'Output:')
          .example('$0 ls s3://photos --to photos.csv.gz --format csv', 'an inventory')
          .example('$0 ls s3://photos/2019/ --sorted | head', 'the first keys of a folder')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { ls } = await import('./commands/ls.js')
        code = await ls(argv.source, argv, io)
      },
    )
    .command(
      'du <source>',
      'count objects and bytes below a prefix',
      (argv) =>
        scanFlags(argv)
          .usage(
            '$0 du s3://bucket[/prefix]\n\nCounts objects and bytes: in total, by storage class, by size, by date of last modification, by folder.',
          )
          .positional('source', { type: 'string', describe: PLACE, demandOption: true })
          .option('depth', { type: 'string', requiresArg: true, describe: 'by the first N folders [default: 0]' })
          .option('dates', { type: 'string', requiresArg: true, describe: 'by year, month or day [default: year]' })
          .option('format', { type: 'string', requiresArg: true, describe: 'text, json or csv [default: text]' })
          .group(['depth', 'dates', 'format'], 'Output:')
          .example('$0 du s3://photos --depth 2', 'which folders are large')
          .example('$0 du s3://logs --dates day --format csv', 'how many objects each day brings')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { du } = await import('./commands/du.js')
        code = await du(argv.source, argv, io)
      },
    )
    .command(
      'verify <source> <destination>',
      'compare two places, after a copy by any tool',
      (argv) =>
        sideFlags(prefixFlags(verifyFlags(argv)))
          .usage(
            '$0 verify s3://source[/prefix] s3://destination[/prefix]\n\nLists both sides and compares every object with the one of its name: same, same size, different, missing, extra.\n' +
              'Differences are written as lines of JSON, to standard output or a file.',
          )
          .positional('source', { type: 'string', describe: PLACE, demandOption: true })
          .positional('destination', {
            type: 'string',
            describe: PLACE,
            demandOption: true,
          })
          .example('$0 verify s3://photos s3://photos-eu', 'by size and ETag')
          .example('$0 verify s3://photos s3://photos-eu --deep --to differences.ndjson', 'headers and tags too')
          .example('$0 verify s3://photos s3://photos-eu --fix', 'copy what is missing or different')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { verify } = await import('./commands/verify.js')
        code = await verify(argv.source, argv.destination, argv, io)
      },
    )
    .command(
      'resume [dir]',
      'go on with an interrupted run',
      (argv) =>
        sideFlags(runFlags(argv))
          .usage(
            '$0 resume [DIR]\n\nGoes on with the run whose checkpoint is in DIR; without DIR, with the only unfinished run below .s3move/.',
          )
          .positional('dir', { type: 'string', describe: 'folder of the run, or the checkpoint.json in it' })
          .option('only-failed', { type: 'boolean', describe: 'try the objects in the failure ledger again' })
          .option('only-code', {
            type: 'string',
            array: true,
            nargs: 1,
            requiresArg: true,
            describe: 'with --only-failed: only those that failed with this code, such as AccessDenied; repeatable',
          })
          .option('on-loss', { type: 'string', requiresArg: true, describe: `${ON_LOSS} [default: as before]` })
          .group(['only-failed', 'only-code', 'on-loss', 'checkpoint', 'dry-run'], 'Run:')
          .example('$0 resume', 'the only unfinished run here')
          .example('$0 resume --only-failed DIR', 'try again what failed')
          .epilogue(EXIT_TABLE),
      async (argv) => {
        const { resume } = await import('./commands/resume.js')
        code = await resume(argv.dir, argv, io)
      },
    )
    .command(
      'status [dir]',
      'what a run has done and what remains',
      (argv) =>
        argv
          .usage(
            '$0 status [DIR]\n\nShows a run: what is done, what remains, rates, failures by code. Without DIR, the runs below .s3move/.',
          )
          .positional('dir', { type: 'string', describe: 'folder of the run, or the checkpoint.json in it' })
          .option('json', { type: 'boolean', describe: 'one JSON object' }),
      async (argv) => {
        const { status } = await import('./commands/status.js')
        code = await status(
          {
            ...(argv.dir === undefined ? {} : { dir: argv.dir }),
            ...(argv.json === undefined ? {} : { json: argv.json }),
          },
          io,
        )
      },
    )
    .command(
      'sandbox [buckets..]',
      'a simulated S3 server on this machine, for rehearsals',
      (argv) =>
        sandboxFlags(argv)
          .usage(
            '$0 sandbox [BUCKET..]\n\nServes S3 on loopback until interrupted, and prints the lines to paste. A bucket is NAME, which stores what is put,\n' +
              'or NAME:LAYOUT:COUNT[:OPTION=VALUE,..], which is synthetic and costs no memory. Layouts: seq, hex, dates, hot, deep, odd.\n' +
              'Options: size=BYTES, big=N, glacier=N, denied=N, tags=N (one object in N), prefix=TEXT. Without buckets: src:seq:100k dst',
          )
          .example('$0 sandbox src:hex:5M dst', 'five million synthetic objects, and a bucket to copy them to')
          .example(
            '$0 sandbox src:odd:10k dst --latency copy=20-60 --fault 503=1%',
            'odd keys, slow copies, throttling',
          ),
      async (argv) => {
        const { sandbox } = await import('./commands/sandbox.js')
        code = await sandbox(readSandbox(argv), io)
      },
    )
    .completion('completion', 'print a completion script for bash or zsh')
    .demandCommand(1, 'name a command, such as: s3move copy')
    .strictCommands()
    .strict()
    .version(version())
    .help()
    .alias('help', 'h')
    .wrap(Math.min(110, process.stdout.columns || 110))
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error: Error | undefined) => {
      // Some mistakes in the command line come as an error of yargs's own.
      if (error !== undefined && error.name !== 'YError') throw error
      const said = message ?? error?.message ?? 'the command line is not understood'
      throw usageError(said, args)
    })
  withoutRenderingHelp(parser)
  await parser.parseAsync(withValues(args))
  return code
}

// Every listed object lives for a second and is garbage then. Left to itself V8 lets four times what is alive pile up before
// it collects; twice is enough, and keeps memory flat from the first hundred thousand objects on. (docs/design/decisions.md has the figures.)
setFlagsFromString('--heap-growing-percent=100')

// What dependencies want to warn of (an old Node, an experimental feature) is not our user's business.
process.removeAllListeners('warning')
process.on('warning', () => undefined)
let unwritten: Error | undefined
for (const stream of [process.stdout, process.stderr]) {
  // A reader that went away, or a terminal that was closed, is no reason to end a run; its writes go nowhere. A disk that is full is none either, but is told.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const gone = error.code === 'EPIPE' || (error.code === 'EIO' && stream.isTTY)
    if (!gone && stream === process.stdout) unwritten ??= error
  })
}

keepThreadPoolAwake()
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UserError) {
    complain(error.message, error.hint)
    process.exitCode = EXIT.usage
  } else if (error instanceof CheckpointError) {
    complain(error.message, error.hint)
    process.exitCode = EXIT.stopped
  } else if (error instanceof Interrupted) {
    complain('interrupted before anything was changed', 'give the same command again to begin anew')
    process.exitCode = EXIT.interrupted
  } else {
    complain(
      `unexpected: ${printable(error instanceof Error ? error.message : String(error))}`,
      'this is a defect of s3move; a run that was under way can be resumed: s3move resume',
    )
    process.exitCode = EXIT.unexpected
  }
}
// A reader that is slow is waited for, and a signal ends the waiting.
for (const signal of ['SIGINT', 'SIGTERM', ...(hangupIgnored ? [] : ['SIGHUP'])]) process.removeAllListeners(signal)
await handedOver(process.stdout)
if (unwritten !== undefined && process.exitCode === EXIT.done) {
  complain(
    `standard output is not whole: ${printable(unwritten.message)}`,
    'what was done is done; what was to be told is lost: give the output another place',
  )
  process.exitCode = EXIT.unexpected
}
await handedOver(process.stderr)
// Connections and timers that are still open must not keep a finished command waiting.
process.exit()
