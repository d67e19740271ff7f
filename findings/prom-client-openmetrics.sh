#!/usr/bin/env bash
# prom-client 15.1.3: one scrape in OpenMetrics renames every counter of the registry for good. Where a server chooses the format by the Accept
# header of each scrape (`setContentType` before `metrics()`), the scrape after it in Prometheus's text has `jobs` where it had `jobs_total`: in
# Prometheus another series, so rates stop and alerts on the old name fall silent. The registry still finds the counter by its old name only.
# One would expect the format of one answer to change nothing of the next.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund prom-client@15.1.3
cat >seen.mjs <<'JS'
import prom from 'prom-client'
const { Counter, Registry } = prom
const registry = new Registry()
const counter = new Counter({ name: 'jobs_total', help: 'Jobs.', registers: [registry] })
counter.inc(3)
for (const format of ['PROMETHEUS', 'OPENMETRICS', 'PROMETHEUS']) {
  registry.setContentType(Registry[`${format}_CONTENT_TYPE`])
  const lines = (await registry.metrics()).split('\n')
  console.log(`${format}: ${lines.find((line) => /^jobs/.test(line))}`)
}
console.log(`found as jobs_total: ${registry.getSingleMetric('jobs_total') === counter}, as jobs: ${registry.getSingleMetric('jobs') === counter}`)
JS
node seen.mjs | tee seen
diff - seen <<'SEEN'
PROMETHEUS: jobs_total 3
OPENMETRICS: jobs_total 3
PROMETHEUS: jobs 3
found as jobs_total: true, as jobs: false
SEEN
echo 'as described'
