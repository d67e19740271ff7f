// A wire to the server that can be cut, which is what a restart of the server looks like from here.
import { connect, createServer } from 'node:net'

/** @param {string} url Of the server behind it. */
export async function startProxy(url) {
  const { hostname, port } = new URL(url)
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set()
  const server = createServer((socket) => {
    const beyond = connect(Number(port), hostname)
    for (const one of [socket, beyond]) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        socket.destroy()
        beyond.destroy()
      })
    }
    socket.pipe(beyond).pipe(socket)
  })
  /** @param {number} at */
  const listen = (at) =>
    new Promise((/** @type {(value: void) => void} */ resolve) => server.listen(at, '127.0.0.1', resolve))
  await listen(0)
  const at = /** @type {import('node:net').AddressInfo} */ (server.address()).port
  const cut = () => {
    server.close()
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return { url: `http://127.0.0.1:${String(at)}`, cut, mend: () => listen(at), stop: cut }
}
