import type { Attention, Decoder, Layer, Norm } from '../families/description.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import {
  BATCH,
  createModel,
  DataType,
  MICROSOFT_DOMAIN,
  type ModelProto,
  makeNode,
  makeValueInfo,
  TOKENS,
} from '../graph/onnx.js'
import { type AttentionInputs, writeAttention } from './attention.js'
import { type Spans, writeSpans } from './causal-attention.js'
import type { GraphWriter } from './graph-writer.js'
import { writeLinear } from './linear.js'
import { writeMlp } from './mlp.js'
import { writeNorm, writeSumAndNorm } from './norm.js'
import { type RopeTables, type TokenShape, writeRopeTables } from './rope.js'
import type { Weights } from './weights.js'

type Head = NonNullable<Decoder['head']>

const IR_VERSION = 10n
const OPSET = 21n

/** Writes a decoder from input_ids to logits and names its states. */
export function writeDecoder(
  decoder: Decoder,
  writer: GraphWriter,
  weights: Weights,
): Pick<DecoderGraph, 'model' | 'states'> {
  const shape = writeTokenShape(writer)
  const shared = shareAttentionInputs(writer, shape)
  const stream = new ResidualStream(writer, weights, writeEmbedding(writer, weights, decoder, shape))
  const states = decoder.layers.map((layer, index) => {
    writer.scope = `layers.${index}`
    return writeLayer(writer, weights, layer, stream, shared(layer.attention))
  })
  writer.scope = 'head'
  const final = stream.norm(decoder.finalNorm)
  states.push(stream.value())
  const logits = decoder.head ? writeHead(writer, weights, decoder.head, final) : null
  const output =
    logits === null
      ? { name: 'last_hidden_state', tensor: final, size: decoder.hiddenSize }
      : { name: 'logits', tensor: logits, size: decoder.vocabulary }
  return { model: makeModel(writer, output), states }
}

/** The residual stream. Its last addition waits for the norm that follows, so that one node does both. */
class ResidualStream {
  readonly #writer: GraphWriter
  readonly #weights: Weights
  #sum: string
  #pending: string | null = null

  constructor(writer: GraphWriter, weights: Weights, start: string) {
    this.#writer = writer
    this.#weights = weights
    this.#sum = start
  }

  add(branch: string): void {
    this.#sum = this.value()
    this.#pending = branch
  }

  value(): string {
    if (this.#pending !== null) {
      this.#sum = this.#writer.op('Add', [this.#sum, this.#pending])
      this.#pending = null
    }
    return this.#sum
  }

