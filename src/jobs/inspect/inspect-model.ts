import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { VERSION } from '../../base/version.js'
import { describeQuantized } from '../../engine/int8/quantize-decoder.js'
import {
  chooseModelWeights,
  type Format,
  type LocatedModel,
  locateModel,
  type Model,
  type ModelOptions,
  openWeights,
  provideWeights,
} from '../../engine/model.js'
import { estimateMemory, type MemoryEstimate } from '../../engine/sessions/estimate-memory.js'
import type { Packing } from '../../files/checkpoint/packed/packing.js'
import { countOutside } from '../../model/builder/build-decoder.js'
import { FAMILIES } from '../../model/families/table.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type { BaseModel } from '../../results/documents/similarity-result.js'
import { countParameters, type ParameterCounts } from '../run/parameters.js'

/** What `inspect --json` prints. Keys may be added; none changes its meaning. */
export interface Inspection {
  schema: typeof SCHEMAS.inspect
  model: {
    /** As the user named it. */
    id: string
    /** Commit of the Hub; null for a folder that the user named. */
    revision: string | null
    /** The model that the adapter `id` is merged into; omitted if `id` is a whole model. */
    base?: BaseModel
    /** `model_type` of the decoder. */
    family: string
    /** `model_type` of the model of images or sound and text that holds the decoder; null for a standalone decoder. */
    wrapper: string | null
    /** Well-known models of the family; null if its safetensors cannot be read. */
    title: string | null
    layers: number
    hiddenSize: number
    heads: number
    kvHeads: number
    headDim: number
    /** Positions of the config; null if it does not say. */
    maxPositions: number | null
    /** What the checkpoint stores: float32, float16 or bfloat16; null if the config states none of these. */
    checkpointDtype: string | null
    /** Keys of config.json ignored at the user's request; omitted if there are none. */
    ignoredConfigKeys?: string[]
  }
  /** Weight files, graphs and shards in the model's folder. */
  files: { file: string; sizeBytes: number }[]
  /** Whether and from which format `similarity` can run it, else why not; `packing` is how its weights are packed. */
  analysis:
    | { possible: true; format: Format; file: string; dtype: string; packing: Packing | null }
    | { possible: false; problem: string; hint: string | null }
  /** Counts of the decoder, and `outside` it: of towers for images or sound. Null if it cannot be analysed. */
  parameters: (ParameterCounts & { total: number; outside: number }) | null
  /** Null if the model cannot be analysed. */
  memory: MemoryEstimate | null
  layerpruneVersion: string
}

/** Files that hold weights or a graph. */
const WEIGHT_FILE = /\.(safetensors|onnx|onnx_data(_\d+)?|onnx\.data|data|bin|gguf|pt|pth|h5|msgpack|npz)$/

/**
 * Reports what a model is and whether it can be analysed, from the headers of its files; the weights themselves are not
 * read. For a model on the Hub it downloads the same files as an analysis.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if the model or its config is missing or damaged
 */
export async function inspectModel(options: ModelOptions): Promise<Inspection> {
  const located = await locateModel(options)
  const { id, revision, folder, config, source, adapter } = located
  const findings = await tryToOpen(located, options)
  const { family, wrapper, layers, hiddenSize, heads, kvHeads, headDim, maxPositions } = config
  return {
    schema: SCHEMAS.inspect,
    model: {
      id,
      revision,
      ...(adapter && { base: { id: adapter.base, revision: adapter.baseRevision } }),
      family,
      wrapper,
      title: Object.hasOwn(FAMILIES, family) ? FAMILIES[family]!.title : null,
      layers,
      hiddenSize,
      heads,
      kvHeads,
      headDim,
      maxPositions,
      checkpointDtype: config.storedDtype,
      ...(config.ignoredKeys && { ignoredConfigKeys: [...config.ignoredKeys] }),
    },
    files: [
      ...(adapter ? await measureFiles(adapter.folder, [adapter.file]) : []),
      ...(await measureFiles(
        folder,
        source.names.filter((name) => WEIGHT_FILE.test(name)),
      )),
    ],
    ...findings,
    layerpruneVersion: VERSION,
  }
}

type Findings = Pick<Inspection, 'analysis' | 'parameters' | 'memory'>

/**
 * Takes the steps of an analysis up to where it would read weights.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if weights cannot be downloaded
 */
async function tryToOpen(located: LocatedModel, options: ModelOptions): Promise<Findings> {
  const weights = await orProblem(async () => chooseModelWeights(located, options, 'measure'))
  if (weights instanceof LayerpruneError) return describeProblem(weights)
  await provideWeights(located, weights)
  const { dtype, modelFile } = options
  const findings = await orProblem(async () =>
    describeAnalysis(await openWeights(located, weights, { dtype, modelFile })),
  )
  return findings instanceof LayerpruneError ? describeProblem(findings) : findings
}

/** What an action returns, or the error that says why the model cannot be analysed. */
async function orProblem<T>(action: () => Promise<T>): Promise<T | LayerpruneError> {
  return action().catch((cause: unknown) => {
    if (cause instanceof LayerpruneError && cause.exitCode === 1) return cause
    throw cause
  })
}

function describeProblem({ message, hint }: LayerpruneError): Findings {
  return {
    analysis: { possible: false, problem: message, hint: hint ?? null },
    parameters: null,
    memory: null,
  }
}

function describeAnalysis({ decoder, config, format, file, packing, precision, tensors }: Model): Findings {
  const counts = countParameters(decoder)
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return {
    analysis: { possible: true, format, file, dtype: precision.dtype, packing },
    parameters: { ...counts, total, outside: tensors === undefined ? 0 : countOutside(config, tensors) },
    memory: estimateMemory(decoder.int8 === 'awaited' ? describeQuantized(decoder) : decoder, config),
  }
}

/** The files that are on this machine. */
async function measureFiles(folder: string, names: string[]): Promise<Inspection['files']> {
  const found = await Promise.all(
    names.map(async (file) => {
      const sizeBytes = await sizeOf(join(folder, file))
      return sizeBytes === null ? [] : [{ file, sizeBytes }]
    }),
  )
  return found.flat()
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new LayerpruneError(`${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
