import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-node'
import type { ModelConfig } from '../checkpoint/config.js'
import { LayerpruneError } from '../errors.js'
import { formatQuantity, formatSize } from '../format-numbers.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { STATE_INPUT } from '../graph/segment.js'
import { GRAM_OUTPUT, POSITIONS_INPUT } from '../graph/tap.js'
import { makeGramGraph, tapSegment } from '../graph/tap-segment.js'
import type { GramSource } from './gram-source.js'
import { type MakeInput, planInputs } from './inputs.js'
import { MemoryPlan, type Segment } from './memory-plan.js'
import { runGraph } from './run-graph.js'
import type { RunMeter } from './run-meter.js'
import { type AskedBatch, findFixedBatch, type Run, splitIntoRuns } from './runs.js'
import { createSession, type SessionOptions } from './session.js'

export interface SegmentedOptions extends SessionOptions {
  /** Memory that the process may take, all in all. */
  maxMemoryBytes: number
  /** Tokens of a text, and those asked for of it, at most. */
  maxLength: number
  maxAsked: number
  /** Told what is run and how long it takes. */
  meter: RunMeter
  signal?: AbortSignal | undefined
  /** Told after each run through a segment how many texts' work is done of those not measured yet. */
  onAdvance?: ((texts: number) => void) | undefined
  onNote?: ((message: string) => void) | undefined
}

type State = TypedTensor<'float32' | 'float16'>

/** A run on its way through the decoder. */
interface RunOnItsWay extends Run {
  batch: number
  state?: State
  /** States 0.. at the asked positions, each [1, positions, hidden]. */
  kept: State[]
}

interface LoadedSegment extends Segment {
  session: InferenceSession
  inputs: Map<string, MakeInput>
}

/**
 * Opens a decoder that runs in segments of layers, one in memory at a time: all runs that there is memory for go
 * through a segment before the next is loaded. It computes what the whole decoder computes, node by node.
 * @throws LayerpruneError where the memory is too little, which tells the least; and as `createSession`
 */
export async function openSegmentedSession(
  decoder: DecoderGraph,
  config: ModelConfig,
  options: SegmentedOptions,
): Promise<GramSource> {
  const { maxMemoryBytes, maxLength, maxAsked, meter, signal, onAdvance, onNote } = options
  const ort = await import('onnxruntime-node')
  // Without memory kept from one matrix to the next, a fifth of the time would go into getting it from the system
  const create = (graph: DecoderGraph) =>
    createSession(ort, graph, { ...options, shared: true, keepsMemory: graph.castsPerRun ?? false })
  const size = decoder.states.length
  const plan = new MemoryPlan(decoder, config)
  const fixedBatch = findFixedBatch(decoder.model.graph!)
  const gramSession = await create(makeGramGraph(decoder))
  const taken = process.memoryUsage.rss()
  const memoryBytes = maxMemoryBytes - taken
  const leastBytes = taken + plan.leastBytes(maxLength, maxAsked)
  if (leastBytes > maxMemoryBytes) {
    await gramSession.release()
    const least = `${Math.ceil(leastBytes / 1e6)}MB`
    throw new LayerpruneError(
      `${formatSize(maxMemoryBytes)} of memory are too little: this model takes at least ${least} for texts of ${formatQuantity(maxLength, 'token')}`,
      { hint: `--max-memory ${least}, or a smaller --max-length` },
    )
  }

  let loaded: LoadedSegment | undefined
  async function unload(): Promise<void> {
    await loaded?.session.release()
    loaded = undefined
  }
  async function load({ start, end }: Segment): Promise<LoadedSegment> {
    if (loaded?.start === start && loaded.end === end) return loaded
    await unload()
    const graph = tapSegment(decoder, { from: start, to: end })
    const inputs = planInputs(ort, graph.model.graph!, config, new Set([POSITIONS_INPUT, STATE_INPUT]))
    loaded = { start, end, inputs, session: await create(graph) }
    return loaded
  }

  /** Runs one run through a segment. */
  async function advance(run: RunOnItsWay, { session, inputs, start, end }: LoadedSegment): Promise<void> {
    const { texts, tokens, positions } = run
    const feeds = await meter.time('feeding', () => {
      const places = BigInt64Array.from(positions.flat(), BigInt)
      const feeds: Record<string, Tensor> = {
        [POSITIONS_INPUT]: new ort.Tensor('int64', places, [1, positions.length, 2]),
      }
      if (run.state) feeds[STATE_INPUT] = run.state
      for (const [name, make] of inputs) feeds[name] = make(texts, tokens)
      return feeds
    })
    const outputs = await meter.time('model', () => runGraph(session, feeds))
    const states = session.outputNames.map((name) => outputs[name] as State)
    if (end === size - 1) delete run.state
    else run.state = states.pop()!
    if (start === 0) run.kept = []
    run.kept.push(...states)
  }

  /** Inner products of the states of a run, [positions, L + 1, L + 1]. */
  async function multiplyStates({ kept, positions }: RunOnItsWay): Promise<Float64Array> {
    const gram = new Float64Array(positions.length * size * size)
    for (let first = 0; first < positions.length; first += plan.gramPositions) {
      const count = Math.min(plan.gramPositions, positions.length - first)
      const feeds = kept.map(({ type, data, dims }, k): [string, Tensor] => {
        const hidden = dims[2]!
        const rows = data.subarray(first * hidden, (first + count) * hidden)
        return [gramSession.inputNames[k]!, new ort.Tensor(type, rows, [count, hidden])]
      })
      const output = (await runGraph(gramSession, Object.fromEntries(feeds)))[
        GRAM_OUTPUT
      ] as TypedTensor<'float64'>
      gram.set(output.data, first * size * size)
    }
    return gram
  }

  let isTold = false
  function tell(segments: Segment[], runs: Run[]): void {
    if (isTold) return
    isTold = true
    const texts = runs.reduce((sum, run) => sum + run.texts.length, 0)
    onNote?.(
      `running ${formatQuantity(segments.length, 'segment')} of layers one after the other, ${formatQuantity(texts, 'text')} at a time, to stay within ${formatSize(maxMemoryBytes)}`,
    )
  }

  return {
    async *measureGrams(batches: AskedBatch[]) {
      const runs = batches.flatMap((asked, batch) =>
        splitIntoRuns(asked, fixedBatch).map((run): RunOnItsWay => ({ ...run, batch, kept: [] })),
      )
      const left = batches.map((_, batch) => runs.filter((run) => run.batch === batch).length)
      let grams: Float64Array[] = []
      for (const group of plan.groupRuns(runs, memoryBytes)) {
        const segments = plan.chooseSegments(group, memoryBytes)
        tell(segments, group)
        let layersOfTexts = 0
        for (const segment of segments) {
          const piece = await meter.time('loading', () => load(segment))
          for (const run of group) {
            signal?.throwIfAborted()
            await advance(run, piece)
            layersOfTexts += run.texts.length * (segment.end - segment.start)
            onAdvance?.(layersOfTexts / config.layers)
          }
        }
        if (segments.length > 1) await unload()
        for (const run of group) {
          grams.push(await meter.time('model', () => multiplyStates(run)))
          meter.count(run)
          run.kept = []
          left[run.batch]!--
          if (left[run.batch] === 0) {
            yield joinGrams(grams)
            grams = []
          }
        }
      }
    },
    async close() {
      await unload()
      await gramSession.release()
    },
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
