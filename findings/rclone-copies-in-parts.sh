#!/usr/bin/env bash
# rclone 1.60.1 (Debian 12) between two places of one server: an object above `--s3-copy-cutoff` (4.656 GiB unless told), which is copied in parts,
# loses its Content-Type, Cache-Control, Content-Encoding, Content-Language, Content-Disposition and Expires; user metadata stays. One below is copied
# whole with all of them. rclone says "Copied (server-side copy)" of both, and `rclone check` finds no difference. With --metadata it is the same.
# The server is Ceph RGW 16.2.15. It needs root: Debian's packages are installed. Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/ceph.sh"
apt-get download -qq rclone=1.60.1+dfsg-2+b5 2>/dev/null
dpkg -x rclone_*.deb .
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1175.0
cat >s3.mjs <<'JS'
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
const [, , endpoint, what] = process.argv
const credentials = { accessKeyId: 'test', secretAccessKey: 'testtest' }
const s3 = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials, requestChecksumCalculation: 'WHEN_REQUIRED' })
const it = { Bucket: 'books', Key: `${what}/a.css` }
if (what === 'in') {
  await s3.send(new CreateBucketCommand({ Bucket: it.Bucket }))
  const own = { CacheControl: 'max-age=60', ContentEncoding: 'gzip', ContentLanguage: 'de', ContentDisposition: 'inline', Expires: new Date('2099-01-01') }
  await s3.send(new PutObjectCommand({ ...it, ...own, ContentType: 'text/css', Metadata: { colour: 'red' }, Body: Buffer.alloc(6 * 1024 * 1024) }))
}
const { CacheControl, ContentEncoding, ContentLanguage, ContentDisposition, ContentType, ExpiresString, Metadata } = await s3.send(new HeadObjectCommand(it))
console.log(`${what}:`, [ContentType, CacheControl, ContentEncoding, ContentLanguage, ContentDisposition, ExpiresString, Metadata.colour].join(' | '))
JS
s3() { node --no-warnings s3.mjs "$URL" "$1"; }
unset AWS_CA_BUNDLE
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_X_TYPE=s3 RCLONE_CONFIG_X_PROVIDER=Ceph RCLONE_CONFIG_X_ENDPOINT=$URL
export RCLONE_CONFIG_X_ACCESS_KEY_ID=test RCLONE_CONFIG_X_SECRET_ACCESS_KEY=testtest
rclone() { usr/bin/rclone -v "$@" 2>&1 | sed -n 's/.*INFO  : a.css: \(.*\)/rclone \1/p; s/.*NOTICE: .*: \([0-9]* differences found\)/rclone \1/p'; }
{
  s3 in
  rclone copy X:books/in X:books/whole
  s3 whole
  rclone copy --s3-copy-cutoff 5M X:books/in X:books/parts
  rclone check X:books/in X:books/parts
  s3 parts
  rclone copy --metadata --s3-copy-cutoff 5M X:books/in X:books/metadata
  s3 metadata
} | tee seen
diff - seen <<'SEEN'
in: text/css | max-age=60 | gzip | de | inline | Thu, 01 Jan 2099 00:00:00 GMT | red
rclone Copied (server-side copy)
whole: text/css | max-age=60 | gzip | de | inline | Thu, 01 Jan 2099 00:00:00 GMT | red
rclone Copied (server-side copy)
rclone 0 differences found
parts: binary/octet-stream |  |  |  |  |  | red
rclone Copied (server-side copy)
metadata: binary/octet-stream |  |  |  |  |  | red
SEEN
echo 'as described'
