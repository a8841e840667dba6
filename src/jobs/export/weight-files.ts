import { type ComputedWeight, computeFloats } from '../../engine/sessions/read-floats.js'
import type { ExportedGraph } from '../../model/export/export-graph.js'
import type { ExportedWeight } from '../../model/export/weight-forms.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { setExternalData } from '../../model/graph/onnx/external-data.js'
import { indexGraph, nodesUpstream } from '../../model/graph/onnx/topology.js'
import { countDims, ELEMENT_BITS } from '../../model/graph/weight-sizes.js'
import type { PlannedFile, StreamedBytes } from '../write-model/planned-file.js'

/** A browser holds a file in one buffer, which is smaller than 2 GiB. */
const MOST_FILE_BYTES = 2e9
/** Weights start at a page of memory, so that they can be mapped; smaller ones at a line of the cache. */
const PAGE_BYTES = 4096
const LINE_BYTES = 64

/**
 * Plans the files that hold the weights of an exported graph, and tells its initializers where they are, in place. Each
 * weight is computed when it is written; one is held at a time.
 * @param decoder    what the graph was made of
 * @param graphFile  name of the graph's file: those of its weights are `model.onnx_data`, `model.onnx_data_1`, ...
 */
export function planWeightFiles(decoder: DecoderGraph, { weights }: ExportedGraph, graphFile: string): PlannedFile[] {
  const read = makeReader(decoder)
  const files: PlannedFile[] = []
  let endBytes = Number.POSITIVE_INFINITY
  for (const weight of weights) {
    let startBytes = align(endBytes, weight.sizeBytes)
    if (startBytes + weight.sizeBytes > MOST_FILE_BYTES) {
      files.push({ name: `${graphFile}_data${files.length === 0 ? '' : `_${files.length}`}`, parts: [] })
      startBytes = 0
      endBytes = 0
    }
    const { name, parts } = files.at(-1)!
    if (startBytes > endBytes) parts.push(new Uint8Array(startBytes - endBytes))
    parts.push(makeWhenWritten(weight, read))
    place(weight, name, startBytes)
    endBytes = startBytes + weight.sizeBytes
  }
  return files
}

function align(position: number, sizeBytes: number): number {
  const alignment = sizeBytes < PAGE_BYTES ? LINE_BYTES : PAGE_BYTES
  return Math.ceil(position / alignment) * alignment
}

function place({ tensors }: ExportedWeight, location: string, startBytes: number): void {
  let offsetBytes = startBytes
  for (const tensor of tensors) {
    const sizeBytes = (countDims(tensor) * ELEMENT_BITS.get(tensor.dataType)!) / 8
    setExternalData(tensor, { location, offsetBytes, sizeBytes })
    offsetBytes += sizeBytes
  }
}

function makeWhenWritten(
  weight: ExportedWeight,
  read: (weight: ExportedWeight) => Promise<Float32Array>,
): StreamedBytes {
  return {
    sizeBytes: weight.sizeBytes,
    async *stream() {
      yield* weight.encode(await read(weight))
    },
  }
}

/** Computes the sources of exported weights, each from the nodes and the stored weights that it follows from. */
function makeReader(decoder: DecoderGraph): (weight: ExportedWeight) => Promise<Float32Array> {
  const { graph } = decoder.model
  const topology = indexGraph(graph)
  const select = ({ source, shape, isTransposed }: ExportedWeight): ComputedWeight => {
    const nodes = [...nodesUpstream(topology, [source], { shapes: true })].sort((a, b) => a - b)
    const names = new Set([source, ...nodes.flatMap((position) => topology.reads[position]!)])
    return {
      tensor: source,
      shape,
      nodes: nodes.map((position) => topology.nodes[position]!),
      initializers: graph.initializer.filter(({ name }) => names.has(name)),
      isTransposed,
    }
  }
  return (weight) => computeFloats(decoder, select(weight))
}
