/** What requests are signed with. */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  /** The token is that of a session with a directory bucket, and is sent under the name of those. */
  readonly zonal?: true
  /** Those of a session with the directory bucket that they are for, which few operations do without. */
  readonly session?: Credentials | undefined
}

/** The credentials to sign with, always at hand; they refresh themselves in the background. */
export interface CredentialSource {
  /** Undefined when requests are not to be signed. */
  readonly current: Credentials | undefined
  /** Fetches credentials anew, after the store called these expired. May be called often: it is not done more than once in some seconds. */
  refresh(): Promise<Renewal>
  /** Calls `told` whenever the credentials have changed. */
  onChange(told: (current: Credentials) => void): void
  close(): void
}

/** What came of fetching credentials anew: new ones, none yet, or that there can be none, since they are fixed. */
export type Renewal = 'renewed' | 'not-yet' | 'impossible'
