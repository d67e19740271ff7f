#!/usr/bin/env bash
# rclone 1.60.1 (Debian 12): with AWS_CA_BUNDLE set, as the AWS CLI and the SDKs take it, no S3 remote can be used at all, not even one behind a
# plain http:// endpoint: the AWS SDK for Go refuses to put the certificates into rclone's own HTTP transport. One would expect the file to be
# used, or to be ignored where it is not supported. rclone's own way is --ca-cert (RCLONE_CA_CERT).
# The file is a valid bundle: a certificate that openssl has just made. Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
chmod 755 "$T"
cd "$T"
apt-get download -qq rclone=1.60.1+dfsg-2+b5 2>/dev/null
dpkg -x rclone_*.deb .
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=test 2>/dev/null
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_X_TYPE=s3 RCLONE_CONFIG_X_PROVIDER=Other RCLONE_CONFIG_X_ENDPOINT=http://127.0.0.1:9
export RCLONE_CONFIG_X_ACCESS_KEY_ID=key RCLONE_CONFIG_X_SECRET_ACCESS_KEY=secret
# Nothing listens there: what is looked at is how far it gets.
list() { usr/bin/rclone lsf X:bucket --retries 1 --low-level-retries 1 2>&1 | grep -oE 'connection refused|unable to load custom CA bundle' | sort -u; }
{
  echo "without AWS_CA_BUNDLE: $(unset AWS_CA_BUNDLE; list)"
  echo "with AWS_CA_BUNDLE: $(AWS_CA_BUNDLE=$T/ca.pem list)"
  echo "with RCLONE_CA_CERT: $(unset AWS_CA_BUNDLE; RCLONE_CA_CERT=$T/ca.pem list)"
} | tee seen
diff - seen <<'SEEN'
without AWS_CA_BUNDLE: connection refused
with AWS_CA_BUNDLE: unable to load custom CA bundle
with RCLONE_CA_CERT: connection refused
SEEN
echo 'as described'
