import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ModelConfig, readModelConfig } from './checkpoint/config.js'
import { type Dtype, findOnnxFile } from './checkpoint/onnx-files.js'
import { LayerpruneError } from './errors.js'
import type { DecoderGraph } from './graph/decoder-graph.js'
import { readOnnxDecoder } from './graph/onnx-file.js'
import { describePrecision, type GraphPrecision } from './graph/precision.js'

export interface ModelOptions {
  /** Folder with config.json, the tokenizer and the weights. */
  model: string
  /** Which published precision to read; left out, the best one present. */
  dtype?: Dtype | undefined
  /** A graph file inside the folder, by name; wins over `dtype`. */
  modelFile?: string | undefined
  /** Told what was chosen where the caller left a choice. */
  onNote?: ((message: string) => void) | undefined
}

/** A decoder ready to be tapped, with what its checkpoint says of it. */
export interface Model {
  /** As the user named it. */
  id: string
  /** Real folder of config and tokenizer. */
  folder: string
  config: ModelConfig
  decoder: DecoderGraph
  precision: GraphPrecision
  /** The graph that was read, relative to the folder. */
  file: string
}

/**
 * Opens a model folder: reads its config, chooses the graph and finds the residual stream.
 * @throws LayerpruneError where something is missing, damaged or not supported
 */
export async function openModel(options: ModelOptions): Promise<Model> {
  const folder = resolve(options.model)
  await assertFolder(folder, options.model)
  const config = await readModelConfig(folder)
  const onnx = await findOnnxFile(folder, options)
  if (!onnx) {
    throw new LayerpruneError(`${options.model} has no .onnx graph in onnx/ or at its top`, {
      hint: 'download the onnx folder of the model, or name the file with --model-file',
    })
  }
  const decoder = await readOnnxDecoder(onnx.path, config.layers)
  const precision = describePrecision(decoder)
  if (options.dtype === 'fp32' && precision.dtype !== 'fp32') {
    throw new LayerpruneError(`fp32 was asked for, and ${onnx.file} computes in ${precision.dtype}`, {
      hint: `--dtype ${precision.dtype}, or another --model-file`,
    })
  }
  if (options.dtype === undefined && options.modelFile === undefined) {
    const others = onnx.others.length > 0 ? `; also there: ${onnx.others.join(', ')}` : ''
    options.onNote?.(`reading ${onnx.file} (${precision.dtype}${others})`)
  }
  return { id: options.model, folder, config, decoder, precision, file: onnx.file }
}

async function assertFolder(folder: string, named: string): Promise<void> {
  const info = await stat(folder).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read: ${cause.message}`
    throw new LayerpruneError(`model folder ${named} ${reason}`, {
      hint: 'give a folder with config.json, tokenizer.json and onnx/model.onnx, as downloaded from the Hub',
      cause,
    })
  })
  if (!info.isDirectory()) {
    throw new LayerpruneError(`${named} is a file, expected the model's folder`, {
      hint: 'name the folder with --model and a graph inside it with --model-file',
    })
  }
}
