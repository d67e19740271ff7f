import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

const FOLDER = new URL('../../docs/schema/', import.meta.url)

/** The rows of data that commands write beside their records, each told from the others by a field that only it has. */
const ROWS = { failure: 'attempts', difference: 'verdict', object: '' } as const
type Name = 'record' | keyof typeof ROWS

let validators: Readonly<Record<Name, ValidateFunction>> | undefined

function compiled(): Readonly<Record<Name, ValidateFunction>> {
  if (validators !== undefined) return validators
  const ajv = new Ajv2020({ allErrors: true, strictTypes: false, strictRequired: false, validateFormats: false })
  const load = (name: Name): ValidateFunction =>
    ajv.compile(JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as object)
  // A record may hold a failure.
  const failure = load('failure')
  validators = { failure, difference: load('difference'), object: load('object'), record: load('record') }
  return validators
}

/** What is wrong with a line of `--json`; undefined when its schema in docs/schema holds. */
export function faultOfLine(line: string): string | undefined {
  const value = JSON.parse(line) as Readonly<Record<string, unknown>>
  const row = (Object.keys(ROWS) as (keyof typeof ROWS)[]).find((name) => ROWS[name] in value) ?? 'object'
  const validate = compiled()['schema' in value ? 'record' : row]
  if (validate(value)) return undefined
  // Of those of other types nobody wants to know.
  const errors = validate.errors?.filter(
    ({ schemaPath }) => !('type' in value) || !schemaPath.includes('/properties/type'),
  )
  return `${line}\n${JSON.stringify(errors?.slice(0, 8))}`
}
