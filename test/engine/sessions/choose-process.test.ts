import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import { expect, it } from 'vitest'
import { chooseProcess } from '../../../src/engine/sessions/choose-process.js'
import { SessionProcess } from '../../../src/engine/sessions/session-process.js'
import {
  createOwnModel,
  DataLocation,
  DataType,
  makeGraph,
  makeNode,
  makeValueInfo,
} from '../../../src/model/graph/onnx/onnx.js'

/** A graph that multiplies by a float32 matrix in a file. */
function makeProduct(rows: number, columns: number) {
  const graph = makeGraph({
    name: 'product',
    node: [makeNode('MatMul', ['x', 'w'], ['y'])],
    input: [makeValueInfo('x', DataType.FLOAT, [1, rows])],
    output: [makeValueInfo('y', DataType.FLOAT, [1, columns])],
  })
  const dims = [BigInt(rows), BigInt(columns)]
  graph.initializer = [
    create(TensorProtoSchema, { name: 'w', dataType: DataType.FLOAT, dims, dataLocation: DataLocation.EXTERNAL }),
  ]
  return { model: createOwnModel(graph), weightsFolder: '', states: [] }
}

it('takes the other process for parts that may hold a thread for long, if there is one', () => {
  const apart = new SessionProcess()
  expect(chooseProcess(makeProduct(4000, 2400), apart)).toBeUndefined()
  expect(chooseProcess(makeProduct(4000, 2600), apart)).toBe(apart)
  expect(chooseProcess(makeProduct(4000, 2600), undefined)).toBeUndefined()
})
