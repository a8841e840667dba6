import { chunk } from '../../base/chunk.js'
import { formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { Model } from '../../engine/model.js'
import { type DecoderPieces, openDecoderPieces } from '../../engine/sessions/decoder-pieces.js'
import type { PieceMemory, PieceRun } from '../../engine/sessions/piece-memory.js'
import { type MemoryLimit, tooLittleMemory } from '../../engine/sessions/too-little-memory.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import { countHeadShare } from '../run/run-rate.js'
import type { Costs, OnAdvance } from './batch-work.js'
import type { Compared, EvaluatorOptions, TimedEvaluator } from './evaluator.js'
import { countTokensPerSecond, findBoundaries, keptPieces } from './kept-pieces.js'
import { openEvaluator } from './open-evaluator.js'
import { comparePaths, type PathBatch, runPaths } from './run-paths.js'

export type MeasuringEvaluator = Omit<TimedEvaluator, 'scoreContinuations'>
type LimitedOptions = EvaluatorOptions & { limit: MemoryLimit }
/** A batch that the evaluator runs in parts. */
type RunBatch = { texts: EncodedText[]; onAdvance: OnAdvance | undefined }

/** Opens a model whole or within a memory limit; throws as `openEvaluator` and `openLimitedEvaluator`. */
export function openMeasuringEvaluator(model: Model, options: EvaluatorOptions): Promise<MeasuringEvaluator> {
  const { limit } = options
  return limit === undefined ? openEvaluator(model, options) : openLimitedEvaluator(model, { ...options, limit })
}

/**
 * Opens a model of which as many layers are loaded at a time as a limit of memory allows: each runs along all
 * candidates before the next. It computes what `openEvaluator` computes, bit by bit.
 * @throws LayerpruneError if the memory is too little, with the least that would do, or the model has no head, or its
 *   layers read keys and values of earlier ones
 */
export async function openLimitedEvaluator(
  { decoder, config }: Model,
  options: LimitedOptions,
): Promise<MeasuringEvaluator> {
  const boundaries = findBoundaries(config.layers, undefined)
  const costs: Costs = { ofPiece: () => 1, head: config.layers * countHeadShare({ decoder, config }) }
  const pieces = await openDecoderPieces(decoder, config, boundaries, options)
  return new LimitedEvaluator(pieces, boundaries, { ...options, costs })
}

/** Texts and paths that run at a time. */
type Portion = Pick<PieceRun, 'texts' | 'paths'>

/** Minimum paths at a time: the whole model's, as the reference, and one more. */
const LEAST_PATHS = 2

class LimitedEvaluator implements MeasuringEvaluator {
  readonly #pieces: DecoderPieces
  /** Every state. */
  readonly #boundaries: number[]
  readonly #options: LimitedOptions & { costs: Costs }
  readonly #memory: PieceMemory
  /** Memory of the process before anything is loaded. */
  readonly #takenBytes: number
  #isNoted = false

  constructor(pieces: DecoderPieces, boundaries: number[], options: LimitedOptions & { costs: Costs }) {
    this.#pieces = pieces
    this.#boundaries = boundaries
    this.#options = options
    this.#memory = pieces.measureMemory()
    const { maxLength, takenBytes = process.memoryUsage.rss() } = options.limit
    this.#takenBytes = takenBytes
    this.#choosePortion({ texts: pieces.fixedBatch ?? 1, tokens: maxLength, paths: LEAST_PATHS })
  }

  async measure(texts: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Float64Array[]> {
    const pieces = this.#pieces
    const paths = candidates.map((removed) => this.#pathOf(removed))
    const portions = await this.#runPortions({ texts, onAdvance }, paths, 0, (group, part) =>
      runPaths({ pieces, score: (state) => pieces.score(state, part.texts) }, group, part),
    )
    const scores = portions.map((groups) => groups.flat())
    return paths.map((_, path) => joinNumbers(scores.map((row) => row[path]!)).map((value) => 0 - value))
  }

  async compare(texts: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Compared[]> {
    const whole = this.#pathOf([])
    const paths = candidates.map((removed) => this.#pathOf(removed))
    const portions = await this.#runPortions({ texts, onAdvance }, paths, 1, (group, part) =>
      comparePaths(this.#pieces, [whole, ...group], part),
    )
    const rows = portions.map((groups) => [groups[0]![0]!, ...groups.flatMap(([_, ...others]) => others)])
    return [whole, ...paths].map((_, path) => joinCompared(rows.map((row) => row[path]!)))
  }

  tokensPerSecond(removed: Block[]): number | null {
    return countTokensPerSecond(this.#pieces, this.#pathOf(removed))
  }

  close(): Promise<void> {
    return this.#pieces.close()
  }

  #pathOf(removed: Block[]): number[] {
    return keptPieces(this.#boundaries, normalizeBlocks(removed, this.#boundaries.length - 1))
  }

  /**
   * Runs a batch along paths, as many texts and paths at a time as there is memory for.
   * @param more  paths that run with each group
   * @returns what `run` returned, for each part of the texts, then for each group of paths
   */
  async #runPortions<Score>(
    { texts: batch, onAdvance }: RunBatch,
    paths: number[][],
    more: number,
    run: (group: number[][], part: PathBatch) => Promise<Score[]>,
  ): Promise<Score[][][]> {
    const tokens = longestOf(batch)
    const portion = this.#choosePortion({ texts: batch.length, tokens, paths: paths.length + more })
    this.#noteOnce(portion)
    const groups = paths.length === 0 ? [[]] : chunk(paths, portion.paths - more)
    const results: Score[][][] = []
    const chunks = chunk(batch, portion.texts)
    const { costs, signal } = this.#options
    let parts = 0
    const report: OnAdvance = ({ share, candidates }) =>
      onAdvance?.({ share: (parts + share) / (chunks.length * groups.length), candidates })
    for (const texts of chunks) {
      const part = { texts, tokens, pieceByPiece: true, costs, onAdvance: report, signal }
      const ofTexts: Score[][] = []
      for (const group of groups) {
        ofTexts.push(await run(group, part))
        parts++
      }
      results.push(ofTexts)
    }
    return results
  }

  #noteOnce({ texts }: Portion): void {
    if (this.#isNoted) return
    this.#isNoted = true
    this.#options.onNote?.(
      `loading layers as they are needed, for ${formatQuantity(texts, 'text')} at a time, to stay within ${formatSize(this.#options.limit.maxMemory)}`,
    )
  }

  /**
   * Fewer texts at a time cost the loading of layers, fewer paths also shared runs. Layers get the remaining memory.
   * @throws LayerpruneError if not even the least fits
   */
  #choosePortion({ texts: asked, tokens, paths }: PieceRun): Portion {
    const { limit } = this.#options
    const leftBytes = limit.maxMemory - this.#takenBytes
    const fits = (portion: Portion) => this.#memory.leastBytes({ ...portion, tokens }) <= leftBytes
    const least = { texts: this.#pieces.fixedBatch ?? 1, paths: Math.min(paths, LEAST_PATHS) }
    const portion = { texts: asked, paths }
    while (portion.texts > least.texts && !fits(portion)) portion.texts--
    while (portion.paths > least.paths && !fits(portion)) portion.paths--
    if (!fits(portion)) {
      throw tooLittleMemory(this.#takenBytes + this.#memory.leastBytes({ ...portion, tokens }), limit)
    }
    const roomBytes = leftBytes - this.#memory.countBesidesWeights({ ...portion, tokens })
    this.#pieces.limitWeights(roomBytes, this.#memory.headRows)
    return portion
  }
}

function joinNumbers(parts: Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => [...part]))
}

function joinCompared(parts: Compared[]): Compared {
  return {
    nats: joinNumbers(parts.map(({ nats }) => nats)),
    divergences: joinNumbers(parts.map(({ divergences }) => divergences)),
    agreements: joinNumbers(parts.map(({ agreements }) => agreements)),
  }
}
