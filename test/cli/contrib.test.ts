import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { EXIT } from '../../src/commands/options/exit.js'
import { readFleet, readFleetAt } from '../../src/commands/options/fleet-options.js'
import { workFolder } from '../support/cli-program.js'
import { flagsOf } from '../support/parsed-flags.js'
import { installed } from '../support/installed.js'

const CONTRIB = fileURLToPath(new URL('../../contrib', import.meta.url))
const contrib = (path: string): Promise<string> => readFile(join(CONTRIB, path), 'utf8')

/** What TypeScript has to say of data that is written down as a type of a package: what is missing, misspelt, or of another kind. */
function complaints(data: unknown, type: string, from: string): string[] {
  const path = fileURLToPath(new URL('../contrib-data.ts', import.meta.url))
  const text = `import type { ${type} } from '${from}'\nexport const data: ${type} = ${JSON.stringify(data)}\n`
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
    ...{ target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext },
  }
  const host = ts.createCompilerHost(options)
  const onDisk = { ...host }
  host.fileExists = (name) => name === path || onDisk.fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === path ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022) : onDisk.getSourceFile(name, ...rest)
  return ts
    .getPreEmitDiagnostics(ts.createProgram([path], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
}

const KINDS: Readonly<Record<string, readonly [type: string, from: string]>> = {
  Job: ['IJob', 'kubernetes-models/batch/v1'],
  Deployment: ['IDeployment', 'kubernetes-models/apps/v1'],
  Service: ['IService', 'kubernetes-models/v1'],
  PersistentVolumeClaim: ['IPersistentVolumeClaim', 'kubernetes-models/v1'],
  NetworkPolicy: ['INetworkPolicy', 'kubernetes-models/networking.k8s.io/v1'],
}

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly podSelector?: { readonly matchLabels: object }
    readonly ingress?: readonly {
      readonly from: readonly { readonly podSelector: { readonly matchLabels: object } }[]
    }[]
    readonly selector?: { readonly matchLabels?: object }
    readonly podFailurePolicy?: { readonly rules: readonly { readonly onExitCodes?: { readonly values: number[] } }[] }
    readonly template?: {
      readonly metadata?: { readonly labels: object }
      readonly spec: { readonly containers: readonly { readonly args?: string[] }[] }
    }
  }
}

async function manifests(file: string): Promise<Manifest[]> {
  return parseAllDocuments(await contrib(`kubernetes/${file}`)).map((document) => document.toJS() as Manifest)
}

/** That a worker does what a run asks for. */
async function expectToFit(run: readonly string[], worker: readonly string[]): Promise<void> {
  const [flags, of] = [await flagsOf(run), await flagsOf(worker)]
  const url = 'redis://:secret@redis:6379'
  vi.stubEnv('S3MOVE_FLEET', url)
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(readFleet(flags)).toEqual({ url, name: 'archive', ca: undefined })
  expect(readFleetAt('env', of['name'] as string, of).name).toBe('archive')
  expect([flags['source'], flags['destination']]).toEqual(of['allow'])
  expect(flags['or-resume']).toBe(true)
}

describe('the examples for Kubernetes', () => {
  test.each(['s3move-fleet.yaml', 's3move-shards.yaml'])('are of its types: %s', async (file) => {
    for (const manifest of await manifests(file)) {
      const [type, from] = KINDS[manifest.kind]!
      expect(complaints(manifest, type, from)).toEqual([])
    }
    const [first] = await manifests(file)
    const [type, from] = KINDS[first!.kind]!
    const misspelt = { ...first, spec: { ...first!.spec, replica: 2 } }
    expect(complaints(misspelt, type, from)).toEqual([expect.stringContaining('\'"replica"\' does not exist')])
  })

  test('have a run and workers that find each other, and nobody else finds their Redis', async () => {
    const all = await manifests('s3move-fleet.yaml')
    const podsOf = (kind: string, name: string) =>
      all.find((one) => one.kind === kind && one.metadata.name === name)!.spec.template!
    const run = podsOf('Job', 's3move-archive')
    const worker = podsOf('Deployment', 's3move-worker')
    await expectToFit(run.spec.containers[0]!.args!, worker.spec.containers[0]!.args!)
    const { ingress, podSelector } = all.find(({ kind }) => kind === 'NetworkPolicy')!.spec
    expect(podsOf('Deployment', 's3move-redis').metadata!.labels).toMatchObject(podSelector!.matchLabels)
    for (const { metadata } of [run, worker])
      expect(metadata!.labels).toMatchObject(ingress![0]!.from[0]!.podSelector.matchLabels)
  })

  test('start no run again for what a start does not mend, by the exit codes that commands have', async () => {
    for (const file of ['s3move-fleet.yaml', 's3move-shards.yaml']) {
      const job = (await manifests(file)).find(({ kind }) => kind === 'Job')!
      const { values } = job.spec.podFailurePolicy!.rules[1]!.onExitCodes!
      expect(values).toEqual([EXIT.usage, EXIT.failures])
    }
  })
})

describe('the example for Compose', () => {
  test('has a run and workers that find each other', async () => {
    const { services } = parse(await contrib('compose/compose.yaml'), { merge: true }) as {
      services: { run: { command: string[] }; worker: { command: string[] } }
    }
    const [, line = ''] = /exec s3move (.*)$/.exec(services.run.command[0]!) ?? []
    await expectToFit(line.split(' '), services.worker.command)
  })

  test.skipIf(!installed('docker-compose'))('is what docker-compose takes (skipped without it)', async () => {
    const config = (file: string, env: NodeJS.ProcessEnv) =>
      spawnSync('docker-compose', ['-f', file, 'config'], {
        env: { PATH: process.env['PATH'], ...env },
        encoding: 'utf8',
      })
    const file = join(CONTRIB, 'compose/compose.yaml')
    const password = { S3MOVE_REDIS_PASSWORD: 'chosen' }
    const taken = config(file, password)
    expect([taken.status, taken.stderr]).toEqual([0, ''])
    expect(taken.stdout).toContain('S3MOVE_FLEET: redis://:chosen@redis:6379')
    expect(config(file, {}).stderr).toContain('choose one')
    const wrong = join(await workFolder(), 'compose.yaml')
    await writeFile(wrong, (await readFile(file, 'utf8')).replace('replicas: 3', 'replicas: many'))
    expect(config(wrong, password).stderr).toContain('replicas')
  })
})

describe('the example for AWS Batch', () => {
  test('is of the type of its API', async () => {
    const definition = JSON.parse(await contrib('aws-batch/job-definition.json')) as object
    const of = (data: object) => complaints(data, 'RegisterJobDefinitionCommandInput', '@aws-sdk/client-batch')
    expect(of(definition)).toEqual([])
    expect(of({ ...definition, retry: 3 })).toEqual([expect.stringContaining('\'"retry"\' does not exist')])
  })
})

describe('the worker as a service', () => {
  test.skipIf(!installed('systemd-analyze'))('is what systemd takes (skipped without systemd-analyze)', async () => {
    const unit = join(await workFolder(), 's3move-worker.service')
    const text = await contrib('systemd/s3move-worker.service')
    await writeFile(unit, text)
    const verified = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' })
    expect([verified.status, verified.stderr.replace(/^.*SYSTEMD_LOG.*$/gm, '').trim()]).toEqual([0, ''])
    expect(text).toContain(`\nRestartPreventExitStatus=${EXIT.usage}\n`)
  })
})
