import type { ModelConfig } from '../../files/checkpoint/config.js'
import { holdsScores } from '../../model/graph/attention-scores.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { listLoadedWeights, measureWeightBytes } from './loaded-weights.js'
import { countRunBytes, LOADING_COPIES, SESSION_BYTES } from './memory-figures.js'
import { CHUNK_ROWS } from './scored-positions.js'
import { countTokenRows } from './token-ids.js'

/** Copies of the logits that a head holds while it compares them. */
const LOGIT_COPIES = 5

/** Bytes of these copies that a head may take if it can do with fewer rows at a time. */
const HEAD_BYTES = 64e6

/** Texts, padded to so many tokens, and paths through the pieces that they run along. */
export interface PieceRun {
  texts: number
  tokens: number
  paths: number
}

/** How much memory, in bytes, a decoder takes whose pieces run one after another along several paths. */
export class PieceMemory {
  /** Rows of logits that a head holds at a time. */
  readonly headRows: number
  readonly #config: ModelConfig
  readonly #holdsScores: boolean
  readonly #rowBytes: number
  /** Bytes of the largest piece. */
  readonly #pieceBytes: number

  /** @param pieces  everything that is loaded separately: layers and heads */
  constructor(decoder: DecoderGraph, config: ModelConfig, pieces: DecoderGraph[]) {
    const rows = countTokenRows(decoder.model.graph)
    const vocabulary = Number.isFinite(rows) ? rows : 0
    this.#config = config
    this.#holdsScores = holdsScores(decoder)
    this.#rowBytes = LOGIT_COPIES * vocabulary * Float32Array.BYTES_PER_ELEMENT
    this.headRows = Math.max(1, Math.min(CHUNK_ROWS, Math.floor(HEAD_BYTES / Math.max(1, this.#rowBytes))))
    const weights = pieces.map((piece) => measureWeightBytes(listLoadedWeights(piece)))
    this.#pieceBytes = Math.max(
      ...weights.map(({ heldBytes, passingBytes }) => heldBytes + LOADING_COPIES * passingBytes),
    )
  }

  /** The least in which a run fits, with one piece loaded at a time. */
  leastBytes(run: PieceRun): number {
    return this.#pieceBytes + this.countBesidesWeights(run)
  }

  /** What a run takes at its peak besides the weights of loaded pieces: a state of each path, and the work on them. */
  countBesidesWeights({ texts, tokens, paths }: PieceRun): number {
    const stateBytes = texts * tokens * this.#config.hiddenSize * Float32Array.BYTES_PER_ELEMENT
    const headBytes = Math.max(this.headRows, paths) * this.#rowBytes
    const runBytes = countRunBytes(this.#config, { texts, tokens }, this.#holdsScores)
    const workBytes = Math.max(headBytes, runBytes + stateBytes)
    return SESSION_BYTES + (paths + 1) * stateBytes + workBytes
  }
}
