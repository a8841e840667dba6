import type { InferenceSession } from 'onnxruntime-node'
import { LayerpruneError } from '../../base/errors.js'
import { castWeightsPerRun } from '../../model/graph/cast-per-run.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { hasInt8Weights, separateInt8Weights } from '../../model/graph/int8/int8-weights.js'
import { mapMatrices } from '../../model/graph/mapped-products.js'
import { type ModelProto, serializeModel } from '../../model/graph/onnx/onnx.js'
import { splitFusedNorms } from '../../model/graph/split-norms.js'
import { withUnboundedCaches } from '../../model/graph/unbounded-caches.js'
import { unpackWeights } from '../../model/unpack/unpack-weights.js'
import { type Device, hintForDevice } from './device.js'
import { int8SumsOverflow } from './int8-sums.js'
import type { Session, SessionProcess } from './session-process.js'

export interface SessionOptions {
  /** By default ONNX Runtime chooses: one for each physical core. */
  threads?: number | undefined
  device: Device
}

export interface PlacedOptions extends SessionOptions {
  /** Where sessions are loaded and run that may take long; this process if omitted, which then answers nothing meanwhile. */
  apart?: SessionProcess | undefined
}

export interface RunnerOptions extends PlacedOptions {
  /** Other sessions run in turn with this one: it holds no busy threads between runs. */
  shared?: boolean
  /** Whether the memory of a run is kept for the next, which is faster; by default only if it is not shared. */
  keepsMemory?: boolean
  /** Whether products hold weights in an order of their own, a second copy of each; by default they do. */
  packsWeights?: boolean
}

/** Releases the sessions that were opened. Those that failed to load are skipped: their callers got the error. */
export async function releaseAll(sessions: Promise<{ release(): Promise<void> }>[]): Promise<void> {
  for (const session of await Promise.allSettled(sessions)) {
    if (session.status === 'fulfilled') await session.value.release()
  }
}

/** The optimizer of ONNX Runtime that would fuse the norms that `splitFusedNorms` has split. */
const NORM_FUSIONS = 'SkipLayerNormFusion'

/**
 * Loads a graph into ONNX Runtime; weights are mapped from their files.
 * @throws LayerpruneError if the runtime refuses the graph or has no such device, or the process apart ends
 */
export async function createSession(
  ort: typeof import('onnxruntime-node'),
  decoder: DecoderGraph,
  { threads, device, apart, shared = false, keepsMemory = !shared, packsWeights = true }: RunnerOptions,
): Promise<Session> {
  const supported = ort.listSupportedBackends().map(({ name }) => name)
  if (!supported.includes(device)) {
    throw new LayerpruneError(`this build of ONNX Runtime has no device ${device}; it has ${supported.join(', ')}`, {
      hint: hintForDevice(device),
    })
  }
  const { weightsFolder, int8 } = decoder
  if (int8 === 'awaited') throw new Error('a decoder that awaits int8 weights cannot run: prepareModel makes them')
  try {
    const runnable = withUnboundedCaches(chooseWeightNodes(decoder))
    const isCpu = device === 'cpu'
    const fastest = isCpu ? splitFusedNorms(runnable) : runnable
    const overflows = isCpu && hasInt8Weights(runnable) && (await int8SumsOverflow(ort))
    const exact = overflows ? separateInt8Weights(fastest) : fastest
    const options: InferenceSession.SessionOptions = {
      executionProviders: [device],
      graphOptimizationLevel: 'all',
      // Batches differ in shape: buffers planned for each take more memory and save no time
      enableMemPattern: false,
      logSeverityLevel: 4,
      enableCpuMemArena: keepsMemory,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      extra: {
        ...(isCpu ? { optimization: { disable_specified_optimizers: NORM_FUSIONS } } : {}),
        session: {
          model_external_initializers_file_folder_path: weightsFolder,
          // Attention yields probabilities too small for a normal float, which slow its products down
          set_denormal_as_zero: '1',
          ...(overflows ? { x64quantprecision: '1' } : {}),
          ...(packsWeights ? {} : { disable_prepacking: '1' }),
          ...(shared ? { intra_op: { allow_spinning: '0' } } : {}),
        },
      },
    }
    const bytes = serializeModel(exact)
    return await (apart === undefined ? ort.InferenceSession.create(bytes, options) : apart.open(bytes, options))
  } catch (cause) {
    if (cause instanceof LayerpruneError) throw cause
    const on = device === 'cpu' ? '' : ` on the device ${device}`
    throw new LayerpruneError(`ONNX Runtime cannot load the graph${on}: ${(cause as Error).message}`, {
      cause,
      ...(on === '' ? {} : { hint: hintForDevice(device) }),
    })
  }
}

/** The graph of a decoder with the nodes that compute its weights, in each run or once. */
function chooseWeightNodes(decoder: DecoderGraph): ModelProto {
  const { model, parts } = unpackWeights(decoder)
  if (decoder.castsPerRun) return castWeightsPerRun(model, parts)
  return decoder.mapsMatrices ? mapMatrices(model) : model
}
