import type { InferenceSession } from 'onnxruntime-node'
import { LayerpruneError } from '../errors.js'

/**
 * Runs the graph of a session.
 * @throws LayerpruneError where ONNX Runtime fails in one of its nodes, as in a damaged graph, or for want of memory
 */
export async function runGraph(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
): Promise<InferenceSession.ReturnType> {
  try {
    return await session.run(feeds)
  } catch (cause) {
    const message = (cause as Error).message.trim()
    const hint = /alloc/i.test(message)
      ? 'run fewer or shorter texts at once: --batch-size, --max-length'
      : 'the graph or its weights may be damaged: download or export the model again'
    throw new LayerpruneError(`ONNX Runtime cannot run the graph: ${message}`, { hint, cause })
  }
}
