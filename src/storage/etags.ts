/** An ETag that is made of MD5s in capital hex digits, as Alibaba Cloud OSS writes them. */
export const CAPITALS = /^[0-9A-F]{32}(?:-\d+)?$/

/** The same ETag as all other stores write it: MD5s of any case are equal. */
export function inLowerCase(etag: string): string {
  return CAPITALS.test(etag) ? etag.toLowerCase() : etag
}
