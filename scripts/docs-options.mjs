import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Puts what `s3move COMMAND --help` of the built program says at the end of docs/COMMAND.md, between two comments, and its manual page into man/.
const DOCS = fileURLToPath(new URL('../docs/', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const BLOCK = /(?<=<!-- options of ([a-z-]+): npm run docs -->\n\n```text\n).*(?=```\n\n<!-- end of options -->\n)/s

for (const page of readdirSync(DOCS)) {
  const text = page.endsWith('.md') ? readFileSync(DOCS + page, 'utf8') : ''
  const [, command] = BLOCK.exec(text) ?? []
  if (command === undefined) continue
  const help = said(command, '--help')
  const told = text.replace(BLOCK, () => help)
  if (told !== text) writeFileSync(DOCS + page, told)
}

const MAN = fileURLToPath(new URL('../man/', import.meta.url))
mkdirSync(MAN, { recursive: true })
writeFileSync(`${MAN}s3move.1`, said('help', 'man'))

/** @param {string[]} args */
function said(...args) {
  return execFileSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' })
}
