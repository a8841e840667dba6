import type { Decoder } from '../families/describe/description.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import {
  BATCH,
  createModel,
  DataType,
  MICROSOFT_DOMAIN,
  type ModelProto,
  makeNode,
  makeValueInfo,
  TOKENS,
} from '../graph/onnx/onnx.js'
import { POSITIONS_INPUT, SEEN_UNTIL_INPUT } from '../graph/tree-attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeLayer } from './layer.js'
import { writeCap, writeLinear } from './linear.js'
import { writeNorm } from './norm.js'
import { preparePerLayerEmbeddings } from './per-layer-embeddings.js'
import { ResidualStream } from './residual-stream.js'
import { type TokenShape, writePositions } from './rope.js'
import { SharedInputs } from './shared-inputs.js'
import { writeSinusoids } from './sinusoids.js'

type Head = NonNullable<Decoder['head']>

const IR_VERSION = 10n
const OPSET = 21n

/** The texts that a decoder is written for. */
export interface TextForm {
  /** Whether they may be prefix trees. */
  areTrees: boolean
  areLong: boolean
}

/** Writes a decoder from input_ids to logits and names its states. */
export function writeDecoder(
  writer: DecoderWriter,
  decoder: Decoder,
  { areTrees, areLong }: TextForm,
): Pick<DecoderGraph, 'model' | 'states'> {
  const tree = areTrees ? { positions: POSITIONS_INPUT, seenUntil: SEEN_UNTIL_INPUT } : null
  const shape = writer.inScope('shape', () => ({ ...writeTokenShape(writer), tree, areLong }))
  const embedded = writer.inScope('embedding', () => writeEmbedding(writer, decoder, shape))
  const ownEmbedding = preparePerLayerEmbeddings(writer, decoder.perLayerEmbeddings, embedded)
  const stream = new ResidualStream(writer, embedded)
  const shared = new SharedInputs(writer, shape, embedded)
  const states = decoder.layers.map((layer, index) =>
    writer.inScope(`layers.${index}`, () => writeLayer(writer, layer, stream, shared, ownEmbedding(index))),
  )
  const [final, logits] = writer.inScope('head', () => {
    const normed = stream.norm(decoder.finalNorm)
    states.push(stream.value())
    return [normed, decoder.head ? writeHead(writer, decoder.head, normed) : null]
  })
  const output =
    logits === null
      ? { name: 'last_hidden_state', tensor: final, size: decoder.hiddenSize }
      : { name: 'logits', tensor: logits, size: decoder.head!.linear.outputs }
  return { model: makeModel(writer, output, tree === null ? [] : Object.values(tree)), states }
}

function writeTokenShape(writer: GraphWriter): Omit<TokenShape, 'tree' | 'areLong'> {
  const dimensions = writer.op('Shape', ['input_ids'])
  const at = (axis: number) => writer.op('Gather', [dimensions, writer.integers([axis], [])])
  return { inputIds: 'input_ids', attentionMask: 'attention_mask', batch: at(0), tokens: at(1) }
}

/** State 0. */
function writeEmbedding(
  writer: DecoderWriter,
  { embedding, vocabulary, hiddenSize }: Decoder,
  shape: TokenShape,
): string {
  const { weights } = writer
  let state = weights.lookUp(embedding.weight, [vocabulary, embedding.size], shape.inputIds)
  if (embedding.projection) state = writeLinear(writer, embedding.projection, state)
  if (embedding.scale !== 1) state = writer.op('Mul', [state, writer.float(embedding.scale)])
  if (embedding.positions) {
    const { offset } = embedding.positions
    const numbers = writePositions(writer, shape, offset)
    const added =
      embedding.positions.kind === 'sinusoids'
        ? writeSinusoids(writer, embedding.positions, numbers)
        : weights.lookUp(embedding.positions.weight, [embedding.positions.count + offset, hiddenSize], numbers)
    state = writer.op('Add', [state, added])
  }
  return embedding.norm ? writeNorm(writer, embedding.norm, state) : state
}

function writeHead(writer: DecoderWriter, head: Head, input: string): string {
  const projected = head.projection ? writeLinear(writer, head.projection, input) : input
  let logits = writeLinear(writer, head.linear, projected)
  if (head.scale !== 1) logits = writer.op('Mul', [logits, writer.float(head.scale)])
  return head.softcap === null ? logits : writeCap(writer, logits, head.softcap)
}

function makeModel(
  writer: GraphWriter,
  output: { name: string; tensor: string; size: number },
  treeInputs: string[],
): ModelProto {
  return createModel({
    irVersion: IR_VERSION,
    producerName: 'layerprune',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: MICROSOFT_DOMAIN, version: 1n },
    ],
    graph: {
      name: 'decoder',
      node: [...writer.nodes, makeNode('Identity', [output.tensor], [output.name])],
      initializer: [...writer.initializers.values()],
      valueInfo: writer.valueInfos,
      input: ['input_ids', 'attention_mask', ...treeInputs].map((name) =>
        makeValueInfo(name, DataType.INT64, [BATCH, TOKENS]),
      ),
      output: [makeValueInfo(output.name, DataType.FLOAT, [BATCH, TOKENS, output.size])],
    },
  })
}
