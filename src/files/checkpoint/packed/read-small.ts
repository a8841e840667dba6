import { closeSync, openSync, readSync } from 'node:fs'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import { damaged } from './raw-tensors.js'

/** What is said of one weight takes a few hundred bytes. */
const MOST_BYTES = 65_536

/**
 * The bytes of a small tensor.
 * @throws LayerpruneError if it is large, or its file ends before it
 */
export function readSmallTensor({ name, file, offsetBytes, sizeBytes }: TensorLocation): Buffer {
  if (sizeBytes > MOST_BYTES) {
    throw damaged(`tensor ${quoteName(name)} has ${sizeBytes} bytes, expected at most ${MOST_BYTES}`)
  }
  const bytes = Buffer.alloc(sizeBytes)
  const handle = openSync(file, 'r')
  try {
    const readBytes = readSync(handle, bytes, 0, sizeBytes, offsetBytes)
    if (readBytes !== sizeBytes) throw damaged(`${file} is truncated in tensor ${quoteName(name)}`)
  } finally {
    closeSync(handle)
  }
  return bytes
}
