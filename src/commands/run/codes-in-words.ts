import type { ExplainCode } from '../../report/pages/run-sections.js'
import { meaningOf } from '../../storage/error-codes.js'
import { CODE_TEXTS } from '../../storage/error-texts.js'

/** What an error code means, and what is to be done, as far as docs/error-codes.md, or the code's own kin, has it. */
export const codeInWords: ExplainCode = (code) =>
  CODE_TEXTS.get(code) ?? { meaning: undefined, todo: meaningOf(code)?.hint }
