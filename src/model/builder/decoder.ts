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
import { type Caches, TOTAL, writeContinuedTexts } from './caches.js'
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

/** The input of a graph with caches that says of how many of the last tokens the logits are asked for. */
const KEEP_INPUT = 'num_logits_to_keep'
const KEPT = 'kept_tokens'

/** The texts that a decoder is written for. */
export interface TextForm {
  /** Whether they may be prefix trees. */
  areTrees: boolean
  areLong: boolean
  /** Whether each run continues the texts of earlier ones: adds the inputs and outputs of `caches.ts`. */
  areContinued: boolean
}

/** Writes a decoder from input_ids to logits and names its states. */
export function writeDecoder(
  writer: DecoderWriter,
  decoder: Decoder,
  { areTrees, areLong, areContinued }: TextForm,
): Pick<DecoderGraph, 'model' | 'states'> {
  const tree = areTrees ? { positions: POSITIONS_INPUT, seenUntil: SEEN_UNTIL_INPUT } : null
  const shape = writer.inScope('shape', () => {
    const plain = writeTokenShape(writer)
    return { ...plain, tree, areLong, continued: areContinued ? writeContinuedTexts(writer, plain) : null }
  })
  const embedded = writer.inScope('embedding', () => writeEmbedding(writer, decoder, shape))
  const ownEmbedding = preparePerLayerEmbeddings(writer, decoder.perLayerEmbeddings, embedded)
  const stream = new ResidualStream(writer, embedded)
  const shared = new SharedInputs(writer, shape, embedded)
  const states = decoder.layers.map((layer, index) => {
    shape.continued?.caches.enterLayer(index)
    return writer.inScope(`layers.${index}`, () => writeLayer(writer, layer, stream, shared, ownEmbedding(index)))
  })
  const [final, logits] = writer.inScope('head', () => {
    const normed = stream.norm(decoder.finalNorm)
    states.push(stream.value())
    const asked = areContinued ? takeLast(writer, normed) : normed
    return [asked, decoder.head ? writeHead(writer, decoder.head, asked) : null]
  })
  const output =
    logits === null
      ? { name: 'last_hidden_state', tensor: final, size: decoder.hiddenSize }
      : { name: 'logits', tensor: logits, size: decoder.head!.linear.outputs }
  const treeInputs = tree === null ? [] : Object.values(tree)
  return { model: makeModel(writer, output, treeInputs, shape.continued?.caches), states }
}

function writeTokenShape(writer: GraphWriter): Omit<TokenShape, 'tree' | 'areLong' | 'continued'> {
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

/** The last `num_logits_to_keep` of the new tokens; 0 stands for all. */
function takeLast(writer: GraphWriter, states: string): string {
  const start = writer.op('Unsqueeze', [writer.op('Neg', [KEEP_INPUT]), writer.integers([0])])
  return writer.op('Slice', [states, start, writer.integers([Number.MAX_SAFE_INTEGER]), writer.integers([1])])
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
  caches: Caches | undefined,
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
      input: [
        makeValueInfo('input_ids', DataType.INT64, [BATCH, TOKENS]),
        makeValueInfo('attention_mask', DataType.INT64, [BATCH, caches === undefined ? TOKENS : TOTAL]),
        ...treeInputs.map((name) => makeValueInfo(name, DataType.INT64, [BATCH, TOKENS])),
        ...(caches === undefined ? [] : [makeValueInfo(KEEP_INPUT, DataType.INT64, []), ...caches.inputs]),
      ],
      output: [
        makeValueInfo(output.name, DataType.FLOAT, [BATCH, caches === undefined ? TOKENS : KEPT, output.size]),
        ...(caches?.outputs ?? []),
      ],
    },
  })
}
