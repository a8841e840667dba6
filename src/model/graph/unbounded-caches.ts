import { copyMessage, type ModelProto } from './onnx/onnx.js'

/** Says that a cache is as long as the attention's window, and that ONNX Runtime refuses a shorter one. */
const BOUNDED_CACHE = 'sliding_window_cache'

/**
 * Makes every attention take an empty cache. The window itself is another attribute, which stays.
 * @returns a new model that shares nodes and weights with the given one, or that one if it has no such attention
 */
export function withUnboundedCaches(model: ModelProto): ModelProto {
  const { graph } = model
  const isBounded = ({ name }: { name: string }) => name === BOUNDED_CACHE
  if (!graph.node.some(({ attribute }) => attribute.some(isBounded))) return model
  const node = graph.node.map((node) =>
    node.attribute.some(isBounded)
      ? copyMessage(node, { attribute: node.attribute.filter((attribute) => !isBounded(attribute)) })
      : node,
  )
  return copyMessage(model, { graph: copyMessage(graph, { node }) })
}
