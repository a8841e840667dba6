import type { TypedTensor } from 'onnxruntime-node'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { GRAM_OUTPUT, POSITIONS_INPUT, tapStates } from '../../model/graph/tap.js'
import { chooseProcess } from './choose-process.js'
import type { AskedBatch, GramSource } from './gram-source.js'
import { openRunner } from './graph-runner.js'
import { toInt64 } from './inputs.js'
import { RunMeter } from './run-meter.js'
import { chooseRunLimits, type Run, splitIntoRuns } from './runs.js'
import type { SessionOptions } from './session.js'
import { SessionProcess } from './session-process.js'

/** Positions whose states are held in float64 at a time. */
const CHUNK_POSITIONS = 128

export interface WholeOptions extends SessionOptions {
  meter?: RunMeter | undefined
  signal?: AbortSignal | undefined
  /** Called after each run with how many texts of the batch were run. */
  onAdvance?: ((texts: number) => void) | undefined
}

/** Loads a whole decoder with its states tapped; weights are mapped from files. Throws as `openRunner`. */
export async function openWholeSession(
  decoder: DecoderGraph,
  config: ModelConfig,
  { threads, device, meter = new RunMeter(), signal, onAdvance }: WholeOptions,
): Promise<GramSource> {
  const ort = await import('onnxruntime-node')
  const tapped = tapStates(decoder)
  const runLimits = chooseRunLimits(tapped)
  const gramSize = decoder.states.length ** 2
  const process = new SessionProcess(signal)
  const apart = chooseProcess(tapped, process)
  const runner = await meter.time('loading', () =>
    openRunner(tapped, config, [POSITIONS_INPUT], { threads, device, apart }),
  )

  async function measureRun({ texts, tokens, positions }: Run): Promise<Float64Array> {
    if (positions.length === 0) return new Float64Array(0)
    const feeds = await meter.time('feeding', () =>
      runner.makeFeeds(texts, tokens, { [POSITIONS_INPUT]: positionsTensor(ort, positions) }),
    )
    const outputs = await meter.time('model', () => runner.run(feeds))
    const output = outputs[GRAM_OUTPUT] as TypedTensor<'float64'>
    return output.data.subarray(0, positions.length * gramSize)
  }

  async function measureBatch(batch: AskedBatch): Promise<Float64Array> {
    const count = batch.asked.reduce((sum, { length }) => sum + length, 0)
    const gram = new Float64Array(count * gramSize)
    let offset = 0
    let texts = 0
    for (const run of splitIntoRuns(batch, runLimits)) {
      signal?.throwIfAborted()
      const part = await measureRun(run)
      meter.count(run)
      gram.set(part, offset)
      offset += part.length
      texts += run.texts.length
      onAdvance?.(texts)
    }
    return gram
  }

  return {
    async *measureGrams(batches) {
      for (const batch of batches) yield await measureBatch(batch)
    },
    async close() {
      await runner.release()
      process.end()
    },
  }
}

/** Positions in chunks of equal size; the last chunk is filled up with the first position. */
function positionsTensor(ort: typeof import('onnxruntime-node'), positions: Run['positions']) {
  const chunkSize = Math.min(CHUNK_POSITIONS, positions.length)
  const chunks = Math.ceil(positions.length / chunkSize)
  const filled = Array.from({ length: chunks * chunkSize }, (_, index) => positions[index] ?? positions[0]!)
  const values = toInt64(filled.flat())
  return new ort.Tensor('int64', values, [chunks, chunkSize, 2])
}
