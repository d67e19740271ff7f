import { readFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { start, until, type Running, type StartOptions } from './cli-program.js'

/** The address of the page that a run with `--listen` serves, once it says so. */
export async function pageOf(running: Running): Promise<string> {
  return await said(running, () => running.stderr(), /live page: (\S+)\n/)
}

/** Starts `s3move watch` and answers it with its address. */
export async function watching(
  args: readonly string[],
  options: StartOptions,
): Promise<{ url: string; watch: Running }> {
  const watch = start(['watch', '--listen', '0', ...args], options)
  return { watch, url: await said(watch, () => watch.stdout(), /^(\S+)\n/) }
}

async function said(running: Running, output: () => string, pattern: RegExp): Promise<string> {
  await until(() => pattern.test(output()), running)
  return pattern.exec(output())?.[1] ?? ''
}

/** The process that serves the page of a run (Linux). */
export function pageProcess({ pid }: Running): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
  const page = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('\0watch\0'))
  if (page === undefined) throw new Error(`no process of ${pid} serves a page: ${children.join(' ')}`)
  return page
}

/** All that a follower of a page was told, and what of it is now: `ended` resolves when nothing more comes. */
export interface Follower {
  /** Markup by section. */
  readonly sections: ReadonlyMap<string, string>
  /** Whether the page was told that nothing more comes. */
  readonly ended: Promise<boolean>
}

/** Follows a page as its script does. */
export async function follow(url: string, path = '/'): Promise<Follower> {
  const request = get(new URL(`/events${path}`, url))
  onTestFinished(() => void request.destroy())
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const sections = new Map<string, string>()
  const read = async (): Promise<boolean> => {
    let text = ''
    let ended = false
    try {
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const events = (text + chunk).split('\n\n')
        text = events.pop() ?? ''
        for (const event of events) {
          ended ||= event.startsWith('event: end')
          if (!event.startsWith('data: ')) continue
          const told = JSON.parse(event.slice('data: '.length)) as Record<string, string>
          for (const [id, markup] of Object.entries(told)) sections.set(id, markup)
        }
      }
    } catch {
      // The server was killed.
    }
    return ended
  }
  return { sections, ended: read() }
}

/** The markup of a page. */
export async function pageText(url: string, path = '/'): Promise<string> {
  return await (await fetch(new URL(path, url))).text()
}

/** The value of a metric as a scrape has it; NaN where it has none. */
export function valueOf(metrics: string, series: string): number {
  const line = metrics.split('\n').find((one) => one.startsWith(`${series} `))
  return Number(line?.slice(series.length + 1) ?? NaN)
}
