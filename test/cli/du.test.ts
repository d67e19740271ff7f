import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { refusal, run, workFolder } from '../support/cli-program.js'

const DAY = 86_400_000

/** A folder with a file of 1 KiB for each of so many days before today. */
async function grown(days: number) {
  const cwd = await workFolder()
  await mkdir(join(cwd, 'logs'))
  for (let ago = 1; ago <= days; ago++) {
    const path = join(cwd, 'logs', `<b>${ago}`)
    await writeFile(path, Buffer.alloc(1024))
    const then = new Date(Date.now() - ago * DAY)
    await utimes(path, then, then)
  }
  const du = (...more: string[]) => run(['du', `file://${cwd}/logs/`, ...more], { cwd })
  return { cwd, du, read: (name: string) => readFile(join(cwd, name)) }
}

describe('s3move du', () => {
  test('tells growth and a forecast by day, as text, JSON and a page, compressed or not', async () => {
    const { du, read } = await grown(20)
    const text = await du('--dates', 'day')
    expect([text.code, text.stdout]).toEqual([
      0,
      expect.stringContaining('\nin 30 days: about 50 objects (50 to 50), 50.0 KiB (50.0 KiB to 50.0 KiB)\n'),
    ])
    expect(text.stdout).not.toContain('█')
    const json = await du('--dates', 'month', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      type: 'usage',
      growth: {
        objectsPerDay: 1,
        late: { days: 20, bytesPerDay: 1024 },
        forecasts: [{ days: 30, objects: { estimate: 50, low: 50, high: 50 } }, { days: 365 }],
      },
    })
    expect((await du('--dates', 'day', '--depth', '1', '--to', 'usage.html')).code).toBe(0)
    expect((await du('--to', 'usage.html.gz')).code).toBe(0)
    const [page, packed] = [String(await read('usage.html')), String(gunzipSync(await read('usage.html.gz')))]
    for (const one of [page, packed, (await du('--format', 'html')).stdout]) {
      expect(one).toMatch(/^<!doctype html>[^]*in 30 days: about 50 objects[^]*<\/html>\n$/)
      expect(one).not.toMatch(/<script|<b>/)
    }
    expect(page).toContain('class="plot"')
  })

  test('tells no forecast of less than ten days, and no growth where dates are filtered or by year', async () => {
    const { du } = await grown(9)
    expect((await du('--dates', 'day')).stdout).toContain('There is no forecast: it needs 10 whole days.\n')
    for (const args of [[], ['--dates', 'day', '--newer-than', '5d'], ['--dates', 'day', '--format', 'csv']]) {
      const { code, stdout } = await du(...args)
      expect([code, stdout]).toEqual([0, expect.not.stringMatching(/growth|forecast/)])
    }
    expect(refusal(await du('--format', 'html', '--to', 'usage.csv'))).toContain('named as a file of csv')
  })
})
