import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Puts what `s3move COMMAND --help` of the built program says at the end of docs/COMMAND.md, between two comments.
const DOCS = fileURLToPath(new URL('../docs/', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const BLOCK = /(?<=<!-- options of ([a-z-]+): npm run docs -->\n\n```text\n).*(?=```\n\n<!-- end of options -->\n)/s

for (const page of readdirSync(DOCS)) {
  const text = page.endsWith('.md') ? readFileSync(DOCS + page, 'utf8') : ''
  const [, command] = BLOCK.exec(text) ?? []
  if (command === undefined) continue
  const help = execFileSync(process.execPath, [PROGRAM, command, '--help'], { encoding: 'utf8' })
  const told = text.replace(BLOCK, () => help)
  if (told !== text) writeFileSync(DOCS + page, told)
}
