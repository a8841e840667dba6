import { Tensor } from 'onnxruntime-node'
import { expect, it } from 'vitest'
import { TensorStore } from '../../../src/jobs/repair/tensor-store.js'

const make = (first: number) => new Tensor('float32', Float32Array.of(first, 2, 3, 4, 5, 6), [1, 2, 3])

it('keeps tensors for which there is no room in a file, whose places are used again', async () => {
  const store = new TensorStore(30)
  const [inMemory, onDisk] = [await store.keep(make(1)), await store.keep(make(-1))]
  const original = await inMemory.read()
  expect(await inMemory.read()).toBe(original)
  const read = await onDisk.read()
  expect(read).not.toBe(await onDisk.read())
  expect(read.dims).toEqual([1, 2, 3])
  expect([...(read.data as Float32Array)]).toEqual([-1, 2, 3, 4, 5, 6])

  onDisk.free()
  const [again, more] = [await store.keep(make(7)), await store.keep(make(8))]
  expect(await firstOf(again)).toBe(7)
  expect(await firstOf(more)).toBe(8)
  inMemory.free()
  const held = await store.keep(make(9))
  expect(await held.read()).toBe(await held.read())
  await store.close()
})

async function firstOf(kept: { read(): Promise<Tensor> }): Promise<number> {
  return (await kept.read()).data[0] as number
}
