import { StorageError } from '../../errors.js'
import { compareKeys, printable } from '../../keys.js'
import type { LevelPage, Levels, ListFrom, ObjectSummary, Page, Reading, Unordered } from '../storage.js'
import { folderOfPrefix } from './directory-bucket.js'
import type { Channel } from './request.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, checkOk, faultOf, type Asked } from './storage-errors.js'
import {
  MalformedList,
  MOST_OF_LIST,
  OverfullList,
  parseListPage,
  UndecodableKey,
  type ListAnswer,
} from './list-page.js'
import { UnreadableTime, unreadableTime } from './list-time.js'
import { elementText } from './xml.js'

/** Objects that are asked for at once, and the most that may come: some stores do not know that fewer were asked for. */
const PAGE = 1_000

/** How the objects of an S3 bucket are listed: ListObjectsV2. What cannot be true of a listing stops the run. */
export class ObjectListing {
  private readonly prefix: string

  /** `begins` is the whole key with which the listing began, if anybody has seen it. */
  constructor(
    private readonly channel: Channel,
    private readonly reading: Pick<Reading, 'head'>,
    public begins: string | undefined,
  ) {
    const { prefix } = channel.place
    this.prefix = prefix === '' ? '' : `&prefix=${encodeQuery(prefix)}`
  }

  /** All of a directory bucket, in no order. */
  readonly unordered: Unordered = { list: (token) => this.unorderedPage(token, PAGE) }

  async list(from: ListFrom): Promise<Page> {
    if (this.channel.directory) return await this.withoutOrder(from)
    const asked = { operation: 'ListObjectsV2', bucket: this.channel.place.bucket }
    const { prefix } = this.channel.place
    const within = from.within === undefined ? this.prefix : `&prefix=${encodeQuery(prefix + from.within)}`
    let query = `encoding-type=url&list-type=2&max-keys=${from.limit ?? PAGE}${within}`
    if (from.token !== undefined) query = `continuation-token=${encodeQuery(from.token)}&${query}`
    else if (from.after !== undefined) query += `&start-after=${encodeQuery(prefix + from.after)}`
    const answer = await this.page(asked, query)
    checkOrder(asked, answer.objects, prefix, from.token === undefined ? from.after : undefined)
    if (from.token === undefined && from.within === undefined) await this.checkBeginning(asked, answer, from.after)
    if (prefix !== '') for (const object of answer.objects) object.key = object.key.slice(prefix.length)
    return {
      objects: answer.objects,
      truncated: answer.truncated,
      ...(answer.nextToken === undefined ? {} : { token: answer.nextToken }),
    }
  }

  /** One level of names: with a delimiter. A store that knows none is an error that stops the run. */
  readonly levels: Levels = {
    list: async ({ after, token }): Promise<LevelPage> => {
      const asked = { operation: 'ListObjectsV2', bucket: this.channel.place.bucket }
      const { prefix } = this.channel.place
      let query = `delimiter=%2F&encoding-type=url&list-type=2&max-keys=${PAGE}${this.prefix}`
      if (token !== undefined) query = `continuation-token=${encodeQuery(token)}&${query}`
      else if (after !== undefined) query += `&start-after=${encodeQuery(prefix + after)}`
      const { objects, folders, truncated, nextToken } = await this.page(asked, query)
      checkOrder(asked, objects, prefix, undefined)
      const whole = folders.map((key) => ({ key }))
      checkOrder(asked, whole, prefix, undefined)
      const behind = (key: string): number => key.indexOf('/', prefix.length)
      const odd = objects.find(({ key }) => behind(key) >= 0) ?? whole.find(({ key }) => behind(key) !== key.length - 1)
      if (odd !== undefined) {
        const message = `with / as delimiter the listing of prefix ${printable(prefix)} holds ${printable(odd.key)}`
        throw unusable(asked, 'UnknownDelimiter', message)
      }
      for (const object of objects) object.key = object.key.slice(prefix.length)
      return {
        objects,
        folders: folders.map((folder) => folder.slice(prefix.length)),
        truncated,
        ...(nextToken === undefined ? {} : { token: nextToken }),
      }
    },
  }

  // What a directory bucket can tell though it lists in no order.
  private async withoutOrder({ after, token, limit, within }: ListFrom): Promise<Page> {
    if (within !== undefined && limit === 1) {
      const object = await this.lookedAt(within)
      return { objects: object === undefined ? [] : [object], truncated: false }
    }
    if (limit !== undefined && after === undefined && token === undefined && within === undefined) {
      const page = await this.unorderedPage(undefined, limit)
      return { ...page, objects: page.objects.slice(0, limit).sort((a, b) => compareKeys(a.key, b.key)) }
    }
    const asked = { operation: 'ListObjectsV2', bucket: this.channel.place.bucket }
    throw new StorageError('a directory bucket does not list in the order of its keys', {
      ...{ severity: 'stop-run', code: 'UnorderedListing', ...asked },
      hint: 'name the objects by --files-from, such as an inventory of the bucket',
    })
  }

