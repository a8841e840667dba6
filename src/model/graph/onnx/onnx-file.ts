import { readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import { assertRegularFile } from '../../../base/regular-file.js'
import { assertRotaryTables } from '../checks/check-rotary.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { findResidualStream } from '../residual-stream.js'
import { initializersDeep, resolveExternalData, setExternalData } from './external-data.js'
import { copyMessage, dimensions, type GraphProto, type ModelProto, type ParsedModel, parseModel } from './onnx.js'
import { sortNodes } from './topology.js'

/** Weights above this stay in the file; smaller ones may be shapes and axes that ONNX Runtime needs in the graph. */
const INLINE_LIMIT_BYTES = 4096

/** protobuf's own limit for a message. */
const FILE_LIMIT_BYTES = 2 ** 31 - 1

/**
 * Reads a decoder from a published `.onnx` file and finds its residual stream. Weights stay in external data files or
 * inside the `.onnx` itself and are referred to by position.
 * @param layers number of layers that the model's config states
 * @param provide makes sure that external data files, named relative to the graph's folder, are there
 * @throws LayerpruneError if the file is missing, not ONNX, incomplete, or not a decoder
 */
export async function readOnnxDecoder(
  path: string,
  layers: number,
  provide?: (locations: string[]) => Promise<void>,
): Promise<DecoderGraph> {
  const bytes = await readOnnxBytes(path)
  const model = parse(bytes, path)
  const { graph } = model
  if (!graph || graph.node.length === 0) throw new LayerpruneError(`${path} holds no ONNX graph`)
  sortNodes(graph)
  assertRotaryTables(graph, basename(path))
  assertTokensOfTexts(graph, basename(path))
  await provide?.(listExternalFiles(graph))
  keepInlineWeightsInFile(graph, bytes, basename(path))
  const weightsFolder = await resolveExternalData(graph, dirname(path))
  return {
    model: copyMessage(model, { graph }) as ModelProto,
    weightsFolder,
    states: findResidualStream(graph, layers, basename(path)),
  }
}

/**
 * Refuses graphs with other inputs: a server's graph may take the tokens of all texts in one row with paged caches, and
 * that of a multimodal model embeddings instead of tokens.
 */
function assertTokensOfTexts({ input }: GraphProto, file: string): void {
  const ids = input.find(({ name }) => name === 'input_ids')
  if (ids === undefined && input.some(({ name }) => name === 'inputs_embeds')) {
    throw new LayerpruneError(`${file} takes embeddings (inputs_embeds), expected input_ids[batch, tokens]`, {
      hint: 'export the decoder with its embedding, in onnxruntime-genai with exclude_embeds=false',
    })
  }
  if (ids === undefined || dimensions(ids).length !== 1) return
  throw new LayerpruneError(
    `${file} takes the tokens of all texts in one row, as with paged attention, expected input_ids[batch, tokens]`,
    { hint: 'export the model again without use_paged_attention' },
  )
}

async function readOnnxBytes(path: string): Promise<Uint8Array> {
  await assertRegularFile(path)
  try {
    const { size } = await stat(path)
    if (size > FILE_LIMIT_BYTES) {
      throw new LayerpruneError(`${path} has ${size} bytes; an .onnx file has at most ${FILE_LIMIT_BYTES}`)
    }
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof LayerpruneError) throw cause
    throw new LayerpruneError(`${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

function parse(bytes: Uint8Array, path: string): ParsedModel {
  try {
    return parseModel(bytes)
  } catch (cause) {
    throw new LayerpruneError(`${path} is not a complete ONNX file: ${(cause as Error).message}`, {
      hint: 'download it again; a file of about 130 bytes is a Git LFS pointer, not the model',
      cause,
    })
  }
}

function listExternalFiles(graph: GraphProto): string[] {
  const entries = initializersDeep(graph).flatMap(({ externalData }) => externalData)
  return [...new Set(entries.filter(({ key }) => key === 'location').map(({ value }) => value))]
}

/** Raw data is a view of the file's bytes, so its position in the file is known. */
function keepInlineWeightsInFile(graph: GraphProto, bytes: Uint8Array, location: string): void {
  for (const tensor of initializersDeep(graph)) {
    const sizeBytes = tensor.rawData.byteLength
    if (sizeBytes <= INLINE_LIMIT_BYTES) continue
    setExternalData(tensor, {
      location,
      offsetBytes: tensor.rawData.byteOffset - bytes.byteOffset,
      sizeBytes,
    })
  }
}
