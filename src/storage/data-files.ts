/** A file that is read at any place of it, in any order. */
export interface DataFile {
  /** What it is called, fit to print. */
  readonly name: string
  /** In bytes. */
  readonly size: number
  /** Another one once the content is another. */
  readonly identity: string
  /** The MD5 of the content, in lower-case hexadecimal digits, where the store vouches for it. */
  readonly md5?: string
  /** The bytes from `start` up to `end`, which is not among them. Fewer are an error, and so is another content than when it was opened. */
  read(start: number, end: number): Promise<Buffer>
  close(): Promise<void>
}

/** Files that a list is made of. */
export interface DataFiles {
  /** The first of these that there is: paths, or keys. What is wrong with it is a `UserError`. */
  open(names: readonly string[]): Promise<DataFile | undefined>
}