  private async unorderedPage(token: string | undefined, limit: number): Promise<Page> {
    const asked = { operation: 'ListObjectsV2', bucket: this.channel.place.bucket }
    const { prefix } = this.channel.place
    // It takes whole folders for a prefix, and no part of a name.
    const folder = folderOfPrefix(prefix)
    let query = `encoding-type=url&list-type=2&max-keys=${limit}`
    if (folder !== '') query += `&prefix=${encodeQuery(folder)}`
    if (token !== undefined) query = `continuation-token=${encodeQuery(token)}&${query}`
    const { objects, truncated, nextToken } = await this.page(asked, query)
    const foreign = objects.find(({ key }) => !key.startsWith(folder))
    if (foreign !== undefined) throw foreignKey(asked, folder, foreign.key)
    if (truncated && nextToken === undefined) {
      throw unusable(asked, 'ContradictoryListing', 'the list says that there is more, and not where it goes on')
    }
    const own = objects.filter(({ key }) => key.startsWith(prefix))
    for (const object of own) object.key = object.key.slice(prefix.length)
    return { objects: own, truncated, ...(nextToken === undefined ? {} : { token: nextToken }) }
  }

  private async lookedAt(key: string): Promise<ObjectSummary | undefined> {
    try {
      const { size, etag, lastModified, storageClass } = await this.reading.head(key)
      return { key, size, etag, lastModified, storageClass }
    } catch (error) {
      if (error instanceof StorageError && error.severity === 'skip') return undefined
      throw error
    }
  }

  private async page(asked: Asked, query: string): Promise<ListAnswer> {
    const path = `${this.channel.bucketPath}/`
    const response = await this.channel.request(asked, {
      method: 'GET',
      path,
      query,
      fields: this.channel.always,
      most: MOST_OF_LIST,
    })
    checkOk(response, asked)
    try {
      const answer = parseListPage(response.body, PAGE)
      if (answer.truncated && answer.objects.length + answer.folders.length === 0 && answer.nextToken === undefined) {
        throw new MalformedList('the list is empty, says that there is more, and not where')
      }
      return answer
    } catch (error) {
      if (error instanceof UnreadableTime) throw unreadableTime(asked, error)
      if (error instanceof UndecodableKey) throw undecodable(asked, error.message)
      if (error instanceof OverfullList) throw unusable(asked, 'OverfullListing', error.message)
      if (!(error instanceof MalformedList)) throw error
      throw elementText(response.body, 'Error') === undefined
        ? brokenAnswer(response, asked, error.message)
        : faultOf(response, asked)
    }
  }

  // A listing that begins behind the key with which it began a moment ago has lost some, unless that object is gone.
  private async checkBeginning(asked: Asked, answer: ListAnswer, after: string | undefined): Promise<void> {
    const { begins } = this
    const { prefix } = this.channel.place
    const now = answer.objects[0]?.key
    if (begins === undefined) {
      if (after === undefined) this.begins = now
      return
    }
    if (after !== undefined && compareKeys(prefix + after, begins) >= 0) return
    if (now === undefined && answer.truncated) return
    if (now !== undefined && compareKeys(now, begins) <= 0) {
      if (after === undefined) this.begins = now
      return
    }
    const only = `encoding-type=url&list-type=2&max-keys=1&prefix=${encodeQuery(begins)}`
    const { objects } = await this.page(asked, only)
    if (objects[0]?.key !== begins && !(await this.isThere(begins))) {
      this.begins = undefined
      return
    }
    const told = now === undefined ? 'is empty' : `begins with ${printable(now)}`
    const message = `the listing ${told}, though it began with ${printable(begins)} before, and that is still there`
    throw unusable(asked, 'ContradictoryListing', message)
  }

  private async isThere(key: string): Promise<boolean> {
    try {
      await this.reading.head(key.slice(this.channel.place.prefix.length))
      return true
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.severity === 'retry' || error.severity === 'throttle') throw error
      // Who may only list is not told, and two listings agree.
      return error.code === 'SSE-C'
    }
  }
}

// Ranges, resuming and splitting all rest on the order of keys: a store that does not keep it would silently lose some.
function checkOrder(
  asked: Asked,
  objects: readonly Pick<ObjectSummary, 'key'>[],
  prefix: string,
  after: string | undefined,
): void {
  let before = after === undefined ? undefined : prefix + after
  for (const { key } of objects) {
    if (!key.startsWith(prefix)) {
      throw foreignKey(asked, prefix, key)
    }
    if (before !== undefined && compareKeys(before, key) >= 0) {
      throw unusable(
        asked,
        'UnorderedListing',
        `the listing is not in UTF-8 byte order: ${printable(key)} comes after ${printable(before)}`,
      )
    }
    before = key
  }
}

function foreignKey(asked: Asked, prefix: string, key: string): StorageError {
  return unusable(asked, 'ForeignKey', `the listing of prefix ${printable(prefix)} holds ${printable(key)}`)
}

function undecodable(asked: Asked, listed: string): StorageError {
  return unusable(asked, 'UndecodableKey', `the key listed as ${printable(listed)} is not valid UTF-8`)
}

function unusable(asked: Asked, code: string, message: string): StorageError {
  return new StorageError(message, {
    severity: 'stop-run',
    code,
    operation: asked.operation,
    bucket: asked.bucket,
    hint: 'this store does not list as S3 does, so s3move cannot promise that no key is lost; nothing further was done',
  })
}
