import type { Renaming } from '../storage.js'
import { encodePath } from './encode.js'
import { askedOf, objectPath, quoted, sorted, type Channel } from './request.js'
import { checkOk } from './storage-errors.js'

/** How objects of a directory bucket get other names. */
export function createRenaming(channel: Channel): Renaming {
  return {
    async rename({ from, key, etag, replaces, token }) {
      const asked = askedOf(channel, 'RenameObject', key)
      const fields = sorted([
        ...(replaces ? [] : ([['if-none-match', '*']] as const)),
        ...channel.always,
        ['x-amz-client-token', token],
        ['x-amz-rename-source', encodePath(from)],
        ['x-amz-rename-source-if-match', quoted(etag)],
      ])
      const path = objectPath(channel, key)
      checkOk(await channel.request(asked, { method: 'PUT', path, query: 'renameObject=', fields }), asked)
    },
  }
}
