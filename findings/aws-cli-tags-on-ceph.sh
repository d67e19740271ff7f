#!/usr/bin/env bash
# AWS CLI 2.9.19 on Ceph RGW 16.2.15 (both Debian 12): `aws s3 cp` and `aws s3 sync` between two places of the gateway keep the tags of small objects
# and lose those of objects from 8 MiB on, with exit code 0 and no word. The CLI has read the tags and sends them with CreateMultipartUpload; Ceph
# takes the header, answers 200 and stores none. The other headers and the metadata arrive. What Ceph then answers to GetObjectTagging of such an
# object is 200 without a body, and so the next `aws s3 cp` of the copy fails: "'TagSet'". One would expect the tags, or an error at once.
# It needs root: Debian's packages are installed. Exits with 0 while that is so.
set -eu
. "$(dirname "$0")/ceph.sh"
dpkg-query -W awscli 2>/dev/null | grep -qF 2.9.19-1 || apt-get install -qq -y --no-install-recommends awscli=2.9.19-1 >/dev/null 2>&1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=testtest
unset AWS_PROFILE AWS_CA_BUNDLE
s3() { /usr/bin/aws --endpoint-url "$URL" "$@"; }
s3 s3 mb s3://books >/dev/null
head -c 10 /dev/zero >small
head -c 8388608 /dev/zero >large
for key in small large; do
  s3 s3api put-object --bucket books --key "in/$key" --body "$key" --tagging a=b --metadata colour=red --cache-control max-age=60 >/dev/null
done
tell() {
  s3 s3api head-object --bucket books --key "$1" --query '[CacheControl,Metadata.colour]' --output text | tr '\t' ' '
  s3 s3api get-object-tagging --bucket books --key "$1" --query 'TagSet[].[Key,Value]' --output text
}
told() { echo "$1: $(tell "$1" | tr '\n\t' ' =')"; }
{
  told in/small
  told in/large
  s3 s3 cp --recursive --quiet s3://books/in/ s3://books/cp/ 2>&1 && echo 'cp: exit 0'
  told cp/small
  told cp/large
  s3 s3 sync --quiet s3://books/in/ s3://books/sync/ 2>&1 && echo 'sync: exit 0'
  told sync/small
  told sync/large
  s3 s3 cp --no-progress s3://books/cp/large s3://books/again/large 2>&1 || echo "cp of the copy: exit $?"
} | sed 's/ $//' | tee seen
diff - seen <<'SEEN'
in/small: max-age=60 red a=b
in/large: max-age=60 red a=b
cp: exit 0
cp/small: max-age=60 red a=b
cp/large: max-age=60 red None
sync: exit 0
sync/small: max-age=60 red a=b
sync/large: max-age=60 red None
copy failed: s3://books/cp/large to s3://books/again/large 'TagSet'
cp of the copy: exit 1
SEEN
echo 'as described'
