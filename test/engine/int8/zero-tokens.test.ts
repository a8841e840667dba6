import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import * as ort from 'onnxruntime-node'
import { expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { quantizeDecoder } from '../../../src/engine/int8/quantize-decoder.js'
import { createSession } from '../../../src/engine/sessions/session.js'
import { setExternalData } from '../../../src/model/graph/onnx/external-data.js'
import {
  createModel,
  DataType,
  MICROSOFT_DOMAIN,
  makeGraph,
  makeNode,
  makeValueInfo,
} from '../../../src/model/graph/onnx/onnx.js'
import { ONE_THREAD } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const INPUTS = 64
const OUTPUTS = 32

/** A decoder whose only layer is a product with a random matrix. */
function makeDecoder() {
  const folder = makeTempFolder()
  const random = createRandom(3)
  const weights = Float32Array.from({ length: INPUTS * OUTPUTS }, () => random.below(2 ** 24) / 2 ** 24 - 0.5)
  writeFileSync(join(folder, 'matrix'), new Uint8Array(weights.buffer))
  const dims = [OUTPUTS, INPUTS].map(BigInt)
  const matrix = create(TensorProtoSchema, { name: 'matrix', dataType: DataType.FLOAT, dims })
  setExternalData(matrix, { location: 'matrix', offsetBytes: 0, sizeBytes: weights.byteLength })
  const graph = makeGraph({
    name: 'product',
    node: [makeNode('FusedMatMul', ['tokens', 'matrix'], ['product'], { transB: 1 }, MICROSOFT_DOMAIN)],
    input: [makeValueInfo('tokens', DataType.FLOAT, ['batch', 'tokens', INPUTS])],
    output: [makeValueInfo('product', DataType.FLOAT, ['batch', 'tokens', OUTPUTS])],
  })
  graph.initializer = [matrix]
  const opsetImport = [
    { domain: '', version: 21n },
    { domain: MICROSOFT_DOMAIN, version: 1n },
  ]
  const model = createModel({ irVersion: 10n, opsetImport, graph })
  return { model, weightsFolder: folder, states: ['tokens', 'product'] }
}

it('tokens of zeros give zeros, and those with NaN or infinity anywhere give no number', async () => {
  const decoder = makeDecoder()
  const quantized = await quantizeDecoder(decoder, { cacheFolder: makeTempFolder(), tensors: undefined })
  const session = await createSession(ort, quantized, ONE_THREAD)
  const rows = [0, 1, 1e-42, Number.NaN, Number.POSITIVE_INFINITY].flatMap((value) =>
    Array.from({ length: INPUTS }, (_, channel) => (Number.isFinite(value) || channel === 37 ? value : 1)),
  )
  const tokens = new ort.Tensor('float32', Float32Array.from(rows), [1, 5, INPUTS])
  const product = (await session.run({ tokens })).product!.data as Float32Array
  await session.release()
  const [zeros, ones, tiny, ...others] = Array.from({ length: 5 }, (_, row) =>
    product.slice(row * OUTPUTS, (row + 1) * OUTPUTS),
  )
  expect([...zeros!].every((value) => value === 0)).toBe(true)
  expect([...tiny!].every((value) => Math.abs(value) < 1e-38)).toBe(true)
  expect([...ones!].every((value) => Number.isFinite(value) && value !== 0)).toBe(true)
  for (const row of others) expect([...row].some(Number.isFinite)).toBe(false)
})
