import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

const FOLDER = new URL('../../docs/schema/', import.meta.url)

/** The rows of data that a command writes beside its records, by what only they have. */
const ROWS = ['failure.json'] as const

let validators: { readonly record: ValidateFunction; readonly failure: ValidateFunction } | undefined

function compiled(): NonNullable<typeof validators> {
  if (validators !== undefined) return validators
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true, validateFormats: false })
  const load = (name: string): object => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as object
  for (const name of ROWS) ajv.addSchema(load(name))
  const failure = ajv.getSchema('s3move/1/failure.json')!
  validators = { record: ajv.compile(load('record.json')), failure }
  return validators
}

/** What is wrong with a line of `--json`; undefined when the schema of docs/schema holds. */
export function faultOfRecord(line: string): string | undefined {
  const record: unknown = JSON.parse(line)
  const { record: validate } = compiled()
  return validate(record) ? undefined : `${line}\n${JSON.stringify(validate.errors?.slice(0, 6))}`
}

/** The same of a line of a failure ledger. */
export function faultOfFailure(line: string): string | undefined {
  const { failure: validate } = compiled()
  return validate(JSON.parse(line)) ? undefined : `${line}\n${JSON.stringify(validate.errors)}`
}
