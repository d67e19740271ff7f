#!/usr/bin/env bash
# npm 10.9.8, 11.21.2 and 12.2.2: `npx ../tool.tgz` and `npx file:/folder/tool.tgz` install the package and run it, and so does the absolute path
# of an unpacked package, but `npx /folder/tool.tgz` tries to run the archive itself: "Permission denied". `npm install` takes that path.
# Exits with 0 while that is so. Needs a /bin/sh that is dash.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
export npm_config_cache=$T/cache npm_config_update_notifier=false
mkdir tool
cat >tool/package.json <<'JSON'
{ "name": "tool-of-findings", "version": "1.0.0", "bin": "tool.js" }
JSON
printf '#!/usr/bin/env node\nconsole.log("ran")\n' >tool/tool.js
chmod 755 tool/tool.js
npm pack --silent ./tool >/dev/null
mv tool-of-findings-1.0.0.tgz tool.tgz
run() { (cd "$T/$1" && shift && "$@" 2>&1 </dev/null) | sed "s|$T|FOLDER|g" | tail -n 1; }
for version in 10.9.8 11.21.2 12.2.2; do
  npm install --silent --no-audit --no-fund --prefix "npm-$version" "npm@$version"
  npx="$T/npm-$version/node_modules/.bin/npx"
  mkdir -p "empty-$version"
  for what in "../tool.tgz" "file:$T/tool.tgz" "$T/tool" "$T/tool.tgz"; do
    echo "npm $version, npx ${what/$T/FOLDER}: $(run "empty-$version" "$npx" --yes "$what")"
  done
done | tee seen
for version in 10.9.8 11.21.2 12.2.2; do
  echo "npm $version, npx ../tool.tgz: ran"
  echo "npm $version, npx file:FOLDER/tool.tgz: ran"
  echo "npm $version, npx FOLDER/tool: ran"
  echo "npm $version, npx FOLDER/tool.tgz: sh: 1: FOLDER/tool.tgz: Permission denied"
done | diff - seen
echo 'as described'
