#!/usr/bin/env bash
# npm 11.19.1: a package that is installed from its file (.tgz) and has a `prepare` script is reported as having "install scripts not yet covered by
# allowScripts", with the advice to allow them. npm runs `prepare` of a checkout and of a git dependency, and of a file never, allowed or not: after
# `--allow-scripts` with its name, as advised, the warning comes again and nothing has run. A `dependencies` script brings no warning, and `npm ci`
# in a checkout, which changes node_modules, runs it. Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm install --prefix npm --silent --no-audit --no-fund npm@11.19.1
PATH=$T/npm/node_modules/.bin:$PATH
for script in prepare dependencies; do
  mkdir "$script"
  (
    cd "$script"
    printf '{"name":"of-%s","version":"1.0.0","devDependencies":{"isarray":"2.0.5"},"scripts":{"%s":"echo ran >%s/ran"}}' "$script" "$script" "$T" >package.json
    npm pack --silent --ignore-scripts
  ) >packed
  for allowed in nothing "of-$script"; do
    npm install --global --prefix "$T/global" --no-audit --no-fund "--allow-scripts=$allowed" "./$script/of-$script-1.0.0.tgz" >out 2>&1
    grep -q 'install scripts not yet covered' out && warned=warns || warned=silent
    [ -e ran ] && ran=runs || ran='does not run'
    echo "$script of a file, allowed $allowed: $warned, $ran"
    rm -rf global
  done
  (cd "$script" && npm install --silent --no-audit --no-fund && npm ci --silent --no-audit --no-fund)
  [ -e ran ] && echo "$script of a checkout: runs" || echo "$script of a checkout: does not run"
  rm -f ran
done | tee seen
diff - seen <<'SEEN'
prepare of a file, allowed nothing: warns, does not run
prepare of a file, allowed of-prepare: warns, does not run
prepare of a checkout: runs
dependencies of a file, allowed nothing: silent, does not run
dependencies of a file, allowed of-dependencies: silent, does not run
dependencies of a checkout: runs
SEEN
echo 'as described'
