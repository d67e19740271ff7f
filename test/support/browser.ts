import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import axe, { type AxeResults } from 'axe-core'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

/** Where a chromium is, which nobody downloads: that of the system. */
export const CHROMIUM = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  .find((path) => existsSync(path))

let started: Promise<Browser> | undefined

/** A page of a browser, and what it has complained of. */
export interface BrowserPage {
  readonly page: Page
  /** Errors of scripts, what the policy has refused, and what was asked of any other server. */
  readonly complaints: readonly string[]
}

/** Opens an address in a browser, in a window of its own, for the time of the test. */
export async function opened(url: string, options: BrowserContextOptions = {}): Promise<BrowserPage> {
  const browser = await (started ??= chromium.launch({ executablePath: CHROMIUM ?? '', args: ['--no-sandbox'] }))
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`${error.name}: ${error.message}`))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(`asked for ${request.url()}`)
  })
  await page.goto(url)
  return { page, complaints }
}

/** Ends the browser; for after all tests of a file. */
export async function endBrowser(): Promise<void> {
  await (await started)?.close()
  started = undefined
}

/** What axe-core finds to be hard to use, in a line each. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations, passes } = await page.evaluate<AxeResults>("axe.run(document, { resultTypes: ['violations'] })")
  expect(passes.length, 'rules that were looked at').toBeGreaterThan(10)
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${String(failureSummary)}`),
  )
}

/** Whether a page is no wider than its window. */
export async function fits(page: Page): Promise<boolean> {
  return await page.evaluate('document.documentElement.scrollWidth <= innerWidth')
}
