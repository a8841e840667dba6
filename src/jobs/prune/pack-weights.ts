import { open, realpath } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { readFully } from '../../files/checkpoint/read-fully.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import {
  type ExternalData,
  getExternalData,
  initializersDeep,
  setExternalData,
  setInlineData,
} from '../../model/graph/onnx/external-data.js'
import { DataLocation, type TensorProto } from '../../model/graph/onnx/onnx.js'
import { countDims, ELEMENT_BITS } from '../../model/graph/weight-sizes.js'
import type { PlannedFile } from '../write-model/planned-file.js'

/** Weights keep the alignment that they had, up to a page of memory. */
const PAGE_BYTES = 4096

/**
 * Puts the weights of a cut graph where they were in the whole one, without those that nothing reads any more:
 * back inside the graph, or close together into files beside it, as many as before. Their locations
 * in the graph are changed, in place.
 * @param graphFile the .onnx file that the graph was read from
 * @returns the files beside the graph, named as transformers.js looks for them: `model.onnx_data`, `_data_1`, ...
 */
export async function packWeights({ model, weightsFolder }: DecoderGraph, graphFile: string): Promise<PlannedFile[]> {
  const byFile = new Map<string, TensorProto[]>()
  for (const tensor of initializersDeep(model.graph)) {
    if (tensor.dataLocation !== DataLocation.EXTERNAL) continue
    const file = resolve(weightsFolder, getExternalData(tensor).location)
    byFile.set(file, [...(byFile.get(file) ?? []), tensor])
  }
  const inside = await realpath(graphFile)
  await takeInside(inside, byFile.get(inside) ?? [])
  byFile.delete(inside)
  const name = `${basename(graphFile)}_data`
  return [...byFile].map(([file, tensors], index) => packFile(index === 0 ? name : `${name}_${index}`, file, tensors))
}

/** Where a weight's bytes are; a file may omit their number, which follows from type and shape. */
function placeOf(tensor: TensorProto): ExternalData {
  const { offsetBytes, sizeBytes, location } = getExternalData(tensor)
  return { location, offsetBytes, sizeBytes: sizeBytes ?? countBytes(tensor) }
}

function countBytes(tensor: TensorProto): number {
  const bits = ELEMENT_BITS.get(tensor.dataType)
  if (bits === undefined) {
    throw new LayerpruneError(`external weight ${tensor.name} of type ${tensor.dataType} does not state its length`)
  }
  return Math.ceil((countDims(tensor) * bits) / 8)
}

async function takeInside(file: string, tensors: TensorProto[]): Promise<void> {
  const handle = await open(file, 'r')
  try {
    for (const tensor of tensors) {
      const { offsetBytes, sizeBytes } = placeOf(tensor)
      const bytes = new Uint8Array(sizeBytes)
      await readFully(handle, file, bytes, offsetBytes)
      setInlineData(tensor, bytes)
    }
  } finally {
    await handle.close()
  }
}

/** Weights that share their bytes keep sharing them. */
function packFile(name: string, file: string, tensors: TensorProto[]): PlannedFile {
  const parts: PlannedFile['parts'] = []
  const packed = new Map<string, ExternalData>()
  let end = 0
  for (const tensor of tensors) {
    const { offsetBytes, sizeBytes } = placeOf(tensor)
    const key = `${offsetBytes}:${sizeBytes}`
    const known = packed.get(key)
    if (known !== undefined) {
      setExternalData(tensor, known)
      continue
    }
    const alignment = alignmentOf(offsetBytes)
    const start = Math.ceil(end / alignment) * alignment
    if (start > end) parts.push(new Uint8Array(start - end))
    parts.push({ file, offsetBytes, sizeBytes })
    const place = { location: name, offsetBytes: start, sizeBytes }
    packed.set(key, place)
    setExternalData(tensor, place)
    end = start + sizeBytes
  }
  return { name, parts }
}

/** The largest power of two that divides an offset, at most a page. */
function alignmentOf(offsetBytes: number): number {
  let alignment = PAGE_BYTES
  while (offsetBytes % alignment !== 0) alignment /= 2
  return alignment
}
