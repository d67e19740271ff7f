import type { IncomingMessage } from 'node:http'
import { asAnswered, asNamed, asUnderstood } from './wire/as-dialect.js'
import type { RequestGate } from './auth.js'
import type { Exchange } from './exchange.js'
import type { FaultKind, Faults } from './faults.js'
import { checkDirectoryRules } from './operations/directory-rules.js'
import { handlers } from './operations/handlers.js'
import { sessionOf } from './operations/sessions.js'
import { operationOf, operations, type Operation } from './wire/operation-names.js'
import type { Reply } from './wire/reply.js'
import { checkOwner } from './owner.js'
import { parseTarget, type S3Request } from './wire/request.js'
import {
  accessDenied,
  elsewhere,
  internalError,
  otherRegion,
  S3Error,
  slowDown,
  temporaryRedirect,
} from './wire/s3-error.js'
import type { Latency, Rate } from './shaping.js'
import type { World } from './operations/world.js'

/** A server's state and what shapes its answers. */
export interface Simulation {
  readonly world: World
  readonly gate: RequestGate
  readonly faults: Faults
  readonly latency: Latency
  readonly rate: Rate
}

const nothing = Buffer.alloc(0)
const expired = () => new S3Error(400, 'ExpiredToken', 'The provided token has expired.')
const noLength = () => new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return (length !== undefined && length !== '0') || request.headers['transfer-encoding'] !== undefined
}

/** Answers a request to S3, once its body is here. */
export function serve(simulation: Simulation, exchange: Exchange): void {
  const { request } = exchange
  const method = request.method ?? ''
  try {
    const target = parseTarget(request.url ?? '/', request.headers.host)
    const operation = operationOf(method, asNamed(simulation.world.dialect, target), request.headers)
    simulation.world.stats.operation(operation)
    if (!hasBody(request)) {
      const puts = operation === 'PutObject' || operation === 'UploadPart'
      if (puts && request.headers['content-length'] === undefined) throw noLength()
      answer(simulation, exchange, operation, { ...target, method, headers: request.headers, body: nothing })
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      answer(simulation, exchange, operation, { ...target, method, headers: request.headers, body })
    })
    request.on('close', () => {
      if (!request.complete) exchange.abandon()
    })
  } catch (error) {
    request.resume()
    refuse(exchange, error)
  }
}

/** Refusals are S3's; anything else is a defect of the sandbox, and its answer says so. */
function refuse(exchange: Exchange, error: unknown): void {
  if (error instanceof S3Error) exchange.refuse(error)
  else exchange.refuse(new S3Error(500, 'InternalError', `A defect of the sandbox: ${String(error)}`))
}

/** Refuses or carries out a request whose body is here, with the fault that it meets. */
function answer(simulation: Simulation, exchange: Exchange, operation: Operation, request: S3Request): void {
  const { world, gate, faults, latency, rate } = simulation
  const fault = faults.next(operation)
  if (fault !== undefined) {
    world.stats.fault(fault)
    if (answerInstead(exchange, fault)) return
  }
  const { dialect } = world
  const disordered = fault === 'disorder'
  const perform = () => {
    if (dialect.has.size === 0) return handlers[operation](world, request, disordered)
    return asAnswered(dialect, operation, handlers[operation](world, request, disordered))
  }
  try {
    const directory = world.buckets.get(request.bucket)?.directory === true
    gate.check(
      request,
      directory ? { service: 's3express', credentials: sessionOf(world, operation, request) } : undefined,
    )
    request = asUnderstood(dialect, operation, request)
    if (directory) checkDirectoryRules(operation, request)
    checkOwner(request)
    const key = request.key ?? request.query.get('prefix') ?? request.query.get('start-after') ?? ''
    if (!rate.admits(operation, request.bucket, key, performance.now())) throw slowDown()
    const delay = latency.next(operation)
    if (delay === 0) {
      finish(exchange, perform, fault)
    } else if (reading.has(operations[operation])) {
      // The answers of reads may be large, so they are not made before they can be sent.
      setTimeout(finish, delay, exchange, perform, fault)
    } else {
      const reply = perform()
      setTimeout(finish, delay, exchange, () => reply, fault)
    }
  } catch (error) {
    refuse(exchange, error)
  }
}

const reading = new Set<string>(['list', 'head', 'get'])

/** Answers with a fault that takes the operation's place; false for the faults that only spoil its answer. */
function answerInstead(exchange: Exchange, fault: FaultKind): boolean {
  switch (fault) {
    case '301':
      exchange.refuse(elsewhere())
      return true
    case '307':
      exchange.refuse(temporaryRedirect())
      return true
    case 'region':
      exchange.refuse(otherRegion())
      return true
    case '500':
      exchange.refuse(internalError())
      return true
    case '503':
      exchange.refuse(slowDown())
      return true
    case 'denied':
      exchange.refuse(accessDenied())
      return true
    case 'expired':
      exchange.refuse(expired())
      return true
    case 'copy200err':
      exchange.refuse(internalError(), 200)
      return true
    case 'copy200empty':
      exchange.send({ status: 200, headers: [] })
      return true
    case 'reset':
      exchange.reset()
      return true
    case 'hang':
      exchange.hang()
      return true
    case 'reset-after':
    case 'truncate':
    case 'space':
    case 'disorder':
      return false
  }
}

let slow = 0

function finish(exchange: Exchange, perform: () => Reply, fault: FaultKind | undefined): void {
  if (exchange.isOver) {
    exchange.abandon()
    return
  }
  try {
    const reply = perform()
    if (fault === 'reset-after') exchange.reset()
    else if (fault === 'space') exchange.sendSlowly(reply, slow++ % 2 === 0)
    else exchange.send(reply, fault === 'truncate')
  } catch (error) {
    refuse(exchange, error)
  }
}