  /** The normed stream, which itself does not change; without a norm, the stream. */
  norm(norm: Norm | null): string {
    if (norm === null) return this.value()
    if (this.#pending === null) return writeNorm(this.#writer, this.#weights, norm, this.#sum)
    const [normed, sum] = writeSumAndNorm(this.#writer, this.#weights, norm, this.#sum, this.#pending)
    this.#sum = sum
    this.#pending = null
    return normed
  }

  /** Norms the stream itself. */
  replace(norm: Norm | null): void {
    if (norm !== null) this.#sum = this.norm(norm)
  }
}

/** Adds a layer to the stream and returns the state that entered it. */
function writeLayer(
  writer: GraphWriter,
  weights: Weights,
  layer: Layer,
  stream: ResidualStream,
  shared: AttentionInputs,
): string {
  const { norms, attention, mlp, parallel, residualMultiplier } = layer
  const finish = (branch: string, norm: Norm | null) => {
    const normed = norm === null ? branch : writeNorm(writer, weights, norm, branch)
    return residualMultiplier === 1 ? normed : writer.op('Mul', [normed, writer.float(residualMultiplier)])
  }
  const attentionInput = stream.norm(norms.beforeAttention)
  const state = stream.value()
  writer.scope += '.attention'
  const mixed = finish(
    writeAttention(writer, weights, attention, attentionInput, shared),
    norms.afterAttention,
  )
  writer.scope = writer.scope.replace('.attention', '.mlp')
  if (parallel) {
    const mlpInput = norms.beforeMlp === null ? attentionInput : stream.norm(norms.beforeMlp)
    const mapped = finish(writeMlp(writer, weights, mlp, mlpInput), norms.afterMlp)
    stream.add(writer.op('Add', [mixed, mapped]))
    return state
  }
  stream.add(mixed)
  stream.replace(norms.streamAfterAttention)
  stream.add(finish(writeMlp(writer, weights, mlp, stream.norm(norms.beforeMlp)), norms.afterMlp))
  stream.replace(norms.streamAfterMlp)
  return state
}

function writeTokenShape(writer: GraphWriter): TokenShape {
  writer.scope = 'shape'
  const dimensions = writer.op('Shape', ['input_ids'])
  const at = (axis: number) => writer.op('Gather', [dimensions, writer.integers([axis], [])])
  return { inputIds: 'input_ids', attentionMask: 'attention_mask', batch: at(0), tokens: at(1) }
}

/** What attention needs besides its layer's own tensors, written once for all layers that need the same. */
function shareAttentionInputs(
  writer: GraphWriter,
  shape: TokenShape,
): (attention: Attention) => AttentionInputs {
  const tables = new Map<string, RopeTables>()
  const spans = new Map<string, Spans>()
  const writeOnce = <V>(known: Map<string, V>, form: object, write: () => V): V => {
    const key = JSON.stringify(form)
    const value = known.get(key) ?? write()
    known.set(key, value)
    return value
  }
  return ({ rope, heads, kvHeads, window, alibi }) => {
    const form = { heads, kvHeads, window, alibi }
    return {
      rope: rope && writeOnce(tables, rope, () => writeRopeTables(writer, rope, shape)),
      spans: writeOnce(spans, form, () => writeSpans(writer, shape.tokens, form)),
    }
  }
}

/** State 0. A lookup reads the stored table, and only the rows it finds are converted. */
function writeEmbedding(
  writer: GraphWriter,
  weights: Weights,
  { embedding, vocabulary, hiddenSize }: Decoder,
  shape: TokenShape,
): string {
  writer.scope = 'embedding'
  const lookUp = (table: string, rows: string) =>
    writer.op('Cast', [writer.op('Gather', [table, rows])], { to: DataType.FLOAT })
  let state = lookUp(weights.stored(embedding.weight, [vocabulary, embedding.size]), shape.inputIds)
  if (embedding.projection) state = writeLinear(writer, weights, embedding.projection, state)
  if (embedding.scale !== 1) state = writer.op('Mul', [state, writer.float(embedding.scale)])
  if (embedding.positions) {
    const { weight, count, offset } = embedding.positions
    const rows = writer.op('Range', [
      writer.integers([offset], []),
      writer.op('Add', [shape.tokens, writer.integers([offset], [])]),
      writer.integers([1], []),
    ])
    state = writer.op('Add', [state, lookUp(weights.stored(weight, [count + offset, hiddenSize]), rows)])
  }
  return embedding.norm ? writeNorm(writer, weights, embedding.norm, state) : state
}

function writeHead(writer: GraphWriter, weights: Weights, head: Head, input: string): string {
  const projected = head.projection ? writeLinear(writer, weights, head.projection, input) : input
  let logits = writeLinear(writer, weights, head.linear, projected)
  if (head.scale !== 1) logits = writer.op('Mul', [logits, writer.float(head.scale)])
  if (head.softcap === null) return logits
  const cap = writer.float(head.softcap)
  return writer.op('Mul', [writer.op('Tanh', [writer.op('Div', [logits, cap])]), cap])
}

function makeModel(writer: GraphWriter, output: { name: string; tensor: string; size: number }): ModelProto {
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
      input: ['input_ids', 'attention_mask'].map((name) =>
        makeValueInfo(name, DataType.INT64, [BATCH, TOKENS]),
      ),
      output: [makeValueInfo(output.name, DataType.FLOAT, [BATCH, TOKENS, output.size])],
    },
  })
}
