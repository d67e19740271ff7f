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

/** Tags by their names. */
export type TagMap = ReadonlyMap<string, string>

/** Tags from a value of `x-amz-tagging`. */
export function tagsIn(header: string): TagMap {
  return new Map(new URLSearchParams(header))
}

/** Tags from a value of `x-amz-tagging` as they are sent, and how many they are. */
export function taggingOf(header: string): Tagging & { readonly count: number } {
  const tags = tagsIn(header)
  return { header, xml: tagSetOf(tags), count: tags.size }
}

/** Tags as they are sent. */
export function taggingWith(tags: TagMap): Tagging {
  const header = [...tags].map((tag) => tag.map(encodeURIComponent).join('=')).join('&')
  return { header, xml: tagSetOf(tags) }
}

function tagSetOf(tags: TagMap): string {
  const elements = [...tags].map(
    ([name, value]) => `<Tag><Key>${escaped(name)}</Key><Value>${escaped(value)}</Value></Tag>`,
  )
  // One byte a character, as all that is sent.
  return Buffer.from(`<TagSet>${elements.join('')}</TagSet>`).toString('latin1')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
