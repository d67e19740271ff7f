import { hash } from 'node:crypto'
import type { Restoring } from '../storage.js'
import { askedOf, objectPath, sorted, type Channel } from './request.js'
import { encodeQuery } from './encode.js'
import { faultOf } from './storage-errors.js'

const TIERS = { standard: 'Standard', bulk: 'Bulk', expedited: 'Expedited' } as const

/** How archived objects of an S3 bucket are brought back: RestoreObject. */
export function createRestoring(channel: Channel): Restoring {
  const { always, request } = channel
  return {
    async restore(key, { days, tier }, version) {
      const asked = askedOf(channel, 'RestoreObject', key)
      const lifetime = days === undefined ? '' : `<Days>${days}</Days>`
      const parameters = `<GlacierJobParameters><Tier>${TIERS[tier]}</Tier></GlacierJobParameters>`
      const body = Buffer.from(
        `<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${lifetime}${parameters}</RestoreRequest>`,
      )
      const fields = sorted([
        ['content-md5', hash('md5', body, 'base64')],
        ['content-type', 'application/xml'],
        ...always,
      ])
      const query = version === undefined ? 'restore=' : `restore=&versionId=${encodeQuery(version)}`
      const response = await request(asked, { method: 'POST', path: objectPath(channel, key), query, fields, body })
      if (response.status === 200 || response.status === 202) return response.status === 202
      const fault = faultOf(response, asked)
      if (fault.code !== 'RestoreAlreadyInProgress') throw fault
      return false
    },
  }
}
