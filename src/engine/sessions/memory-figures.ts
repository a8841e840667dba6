/** What is known about the memory of a run, measured of real runs on Linux; every estimate is made of these figures. */
import type { ModelConfig } from '../../files/checkpoint/config.js'

/** Node with its libraries before a model is opened, for an estimate; a run asks the system how much it takes. */
export const PROGRAM_BYTES = 140e6

/** What a session takes besides its weights, and memory that JavaScript has not yet released. */
export const SESSION_BYTES = 70e6

/** Memory that ONNX Runtime keeps of a run if nothing limits it, as a multiple of what is in use at the peak. */
export const KEPT_BY_RUNTIME = 1.4

/** Memory that weights take, as a multiple of their size: there are gaps between them. */
const FRAGMENTATION = 1.1

/** The same for weights so small that the C library may keep freed memory and can reuse only part of it. */
const SMALL_FRAGMENTATION = 1.8

/** Memory of this size or more is returned to the system at once: glibc's largest threshold for that. */
const LARGE_BYTES = 32 * 2 ** 20

/** Copies of the largest weight at the peak of loading a piece: a head's table is cast, transposed, packed. */
export const LOADING_COPIES = 2.2

/** A float64 copy of the states of a chunk of positions, when inner products are computed. */
export const GRAM_CHUNK_BYTES = 24e6

/** Such copies at the peak. */
export const GRAM_COPIES = 4

/** Most padded tokens run at once, unless one text is longer: more would not fit in the processor's caches. */
export const RUN_TOKENS = 1024

/** Numbers held for each token at the peak, as multiples of the hidden size. */
const NUMBERS_PER_TOKEN = 24

/** Copies of the scores of a quarter of the queries that are held at a time, if any are. */
const SCORE_COPIES = 6

/**
 * Bytes that a run takes at its peak besides the weights.
 * @param holdsScores  as the function of this name says of the graph
 */
export function countRunBytes(
  { hiddenSize, heads }: ModelConfig,
  { texts, tokens }: { texts: number; tokens: number },
  holdsScores: boolean,
): number {
  const scores = holdsScores ? SCORE_COPIES * heads * (tokens / 4) : 0
  const perToken = NUMBERS_PER_TOKEN * hiddenSize + scores
  return texts * tokens * perToken * Float32Array.BYTES_PER_ELEMENT
}

/** Memory that a weight takes, fragmentation included. */
export function allocatedBytes(bytes: number): number {
  return bytes * (bytes < LARGE_BYTES ? SMALL_FRAGMENTATION : FRAGMENTATION)
}
