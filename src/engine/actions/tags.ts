import { StorageError } from '../../errors.js'
import type { Storage, Tagging } from '../../storage/storage.js'
import { asOne } from './as-one.js'

/**
 * Sees to it that an object that was just written has its tags: a store that took no notice of them is given them once more. Whether it did
 * is told by their number, unless that is unknown.
 */
export async function keepTags(
  store: Storage,
  key: string,
  written: { readonly etag: string; readonly tags: number | undefined },
  tagging: Tagging,
): Promise<void> {
  try {
    await asOne(store, async ({ reading, rewriting }) => {
      const { etag, tags } = await reading.head(key)
      if (etag === written.etag && tags !== written.tags) await rewriting?.retag(key, tagging)
    })
  } catch (error) {
    // Were that to fail, they would be nowhere but in the ledger.
    if (!(error instanceof StorageError) || error.severity === 'skip') throw error
    const message = `it is written, but without its tags (${error.message}); they were: ${tagging.header}`
    throw error.with({ message, severity: 'fail-object', code: 'TagsNotRestored' })
  }
}

/** Tags from a value of `x-amz-tagging`, and how many they are. */
export function taggingOf(header: string): Tagging & { readonly count: number } {
  const tags = [...new URLSearchParams(header)].map(
    ([name, value]) => `<Tag><Key>${escaped(name)}</Key><Value>${escaped(value)}</Value></Tag>`,
  )
  // One byte a character, as all that is sent.
  const xml = Buffer.from(`<TagSet>${tags.join('')}</TagSet>`).toString('latin1')
  return { header, xml, count: tags.length }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
