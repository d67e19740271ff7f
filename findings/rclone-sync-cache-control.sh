#!/usr/bin/env bash
# rclone 1.60.1 (Debian 12) between two buckets of one S3 server: `rclone sync` of objects that are equal already, content and ETag, but were not
# copied by rclone, transfers nothing, as it says, and yet copies each object onto itself with REPLACE, for its own `mtime` metadata: Cache-Control
# and Content-Language are gone afterwards. Content-Type and user metadata stay. With --checksum nothing is rewritten. One would expect that a
# sync which finds everything equal leaves it as it is.
# The server is s3rver 3.7.1, the copy is made by the AWS SDK 3.1169.0. Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'kill "$SERVER" 2>/dev/null || true; rm -rf "$T"' EXIT
SERVER=
chmod 755 "$T"
cd "$T"
unset AWS_CA_BUNDLE
apt-get download -qq rclone=1.60.1+dfsg-2+b5 2>/dev/null
dpkg -x rclone_*.deb .
npm init -y >/dev/null
npm install --silent --no-audit --no-fund s3rver@3.7.1 @aws-sdk/client-s3@3.1169.0
cat >server.mjs <<'JS'
import S3rver from 's3rver'
const configureBuckets = ['one', 'two', 'three'].map((name) => ({ name }))
const { port } = await new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: 'data', configureBuckets }).run()
console.log(port)
JS
node server.mjs >port &
SERVER=$!
until [ -s port ]; do sleep 0.1; done
URL=http://127.0.0.1:$(cat port)
cat >s3.mjs <<'JS'
import { CopyObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
const [, , endpoint, what, bucket] = process.argv
const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }
const s3 = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials, requestChecksumCalculation: 'WHEN_REQUIRED' })
if (what === 'put') {
  const headers = { CacheControl: 'max-age=60', ContentLanguage: 'de', ContentType: 'text/css', Metadata: { colour: 'red' } }
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'a.css', Body: 'hello', ...headers }))
} else if (what === 'copy') await s3.send(new CopyObjectCommand({ Bucket: bucket, Key: 'a.css', CopySource: '/one/a.css' }))
else {
  const { CacheControl, ContentLanguage, ContentType, ETag, Metadata } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'a.css' }))
  console.log(CacheControl, ContentLanguage, ContentType, ETag, Object.keys(Metadata).sort().join())
}
JS
s3() { node s3.mjs "$URL" "$@" 2>/dev/null; }
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_X_TYPE=s3 RCLONE_CONFIG_X_PROVIDER=Other RCLONE_CONFIG_X_ENDPOINT=$URL
export RCLONE_CONFIG_X_ACCESS_KEY_ID=S3RVER RCLONE_CONFIG_X_SECRET_ACCESS_KEY=S3RVER RCLONE_CONFIG_X_FORCE_PATH_STYLE=true
s3 put one
# rclone compares times in whole seconds here.
sleep 2.1
s3 copy two
s3 copy three
{
  echo "copied: $(s3 head two)"
  usr/bin/rclone sync -v X:one X:two 2>&1 | sed -n 's/.*INFO  : \(.*[a-z].*\)/rclone sync: \1/p'
  echo "afterwards: $(s3 head two)"
  usr/bin/rclone sync -v --checksum X:one X:three 2>&1 | sed -n 's/.*INFO  : \(.*[a-z].*\)/rclone sync --checksum: \1/p'
  echo "afterwards: $(s3 head three)"
} | tee seen
diff - seen <<'SEEN'
copied: max-age=60 de text/css "5d41402abc4b2a76b9719d911017c592" colour
rclone sync: a.css: Updated modification time in destination
rclone sync: There was nothing to transfer
afterwards: undefined undefined text/css "5d41402abc4b2a76b9719d911017c592" colour,mtime
rclone sync --checksum: There was nothing to transfer
afterwards: max-age=60 de text/css "5d41402abc4b2a76b9719d911017c592" colour
SEEN
echo 'as described'
