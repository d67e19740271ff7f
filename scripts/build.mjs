import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.mjs'

// A program of three hundred modules, and as many of its dependencies, would spend most of a short run on finding and reading them. So what ships is
// a few files, with the licences of all that is in them.

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/** The folder of the package that a module of a dependency belongs to. */
const PACKAGE = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/

rmSync(DIST, { recursive: true, force: true })
const modules = (await bundle('dist')).flatMap(({ moduleIds }) => moduleIds)
const packages = new Set(modules.flatMap((module) => PACKAGE.exec(module) ?? []))
const licences = [...packages].map(licenceOf).sort()
writeFileSync(join(DIST, 'THIRD-PARTY-LICENSES.txt'), licences.join(`\n${'='.repeat(80)}\n\n`))
// The mode of an entry point is not kept, and npm link uses it as it is.
chmodSync(join(DIST, 'cli.js'), 0o755)

/** @param {string} folder */
function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim())
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`
}
