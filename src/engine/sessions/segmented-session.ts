import type { Tensor, TypedTensor } from 'onnxruntime-node'
import { formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { FiniteOptions } from '../../model/graph/checks/finite-weights.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { LEAST_ROWS } from '../../model/graph/mapped-products.js'
import { STATE_INPUT } from '../../model/graph/segment.js'
import { GRAM_OUTPUT, POSITIONS_INPUT } from '../../model/graph/tap.js'
import { makeGramGraph, tapSegment } from '../../model/graph/tap-segment.js'
import type { AskedBatch, GramSource } from './gram-source.js'
import { type GraphRunner, openRunner } from './graph-runner.js'
import { toInt64 } from './inputs.js'
import { RUN_TOKENS } from './memory-figures.js'
import { MemoryPlan, type Segment } from './memory-plan.js'
import type { RunMeter } from './run-meter.js'
import { findFixedBatch, type Run, type RunLimits, splitIntoRuns } from './runs.js'
import { SegmentCheck } from './segment-check.js'
import type { SessionOptions } from './session.js'
import { type MemoryLimit, tooLittleMemory } from './too-little-memory.js'

export interface SegmentedOptions extends SessionOptions, MemoryLimit {
  /** Most tokens of a text that are asked for. */
  maxAsked: number
  meter: RunMeter
  signal?: AbortSignal | undefined
  /** Called after each run through a segment with how many texts' work is done of those not measured yet. */
  onAdvance?: ((texts: number) => void) | undefined
  onNote?: ((message: string) => void) | undefined
  /** The tensors that the weights are stored in, if they are to be checked while the segments run. */
  unchecked?: Pick<FiniteOptions, 'tensors'> | undefined
}

/** From so many runs on packing a segment's weights pays: each run with mapped ones casts them and tiles products. */
const PACKED_RUNS = 8

/** How a segment holds its weights. */
interface Form {
  decoder: DecoderGraph
  plan: MemoryPlan
}

type Ort = typeof import('onnxruntime-node')
type State = TypedTensor<'float32' | 'float16'>

/** A run that has not been through the whole decoder yet. */
interface PendingRun extends Run {
  /** Whether it is the last of its batch. */
  endsBatch: boolean
  state?: State
  /** States 0.. at the asked positions, each [1, positions, hidden]. */
  kept: State[]
}

interface LoadedSegment extends Segment {
  decoder: DecoderGraph
  runner: GraphRunner
}

/**
 * Opens a decoder that runs in segments of layers, one in memory at a time. As many runs as there is memory for go
 * through a segment before the next is loaded. It computes what the whole decoder computes, node by node.
 * @throws LayerpruneError if the memory is too little, with the least that would do; and as `openRunner` does
 */
export async function openSegmentedSession(
  decoder: DecoderGraph,
  config: ModelConfig,
  options: SegmentedOptions,
): Promise<GramSource> {
  const { maxMemory, maxLength, maxAsked } = options
  const ort = await import('onnxruntime-node')
  const mapped = makeForm({ ...decoder, mapsMatrices: true }, config)
  const packed = makeForm(decoder, config)
  const graph = makeGramGraph(decoder)
  const stateInputs = graph.model.graph.input.map(({ name }) => name)
  const gramRunner = await openRunner(graph, config, stateInputs, {
    ...options,
    shared: true,
    keepsMemory: false,
  })
  const takenBytes = process.memoryUsage.rss()
  const leastBytes = takenBytes + mapped.plan.leastBytes(maxLength, maxAsked)
  if (leastBytes > maxMemory) {
    await gramRunner.release()
    throw tooLittleMemory(leastBytes, options)
  }
  const memoryBytes = maxMemory - takenBytes
  const canPack = packed.plan.leastBytes(maxLength, maxAsked) <= memoryBytes
  return new SegmentedSession(ort, config, options, {
    mapped,
    packed: canPack ? packed : mapped,
    gramRunner,
    memoryBytes,
  })
}

function makeForm(decoder: DecoderGraph, config: ModelConfig): Form {
  return { decoder, plan: new MemoryPlan(decoder, config) }
}

interface Parts {
  mapped: Form
  /** The mapped form if there is no memory for packed weights. */
  packed: Form
  gramRunner: GraphRunner
  memoryBytes: number
}

class SegmentedSession implements GramSource {
  readonly #ort: Ort
  readonly #config: ModelConfig
  readonly #options: SegmentedOptions
  readonly #parts: Parts
  readonly #runLimits: RunLimits
  readonly #check: SegmentCheck | undefined
  #loaded: LoadedSegment | undefined
  #isNoted = false

  constructor(ort: Ort, config: ModelConfig, options: SegmentedOptions, parts: Parts) {
    this.#ort = ort
    this.#config = config
    this.#options = options
    this.#parts = parts
    const { decoder } = parts.mapped
    this.#runLimits = { tokens: RUN_TOKENS, fixedBatch: findFixedBatch(decoder.model.graph) }
    if (options.unchecked !== undefined) this.#check = new SegmentCheck(decoder, options.unchecked.tensors)
  }

  async *measureGrams(batches: AskedBatch[]): AsyncGenerator<Float64Array> {
    const runs = batches.flatMap((batch) => this.#splitBatch(batch))
    let grams: Float64Array[] = []
    const { packed, memoryBytes } = this.#parts
    for (const group of packed.plan.groupRuns(runs, memoryBytes)) {
      await this.#advanceGroup(group)
      for (const run of group) {
        grams.push(await this.#finish(run))
        if (run.endsBatch) {
          yield joinGrams(grams)
          grams = []
        }
      }
    }
  }

  async close(): Promise<void> {
    await this.#check?.close()
    await this.#unload()
    await this.#parts.gramRunner.release()
  }

  #splitBatch(batch: AskedBatch): PendingRun[] {
    return splitIntoRuns(batch, this.#runLimits).map((run, index, { length }) => ({
      ...run,
      tokens: run.texts.length > 1 ? run.tokens : Math.max(LEAST_ROWS, run.tokens),
      endsBatch: index === length - 1,
      kept: [],
    }))
  }

  async #advanceGroup(group: PendingRun[]): Promise<void> {
    const { meter, signal, onAdvance } = this.#options
    const { mapped, packed, memoryBytes } = this.#parts
    const { decoder, plan } = group.length < PACKED_RUNS ? mapped : packed
    const segments = plan.chooseSegments(group, memoryBytes)
    this.#noteOnce(segments, group)
    this.#check?.start(segments)
    let layersOfTexts = 0
    for (const segment of segments) {
      const loaded = await meter.time('loading', () => this.#load(decoder, segment))
      for (const run of group) {
        signal?.throwIfAborted()
        await this.#advance(run, loaded)
        layersOfTexts += run.texts.length * (segment.end - segment.start)
        onAdvance?.(layersOfTexts / this.#config.layers)
      }
      await this.#check?.pass()
    }
    await this.#check?.finish()
    if (segments.length > 1) await this.#unload()
  }

  #noteOnce(segments: Segment[], runs: Run[]): void {
    if (this.#isNoted) return
    this.#isNoted = true
    const texts = runs.reduce((sum, run) => sum + run.texts.length, 0)
    this.#options.onNote?.(
      `running ${formatQuantity(segments.length, 'segment')} of layers one after the other, ${formatQuantity(texts, 'text')} at a time, to stay within ${formatSize(this.#options.maxMemory)}`,
    )
  }

  async #load(decoder: DecoderGraph, { start, end }: Segment): Promise<LoadedSegment> {
    const loaded = this.#loaded
    if (loaded?.decoder === decoder && loaded.start === start && loaded.end === end) return loaded
    await this.#unload()
    const graph = tapSegment(decoder, { from: start, to: end })
    const runner = await openRunner(graph, this.#config, [POSITIONS_INPUT, STATE_INPUT], {
      ...this.#options,
      shared: true,
      // Without memory kept from one matrix to the next, a fifth of the time would go into getting it from the system
      keepsMemory: graph.castsPerRun ?? graph.mapsMatrices ?? false,
    })
    this.#loaded = { decoder, start, end, runner }
    return this.#loaded
  }

  async #unload(): Promise<void> {
    await this.#loaded?.runner.release()
    this.#loaded = undefined
  }

  async #advance(run: PendingRun, { runner, start, end }: LoadedSegment): Promise<void> {
    const { meter } = this.#options
    const feeds = await meter.time('feeding', () => this.#makeFeeds(run, runner))
    const outputs = await meter.time('model', () => runner.run(feeds))
    const states = runner.outputNames.map((name) => outputs[name] as State)
    if (end === this.#config.layers) delete run.state
    else run.state = states.pop()!
    if (start === 0) run.kept = []
    run.kept.push(...states)
  }

  #makeFeeds({ texts, tokens, positions, state }: PendingRun, runner: GraphRunner): Record<string, Tensor> {
    // a single position is fed twice, and what comes of its repetition is not read
    const fed = positions.length === 1 ? [...positions, ...positions] : positions
    const places = toInt64(fed.flat())
    return runner.makeFeeds(texts, tokens, {
      [POSITIONS_INPUT]: new this.#ort.Tensor('int64', places, [1, fed.length, 2]),
      ...(state && { [STATE_INPUT]: state }),
    })
  }

  /** Inner products of the states of a run, which are then freed. */
  async #finish(run: PendingRun): Promise<Float64Array> {
    const { meter } = this.#options
    const gram = await meter.time('model', () => this.#multiplyStates(run))
    meter.count(run)
    run.kept = []
    return gram
  }

  /** @returns [positions, L + 1, L + 1] */
  async #multiplyStates({ kept, positions }: PendingRun): Promise<Float64Array> {
    const gramSize = kept.length ** 2
    const gram = new Float64Array(positions.length * gramSize)
    const { mapped, gramRunner } = this.#parts
    const { gramPositions } = mapped.plan
    for (let first = 0; first < positions.length; first += gramPositions) {
      const end = Math.min(first + gramPositions, positions.length)
      const feeds = kept.map((state, k) => [gramRunner.inputNames[k]!, this.#sliceRows(state, first, end)])
      const outputs = await gramRunner.run(Object.fromEntries(feeds))
      gram.set((outputs[GRAM_OUTPUT] as TypedTensor<'float64'>).data, first * gramSize)
    }
    return gram
  }

  /** Positions [start, end) of a kept state, [end - start, hidden]. */
  #sliceRows({ type, data, dims }: State, start: number, end: number): Tensor {
    const hidden = dims[2]!
    const rows = data.subarray(start * hidden, end * hidden)
    return new this.#ort.Tensor(type, rows, [end - start, hidden])
  }
}

function joinGrams(parts: Float64Array[]): Float64Array {
  const joined = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}
