import { hash } from 'node:crypto'
import type { Content, Writing } from '../storage.js'
import { askedOf, copyTime, etagOfBytes, pathOf, sorted, type Channel } from './channel.js'
import { brokenContent, faultOf } from './faults.js'

/** How objects get into an S3 bucket through this machine: in one request, so all of the content is in memory meanwhile. */
export function createWriting(channel: Channel): Writing {
  const { always, customerKey, request } = channel
  return {
    async write(key, content, fields) {
      const asked = askedOf(channel, 'PutObject', key)
      const body = await gathered(content)
      if (body.length !== content.size) {
        throw brokenContent(asked, `${body.length} bytes came where there are to be ${content.size}`)
      }
      const md5 = content.md5 ?? hash('md5', body, 'buffer')
      const response = await request(asked, {
        method: 'PUT',
        path: pathOf(channel, key),
        fields: sorted([['content-md5', md5.toString('base64')], ...fields, ...always, ...customerKey]),
        body,
        extra: copyTime(body.length),
      })
      if (response.status !== 200) throw faultOf(response, asked)
      return etagOfBytes(channel, response, asked, md5)
    },
  }
}

async function gathered(content: Content): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of content.pieces()) pieces.push(piece)
  const [only, ...others] = pieces
  return only !== undefined && others.length === 0 ? only : Buffer.concat(pieces)
}
