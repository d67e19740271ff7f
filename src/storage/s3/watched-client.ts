import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { StorageError, UserError } from '../../errors.js'
import { connectionFault, faultNamed, type Asked } from './storage-errors.js'

/** What a client of the SDK is asked. */
export type SdkCommand = Parameters<S3Client['send']>[0]

/** How the requests of a client are sent. */
export interface Watching {
  /** Sends a request, again too. */
  readonly send: <T>(operation: string, ask: () => Promise<T>) => Promise<T>
  /** Told the id of an upload in parts, and waited for. */
  readonly begun: ((id: string) => Promise<void>) | undefined
  /** Whether what such a request failed of was done all the same. */
  readonly isDone: (command: SdkCommand, error: unknown) => Promise<boolean>
  /** Told that one has failed. */
  readonly failed: () => void
  /** Ends what is in flight. */
  readonly signal: AbortSignal
}

/** A client that is watched, and what became of its requests. */
export interface WatchedClient {
  readonly client: S3Client
  /** Waits for what is in flight. Tells the upload in parts that was begun, and the first failure. */
  ended(): Promise<{ readonly id: string | undefined; readonly failure: { readonly error: unknown } | undefined }>
}

/** The same client, for an upload by the library: it sends through `send` and tells at once what went wrong. */
export function watched(client: S3Client, { send, begun, isDone, failed, signal }: Watching): WatchedClient {
  const inFlight = new Set<Promise<unknown>>()
  let id: string | undefined
  let failure: { readonly error: unknown } | undefined
  const asked = async (command: SdkCommand): Promise<unknown> => {
    try {
      const answer: unknown = await send(operationOf(command), () => client.send(command, { abortSignal: signal }))
      if (command instanceof CreateMultipartUploadCommand) {
        id = (answer as { readonly UploadId?: string }).UploadId
        if (id !== undefined) await begun?.(id)
      }
      return answer
    } catch (error) {
      if (await isDone(command, error)) return {}
      failure ??= { error }
      failed()
      throw error
    }
  }
  const sends = (command: SdkCommand): Promise<unknown> => {
    const sent = asked(command)
    inFlight.add(sent)
    void sent.catch(() => undefined).finally(() => inFlight.delete(sent))
    return sent
  }
  return {
    client: Object.create(client, { send: { value: sends } }) as S3Client,
    async ended() {
      await Promise.allSettled(inFlight)
      return { id, failure }
    },
  }
}

// Of a class the name is lost where the program is bundled.
function operationOf(command: SdkCommand): string {
  if (command instanceof CreateMultipartUploadCommand) return 'CreateMultipartUpload'
  if (command instanceof CompleteMultipartUploadCommand) return 'CompleteMultipartUpload'
  return command instanceof PutObjectCommand ? 'PutObject' : 'UploadPart'
}

/** What an error of the SDK stands for. */
export function sdkFault(error: unknown, asked: Asked, host: string): unknown {
  if (!(error instanceof Error) || error instanceof StorageError || error instanceof UserError) return error
  const { $metadata: answer } = error as { readonly $metadata?: { readonly httpStatusCode?: number } }
  if (answer?.httpStatusCode !== undefined && answer.httpStatusCode >= 300) {
    return faultNamed(error.name, answer.httpStatusCode, error.message, asked)
  }
  const timedOut = error.name === 'TimeoutError' && !('code' in error)
  const fault = connectionFault(timedOut ? Object.assign(error, { code: 'ETIMEDOUT' }) : error, asked, host)
  if (fault instanceof StorageError) return fault
  return new StorageError(error.message, { severity: 'stop-run', code: error.name, ...asked }, { cause: error })
}
