import { stat } from 'node:fs/promises'
import type { PruneResult } from '../../results/documents/prune-result.js'

/** Bytes of an existing file. */
export interface FileRange {
  file: string
  offsetBytes: number
  sizeBytes: number
}

/** The same parts of each row of a matrix in a file. */
export interface RowParts {
  file: string
  /** Where the first row starts. */
  rowsFromByte: number
  rowBytes: number
  rows: number
  /** First byte and end (exclusive) of each part within a row. */
  kept: [start: number, end: number][]
  /** Size of all parts of all rows. */
  sizeBytes: number
}

/** Bytes that are made when they are written, so that they need not be held before. */
export interface MadeBytes {
  sizeBytes: number
  make: () => Uint8Array
}

/** Bytes that are read or made piece by piece as they are written. */
export interface StreamedBytes {
  sizeBytes: number
  stream: () => AsyncIterable<Uint8Array>
}

/** A file to write: its content is the parts, one after another. */
export interface PlannedFile {
  /** Relative to the folder that is written. */
  name: string
  parts: (Uint8Array | FileRange | RowParts | MadeBytes | StreamedBytes)[]
}

/** What a pruned model is made of. */
export interface PlannedModel {
  files: PlannedFile[]
  sizes: Pick<PruneResult, 'parameters' | 'bytes'>
  /** Why it cannot be shown to be right; undefined if it can. */
  unproven?: string | undefined
}

export function sizeOf({ parts }: PlannedFile): number {
  return parts.reduce((sum, part) => sum + (part instanceof Uint8Array ? part.byteLength : part.sizeBytes), 0)
}

export function textFile(name: string, text: string): PlannedFile {
  return { name, parts: [new TextEncoder().encode(text)] }
}

/** Bytes that planned files will have. */
export function sumPlanned(files: PlannedFile[]): number {
  return files.reduce((sum, file) => sum + sizeOf(file), 0)
}

/** Bytes of files that are there. */
export async function sumSizes(paths: Iterable<string>): Promise<number> {
  const sizes = await Promise.all([...new Set(paths)].map(async (path) => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
