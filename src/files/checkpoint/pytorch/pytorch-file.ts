import type { FileHandle } from 'node:fs/promises'
import { LayerpruneError } from '../../../base/errors.js'
import { assertNoPointer, withModelFile } from '../model-file.js'
import { bytesOfNumber } from '../safetensors-dtype.js'
import { quoteName, type SafetensorsHeader, type TensorLocation } from '../safetensors-header.js'
import { PickleError } from './pickle.js'
import { readStateDict, type StoredTensor } from './state-dict.js'
import { malformed, type OpenFile, readRange, readZipDirectory, type ZipEntry } from './zip-directory.js'

/** Some 300 bytes a tensor: 200,000 of them. */
const MAX_PICKLE_BYTES = 64_000_000
/** First bytes of a zip archive, and of a pickle of protocol 2 or later. */
const ZIP_MAGIC = 0x04034b50
const PICKLE_MAGIC = 0x80
const SAVE_AGAIN = 'load it with torch and save its state_dict as safetensors, if you trust it'

/**
 * Finds the tensors in a file that torch.save wrote (1.6 or later). The file is a zip archive: its pickle says which
 * tensors there are, and is read as data and never run; the numbers are beside it and not read.
 * @throws LayerpruneError if the file cannot be read, is malformed, holds anything but tensors, or stores a tensor in
 *   another order than row by row
 */
export async function readPytorchFile(path: string): Promise<SafetensorsHeader> {
  return withModelFile(path, async (handle, file) => {
    const tensors = await readTensors(handle, path, file)
    return { file, tensors, metadata: { format: 'pt' } }
  })
}

async function readTensors(handle: FileHandle, path: string, file: string): Promise<Map<string, TensorLocation>> {
  const stats = await handle.stat()
  if (!stats.isFile()) throw malformed(path, 'expected a file, found a folder')
  const source: OpenFile = { handle, path, sizeBytes: stats.size }
  await assertArchive(source)
  const entries = await readZipDirectory(source)
  const folder = findFolder(entries, path)
  await assertLittleEndian(source, entries.get(`${folder}byteorder`))
  const pickle = await readEntry(source, entries.get(`${folder}data.pkl`)!, MAX_PICKLE_BYTES)
  const places = new Map<string, { start: number; sizeBytes: number }>()
  const tensors = new Map<string, TensorLocation>()
  for (const [name, tensor] of readDict(pickle, path)) {
    const { key } = tensor.storage
    const entry = entries.get(`${folder}data/${key}`)
    if (entry === undefined) throw malformed(path, `the numbers of tensor ${quoteName(name)} are missing`)
    if (!places.has(key)) {
      places.set(key, { start: await entry.locate(), sizeBytes: entry.sizeBytes })
    }
    tensors.set(name, placeTensor(name, tensor, places.get(key)!, { path, file }))
  }
  return tensors
}

/** Before PyTorch 1.6 a file was a series of pickles with the numbers between them. */
async function assertArchive(file: OpenFile): Promise<void> {
  const start = await readRange(file, 0, Math.min(8, file.sizeBytes))
  assertNoPointer(start, file.path)
  if (start.length >= 4 && start.readUInt32LE() === ZIP_MAGIC) return
  if (start[0] !== PICKLE_MAGIC) throw malformed(file.path, 'it is not a zip archive')
  throw new LayerpruneError(`${file.path} has the form that PyTorch wrote before 1.6, which cannot be read`, {
    hint: SAVE_AGAIN,
  })
}

/** torch.save puts all into one folder, of any name. */
function findFolder(entries: Map<string, ZipEntry>, path: string): string {
  const found = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name))
  if (found.length !== 1) throw malformed(path, `it has ${found.length} pickles of tensors, expected one`)
  const folder = found[0]!.slice(0, -'data.pkl'.length)
  if (!entries.has(`${folder}constants.pkl`)) return folder
  throw new LayerpruneError(`${path} is a TorchScript program, not a file of tensors`, { hint: SAVE_AGAIN })
}

/** Files written before PyTorch 2.1 do not state it. */
async function assertLittleEndian(file: OpenFile, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return
  const order = (await readEntry(file, entry, 16)).toString('latin1')
  if (order === 'little') return
  throw new LayerpruneError(`${file.path} has ${quoteName(order)}-endian numbers, expected "little"`, {
    hint: 'save it again on a machine that is little-endian',
  })
}

async function readEntry(file: OpenFile, entry: ZipEntry, mostBytes: number): Promise<Buffer> {
  if (entry.sizeBytes > mostBytes) {
    throw malformed(file.path, `${quoteName(entry.name)} has ${entry.sizeBytes} bytes, expected at most ${mostBytes}`)
  }
  return readRange(file, await entry.locate(), entry.sizeBytes)
}

function readDict(pickle: Uint8Array, path: string): Map<string, StoredTensor> {
  try {
    return readStateDict(pickle, path)
  } catch (cause) {
    if (cause instanceof PickleError) throw malformed(path, `its pickle is damaged: ${cause.message}`)
    throw cause
  }
}

/** Where a tensor is in the file, if its numbers lie there row by row. */
function placeTensor(
  name: string,
  { storage, offset, shape, strides }: StoredTensor,
  place: { start: number; sizeBytes: number },
  { path, file }: { path: string; file: string },
): TensorLocation {
  const count = shape.reduce((product, size) => product * size, 1)
  if (count > 0 && !isRowByRow(shape, strides)) {
    throw new LayerpruneError(
      `${path} stores tensor ${quoteName(name)} with the strides [${strides.join(', ')}], expected its rows one after the other`,
      { hint: 'load it with torch, make its tensors contiguous and save them as safetensors' },
    )
  }
  const numberBytes = bytesOfNumber(storage.dtype)
  const end = (offset + count) * numberBytes
  if (!(end <= place.sizeBytes)) {
    throw malformed(path, `tensor ${quoteName(name)} ends at byte ${end} of its numbers, which have ${place.sizeBytes}`)
  }
  return {
    name,
    dtype: storage.dtype,
    shape,
    file,
    offsetBytes: place.start + offset * numberBytes,
    sizeBytes: count * numberBytes,
  }
}

/** The stride of an axis of one index has no meaning. */
function isRowByRow(shape: number[], strides: number[]): boolean {
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== stride) return false
    stride *= shape[axis]!
  }
  return true
}
