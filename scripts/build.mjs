import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.mjs'
import { singleFile } from './single-file.mjs'

// A program of three hundred modules, and as many of its dependencies, would spend most of a short run on finding and reading them. So what ships is
// a few files, with the licences of all that is in them, and beside them one file that is all of them.

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/** The folder of the package that a module of a dependency belongs to. */
const PACKAGE = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/

rmSync(DIST, { recursive: true, force: true })
const modules = (await bundle('dist')).flatMap(({ moduleIds }) => moduleIds)
writeFileSync(join(DIST, 'THIRD-PARTY-LICENSES.txt'), licencesOf(modules))
writeFileSync(join(DIST, 's3move.mjs'), await singleFile(licencesOf))
// The mode of an entry point is not kept, and npm link uses it as it is.
for (const entry of ['cli.js', 's3move.mjs']) chmodSync(join(DIST, entry), 0o755)

/** @param {readonly string[]} ids */
function licencesOf(ids) {
  const packages = new Set(ids.flatMap((id) => PACKAGE.exec(id) ?? []))
  return [...packages]
    .map(licenceOf)
    .sort()
    .join(`\n${'='.repeat(80)}\n\n`)
}

/** @param {string} folder */
function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim())
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`
}
