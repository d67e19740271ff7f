import type { ComparisonPlan } from './compared.js'
import type { DoneWord } from './events.js'
import type { PaceChange } from './pace.js'
import type { Side } from './place.js'
import type { Check } from './schema.js'

/** A part of a job by which another one may differ: what it is called, and a text that is fit to be shown, or plain data. */
export type JobPart = readonly [name: string, value: string | object]

/** What is known of a kind of job, beside how it is done. */
export interface JobKind<J> {
  /** Proves that a value is such a job. */
  readonly shape: Check<J>
  /** What a run of it is doing: `copying`. */
  readonly verb: string
  /** What stands between that and its place. */
  readonly preposition?: ' of'
  /** What tells two of them apart beside their source and the list of their objects. */
  readonly parts: (job: J) => readonly JobPart[]
  /** What stands between its two places where that is not `to`. */
  readonly joined?: 'with'
  /** Processes that know nothing of each other may each do a shard of it: what it does in one asks for nothing in another. */
  readonly inShards?: true
  /** What of its pace may change while it goes on; absent for nothing. */
  readonly adjustable?: readonly (keyof PaceChange)[]
  /** It lists both places side by side. */
  readonly listsBoth?: true
  /** What it takes from an S3 Inventory without a look at the object; absent where it looks at what it reads. */
  readonly inventoried?: readonly ('size' | 'etag' | 'lastModified' | 'storageClass')[]
}

/** What is known of a kind of job that changes objects. */
export interface WriteKind<J> extends JobKind<J> {
  /** What an object is called that it has done. */
  readonly done: DoneWord
  /** What it is to do with an object: what a dry run calls that. */
  readonly task: 'copy' | 'rewrite' | 'tag' | 'encrypt' | 'move' | 'delete'
  /** What of objects it changes in place; absent where it makes copies or deletes. */
  readonly sets?: string
  /** The request by which it changes an object, where that is no copy and leaves content where it is. */
  readonly updates?: (job: J) => string | undefined
  /** How a list says that objects are encrypted matters to it. */
  readonly readsEncryption?: true
  /** What a run of it does once more, whatever an earlier one has done; and what does only what is needed instead, if something does. */
  readonly repeats?: { readonly all: string; readonly instead?: (job: J) => string | undefined }
  /** Folders of its runs are not named after it. */
  readonly unnamed?: true
  /** A list may name versions of its objects. */
  readonly listsVersions?: true
  /** It needs to know nothing of an object but its name. */
  readonly needsNamesOnly?: true
  /** Where what it deletes is, if it is not the source. */
  readonly deletesAt?: Side
  /** What proves it, or why nothing can. Absent where it makes no copies. */
  readonly proof?: (job: J) => ComparisonPlan | string
  /** What it deletes behind its checkpoint; undefined where it does not. */
  readonly deferredDeletes?: (job: J) => DeferredDeletePlan | undefined
}

/** What a job deletes once that is on the disk. */
export interface DeferredDeletePlan {
  readonly side: Side
  /** What is moved, as soon as its copy is proven; what is extra, when both sides have been listed to their ends. */
  readonly when: 'as-they-come' | 'at-the-end'
  /** None, if there are more. */
  readonly most?: number | undefined
}
