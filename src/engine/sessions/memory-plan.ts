import type { ModelConfig } from '../../files/checkpoint/config.js'
import { holdsScores } from '../../model/graph/attention-scores.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { tapSegment } from '../../model/graph/tap-segment.js'
import { countPassingBytes, listLoadedWeights, measureWeightBytes, type WeightBytes } from './loaded-weights.js'
import { countRunBytes, GRAM_CHUNK_BYTES, GRAM_COPIES, RUN_TOKENS, SESSION_BYTES } from './memory-figures.js'
import type { Run } from './runs.js'

interface RunSize {
  texts: number
  tokens: number
  /** Tokens asked for. */
  positions: number
}

/** Layers [start, end). */
export interface Segment {
  start: number
  end: number
}

/** How much memory, in bytes, the parts of a decoder and the states between them take. */
export class MemoryPlan {
  /** Bytes of each layer's weights: while held, and on top of that at the peak. */
  readonly #layers: WeightBytes[]
  /** The most that a weight takes on top of what is held, in segments of several layers. */
  readonly #passingBytes: number
  readonly #config: ModelConfig
  readonly #holdsScores: boolean
  /** Positions whose inner products are computed at a time. */
  readonly gramPositions: number

  constructor(decoder: DecoderGraph, config: ModelConfig) {
    const weights = Array.from({ length: config.layers }, (_, layer) =>
      listLoadedWeights(tapSegment(decoder, { from: layer, to: layer + 1 })),
    )
    this.#layers = weights.map(measureWeightBytes)
    this.#passingBytes = countPassingBytes(weights.flat())
    this.#config = config
    this.#holdsScores = holdsScores(decoder)
    const positionBytes = (config.layers + 1) * config.hiddenSize * Float64Array.BYTES_PER_ELEMENT
    this.gramPositions = Math.max(1, Math.min(128, Math.floor(GRAM_CHUNK_BYTES / positionBytes)))
  }

  /** The least memory in which texts can be measured, at most `asked` tokens of each. */
  leastBytes(maxLength: number, asked: number): number {
    const texts = Math.max(1, Math.floor(RUN_TOKENS / maxLength))
    const run = { texts, tokens: maxLength, positions: texts * asked }
    return this.#leastSessionBytes + this.#heldBytes(run) + this.#workBytes([run])
  }

  /** Groups runs, in order, that pass through the decoder together; each group is as large as memory allows. */
  groupRuns<R extends Run>(runs: R[], memoryBytes: number): R[][] {
    const groups: R[][] = []
    for (const run of runs) {
      const group = groups.at(-1)
      if (group && this.#leastSessionBytes + this.#groupBytes([...group, run]) <= memoryBytes) group.push(run)
      else groups.push([run])
    }
    return groups
  }

  /** Cuts the decoder into segments for a group of runs: as long as the memory left by the group allows. */
  chooseSegments(group: Run[], memoryBytes: number): Segment[] {
    const left = memoryBytes - this.#groupBytes(group)
    const segments: Segment[] = []
    for (let layer = 0; layer < this.#layers.length; layer++) {
      const last = segments.at(-1)
      if (last && this.#sessionBytes({ start: last.start, end: layer + 1 }) <= left) last.end = layer + 1
      else segments.push({ start: layer, end: layer + 1 })
    }
    return segments
  }

  #groupBytes(group: Run[]): number {
    const sizes = group.map(sizeOf)
    return sizes.reduce((sum, size) => sum + this.#heldBytes(size), 0) + this.#workBytes(sizes)
  }

  /** Bytes of the largest segment of one layer. */
  get #leastSessionBytes(): number {
    return Math.max(...this.#layers.map((_, start) => this.#sessionBytes({ start, end: start + 1 })))
  }

  #sessionBytes({ start, end }: Segment): number {
    const heldBytes = this.#layers.slice(start, end).reduce((sum, layer) => sum + layer.heldBytes, 0)
    const passingBytes = end - start === 1 ? this.#layers[start]!.passingBytes : this.#passingBytes
    return SESSION_BYTES + heldBytes + passingBytes
  }

  /** Held for a run between segments: its state, and all its states at the positions asked for. */
  #heldBytes(run: RunSize): number {
    const states = this.#config.layers + 1
    const kept = states * this.#config.hiddenSize * Float32Array.BYTES_PER_ELEMENT
    const gram = states * states * Float64Array.BYTES_PER_ELEMENT
    return this.#stateBytes(run) + run.positions * (kept + gram)
  }

  /** What the largest of some runs takes while it runs, its new state included. */
  #workBytes(runs: RunSize[]): number {
    const work = runs.map((run) => countRunBytes(this.#config, run, this.#holdsScores) + 2 * this.#stateBytes(run))
    return Math.max(GRAM_COPIES * GRAM_CHUNK_BYTES, ...work)
  }

  #stateBytes({ texts, tokens }: RunSize): number {
    return texts * tokens * this.#config.hiddenSize * Float32Array.BYTES_PER_ELEMENT
  }
}

function sizeOf({ texts, tokens, positions }: Run): RunSize {
  return { texts: texts.length, tokens, positions: positions.length }
}
