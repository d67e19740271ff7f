#!/usr/bin/env bash
# hyparquet 1.33.0: a filter on a 64-bit integer column, such as a size, takes a plain number for `$gt`, `$gte`, `$lt` and `$lte`, and finds nothing with the
# same number for equality: `{ size: 0 }` and `$in: [0]` are no row, `$ne: 0` is every row, zeros too, where `$lt: 1` finds the zeros. A BigInt is needed.
# A Date as the short form of equality, `{ time: date }`, is every row, where `$eq` with the same Date finds its one, and so is an operator that does not
# exist, `$ge` for `$gte`. None of it is an error, though a column that does not exist is one. One would expect a short form to mean `$eq`, all
# comparisons to agree on what is equal, and a mistake to be told.
# Exits with 0 while that is so.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund hyparquet@1.33.0 hyparquet-writer@0.17.0
cat >seen.mjs <<'JS'
import { parquetReadObjects } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'

const time = new Date('2026-01-02T00:00:00Z')
const file = parquetWriteBuffer({
  columnData: [
    { name: 'key', data: ['a', 'b', 'c'], type: 'STRING' },
    { name: 'size', data: [0n, 1n, 2n], type: 'INT64' },
    { name: 'time', data: [new Date('2026-01-01T00:00:00Z'), time, new Date('2026-01-03T00:00:00Z')], type: 'TIMESTAMP' },
  ],
})
const show = (filter) => JSON.stringify(filter, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)).replace(/"/g, '')
for (const filter of [
  { size: { $lt: 1 } },
  { size: { $lte: 0 } },
  { size: { $eq: 0 } },
  { size: 0 },
  { size: { $in: [0] } },
  { size: { $ne: 0 } },
  { size: 0n },
  { time: { $eq: time } },
  { time },
  { size: { $ge: 2 } },
  { sise: 0 },
]) {
  const rows = await parquetReadObjects({ file, filter, columns: ['key'] }).catch((error) => [{ key: error.message }])
  console.log(`${show(filter)}: ${rows.map(({ key }) => key).join(' ')}`)
}
JS
node seen.mjs | tee seen
diff - seen <<'SEEN'
{size:{$lt:1}}: a
{size:{$lte:0}}: a
{size:{$eq:0}}: 
{size:0}: 
{size:{$in:[0]}}: 
{size:{$ne:0}}: a b c
{size:0n}: a
{time:{$eq:2026-01-02T00:00:00.000Z}}: b
{time:2026-01-02T00:00:00.000Z}: a b c
{size:{$ge:2}}: a b c
{sise:0}: parquet filter columns not found: sise
SEEN
echo 'as described'
