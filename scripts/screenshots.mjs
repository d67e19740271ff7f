// `npm run docs:screenshots`: the pictures of docs/watch.md, of a real copy in the sandbox, by the chromium of this machine (CHROMIUM names another).
import { mkdtemp, mkdir, rm, stat } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { buildIfMissing, CLI, ended, SANDBOX_ENVIRONMENT, startSandbox } from '../bench/program.mjs'

const IMAGES = fileURLToPath(new URL('../docs/images/', import.meta.url))
const MOST_BYTES = 100_000
/** Of the copy, when its pictures are taken, so that there is something to see. */
const AFTER_SECONDS = 20

const PICTURES = /** @type {const} */ ([
  { name: 'watch-light', colorScheme: 'light', viewport: { width: 900, height: 840 } },
  { name: 'watch-dark', colorScheme: 'dark', viewport: { width: 900, height: 840 } },
  { name: 'watch-phone', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
])

await buildIfMissing()
await mkdir(IMAGES, { recursive: true })
const folder = await mkdtemp(join(tmpdir(), 's3move-pictures-'))
const sandbox = await startSandbox([
  ...['photos:dates:100k:denied=4000', 'photos-eu', '--latency', 'copy=25-45,list=40-60', '--rate', 'write=800'],
])
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
try {
  const args = [
    'copy',
    's3://photos',
    's3://photos-eu',
    '--endpoint-url',
    sandbox.url,
    '--listen',
    '0',
    '--expect',
    '100000',
  ]
  const copy = spawn(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: { ...process.env, ...SANDBOX_ENVIRONMENT },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const end = ended(copy)
  const url = await new Promise((/** @type {(url: string) => void} */ resolve, reject) => {
    let said = ''
    copy.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      said += text
      const found = /live page: (\S+)\n/.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    })
    end.then(() => reject(new Error(`the copy ended: ${said}`)), reject)
  })
  const pages = []
  for (const picture of PICTURES) {
    const context = await browser.newContext(picture)
    const page = await context.newPage()
    await page.goto(url)
    pages.push({ ...picture, page })
  }
  await setTimeout(AFTER_SECONDS * 1000)
  for (const { name, page } of pages) {
    const path = join(IMAGES, `${name}.png`)
    await page.screenshot({ path })
    const { size } = await stat(path)
    process.stdout.write(`${path}: ${size.toLocaleString('en-US')} bytes\n`)
    if (size > MOST_BYTES) throw new Error(`${path} is larger than ${MOST_BYTES.toLocaleString('en-US')} bytes`)
  }
  copy.kill('SIGINT')
  await end
} finally {
  await browser.close()
  await sandbox.stop()
  await rm(folder, { recursive: true, force: true })
}
