import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-node'
import type { ModelConfig } from '../checkpoint/config.js'
import { LayerpruneError } from '../errors.js'
import { castWeightsPerRun } from '../graph/cast-per-run.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { serializeModel } from '../graph/onnx.js'
import { GRAM_OUTPUT, POSITIONS_INPUT, tapStates } from '../graph/tap.js'
import type { EncodedText } from '../texts/windows.js'
import { type Device, hintForDevice } from './device.js'
import { planInputs } from './inputs.js'
import { runGraph } from './run-graph.js'
import { RunMeter } from './run-meter.js'
import { findFixedBatch, type Run, splitIntoRuns } from './runs.js'

/** Positions whose states are held in float64 at a time. */
const CHUNK_POSITIONS = 128

export interface SessionOptions {
  /** Left out, ONNX Runtime's choice: one for each physical core. */
  threads?: number | undefined
  device: Device
}

/** A decoder ready to run that answers with inner products of its states. */
export interface StateSession {
  /**
   * Runs a batch and returns, for each asked token, the inner products of states 0..L with each other.
   * @param asked for each text, places of tokens in it
   * @returns [tokens asked, L + 1, L + 1] row-major float64
   */
  measureGram(batch: EncodedText[], asked: number[][]): Promise<Float64Array>
  close(): Promise<void>
}

/**
 * Taps a decoder and loads it into ONNX Runtime; weights are mapped from their files.
 * @param meter told what is run and how long it takes
 * @throws LayerpruneError where the runtime refuses the graph or has no such device
 */
export async function openStateSession(
  decoder: DecoderGraph,
  config: ModelConfig,
  { threads, device, meter = new RunMeter() }: SessionOptions & { meter?: RunMeter | undefined },
): Promise<StateSession> {
  const ort = await import('onnxruntime-node')
  const tapped = tapStates(decoder)
  const graph = tapped.model.graph!
  const inputs = planInputs(ort, graph, config, new Set([POSITIONS_INPUT]))
  const session = await meter.time('loading', () => createSession(ort, tapped, { threads, device }))
  const fixedBatch = findFixedBatch(graph)
  const gramSize = decoder.states.length ** 2

  async function measureRun({ texts, tokens, positions }: Run): Promise<Float64Array> {
    if (positions.length === 0) return new Float64Array(0)
    const feeds = await meter.time('feeding', () => {
      const feeds: Record<string, Tensor> = { [POSITIONS_INPUT]: positionsTensor(ort, positions) }
      for (const [name, make] of inputs) feeds[name] = make(texts, tokens)
      return feeds
    })
    const outputs = await meter.time('model', () => runGraph(session, feeds))
    const output = outputs[GRAM_OUTPUT] as TypedTensor<'float64'>
    return output.data.subarray(0, positions.length * gramSize)
  }

  return {
    async measureGram(texts, asked) {
      const count = asked.reduce((sum, { length }) => sum + length, 0)
      const gram = new Float64Array(count * gramSize)
      let offset = 0
      for (const run of splitIntoRuns({ texts, asked }, fixedBatch)) {
        const part = await measureRun(run)
        meter.count(run)
        gram.set(part, offset)
        offset += part.length
      }
      return gram
    },
    close: () => session.release(),
  }
}

/** Positions in chunks of equal size; the last chunk is filled up with the first position. */
function positionsTensor(ort: typeof import('onnxruntime-node'), positions: Run['positions']) {
  const chunkSize = Math.min(CHUNK_POSITIONS, positions.length)
  const chunks = Math.ceil(positions.length / chunkSize)
  const filled = Array.from({ length: chunks * chunkSize }, (_, index) => positions[index] ?? positions[0]!)
  const values = BigInt64Array.from(filled.flat(), BigInt)
  return new ort.Tensor('int64', values, [chunks, chunkSize, 2])
}

/** Releases sessions that were opened, also if some failed to load: whoever asked for those was thrown the error. */
export async function releaseAll(sessions: Promise<InferenceSession>[]): Promise<void> {
  for (const session of await Promise.allSettled(sessions)) {
    if (session.status === 'fulfilled') await session.value.release()
  }
}

/**
 * Loads a graph into ONNX Runtime; weights are mapped from their files.
 * @param shared  other sessions run in turn with this one: it holds no busy threads between runs
 * @param keepsMemory  what a run takes is kept for the next, which is faster; left out, where it is not shared
 * @throws LayerpruneError where the runtime refuses the graph or has no such device
 */
export async function createSession(
  ort: typeof import('onnxruntime-node'),
  decoder: DecoderGraph,
  {
    threads,
    device,
    shared = false,
    keepsMemory = !shared,
  }: SessionOptions & { shared?: boolean; keepsMemory?: boolean },
): Promise<InferenceSession> {
  const supported = ort.listSupportedBackends().map(({ name }) => name)
  if (!supported.includes(device)) {
    throw new LayerpruneError(
      `this build of ONNX Runtime has no device ${device}; it has ${supported.join(', ')}`,
      { hint: hintForDevice(device) },
    )
  }
  const { model, weightsFolder, castsPerRun = false } = decoder
  try {
    return await ort.InferenceSession.create(serializeModel(castsPerRun ? castWeightsPerRun(model) : model), {
      executionProviders: [device],
      graphOptimizationLevel: 'all',
      // Batches differ in form: buffers planned for each of them take more memory and save no time
      enableMemPattern: false,
      logSeverityLevel: 4,
      enableCpuMemArena: keepsMemory,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      extra: {
        session: {
          model_external_initializers_file_folder_path: weightsFolder,
          // Attention makes shares too small for a normal float, which slow its products down
          set_denormal_as_zero: '1',
          ...(shared ? { intra_op: { allow_spinning: '0' } } : {}),
        },
      },
    })
  } catch (cause) {
    const on = device === 'cpu' ? '' : ` on the device ${device}`
    throw new LayerpruneError(`ONNX Runtime cannot load the graph${on}: ${(cause as Error).message}`, {
      cause,
      ...(on === '' ? {} : { hint: hintForDevice(device) }),
    })
  }
}
