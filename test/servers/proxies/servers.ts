import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A proxy as Debian packages it: its program, its configuration as it is usual, and how it runs in the foreground. */
export interface Proxy {
  readonly program: string
  readonly config: (at: { readonly folder: string; readonly port: number; readonly store: string }) => string
  readonly args: (file: string, folder: string) => readonly string[]
}

const nginx = (http: string, location: string): Proxy => ({
  program: '/usr/sbin/nginx',
  // Workers are of the user who runs the tests, as the folder is.
  config: ({ folder, port, store }) => `
user root;
daemon off;
worker_processes 1;
error_log ${folder}/error.log;
pid ${folder}/pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  ${http.replaceAll('FOLDER', folder)}
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass ${store};
      proxy_set_header Host $http_host;
      ${location}
    }
  }
}
`,
  args: (file, folder) => ['-c', file, '-p', folder, '-e', join(folder, 'error.log')],
})

const MODULES = '/usr/lib/apache2/modules'

const apache = (slashes: string, more: string): Proxy => ({
  program: '/usr/sbin/apache2',
  config: ({ folder, port, store }) => `
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
Mutex pthread
DefaultRuntimeDir ${folder}
${['mpm_event', 'authz_core', 'proxy', 'proxy_http'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
User www-data
Group www-data
AllowEncodedSlashes ${slashes}
ProxyPreserveHost On
ProxyPass / ${store}/ ${more}
`,
  args: (file, folder) => ['-DFOREGROUND', '-f', file, '-d', folder],
})

/** The proxies, by a name for a test. */
export const PROXIES = {
  nginx: nginx('', ''),
  'nginx with proxy_cache': nginx(
    'proxy_cache_path FOLDER/cache keys_zone=all:10m;',
    'proxy_cache all; proxy_cache_valid 200 10m;',
  ),
  'Apache with nocanon': apache('NoDecode', 'nocanon'),
  'Apache as it is without settings': apache('Off', ''),
  HAProxy: {
    program: '/usr/sbin/haproxy',
    config: ({ port, store }) => `
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
frontend s3
  bind 127.0.0.1:${port}
  default_backend gateway
backend gateway
  server one ${new URL(store).host}
`,
    args: (file) => ['-db', '-f', file],
  },
} as const satisfies Record<string, Proxy>

/** Whether the package is there: else a test skips itself by name. */
export function isInstalled({ program }: Proxy): boolean {
  return existsSync(program)
}

/** Starts a proxy before the store at that URL, for the time of the test. Resolves to its own URL once it answers. */
export async function startProxy({ program, config, args }: Proxy, store: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's3move-proxy-'))
  const port = await freePort()
  await mkdir(join(folder, 'cache'))
  const file = join(folder, 'proxy.conf')
  await writeFile(file, config({ folder, port, store }))
  const child = spawn(program, args(file, folder), { stdio: ['ignore', 'ignore', 'pipe'] })
  let told = ''
  child.stderr.on('data', (text: Buffer) => (told += text.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  })
  while (!(await answers(port))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${program} ended: ${told}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return `http://127.0.0.1:${port}`
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0))
    })
  })
}
