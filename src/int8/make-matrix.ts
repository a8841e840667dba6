import { open } from 'node:fs/promises'
import { decodeFloats } from '../checkpoint/decode-floats.js'
import { LayerpruneError } from '../errors.js'
import { FLOAT_DTYPES } from '../graph/element-types.js'
import type { NormWeights, Turn } from '../graph/rotate-stream.js'
import type { StoredNumbers, WeightMatrix } from '../graph/weight-products.js'
import type { Rotation } from './rotation.js'
import { type Int8Matrix, roundMatrix } from './round-matrix.js'

/** A matrix of the decoder as it shall be in 8 bits. */
export interface PlannedMatrix extends WeightMatrix {
  /** How it changes where the residual stream is rotated; null where it is not. */
  turn: Turn | null
  /** Whether what rounding leaves over of it is kept. */
  keepsRests: boolean
}

/**
 * Reads a matrix, changes it for a rotated stream and rounds it.
 * @throws LayerpruneError where its file is too short
 */
export async function makeMatrix(matrix: PlannedMatrix, rotation: Rotation | null): Promise<Int8Matrix> {
  return roundMatrix(await readTurned(matrix, matrix.turn, rotation), matrix)
}

/**
 * Reads a matrix as it is where the residual stream is rotated.
 * @returns as it is stored: [outputs, inputs] where `byOutput`, [inputs, outputs] else
 * @throws LayerpruneError where its file is too short
 */
export async function readTurned(
  matrix: WeightMatrix,
  turn: Turn | null,
  rotation: Rotation | null,
): Promise<Float32Array> {
  const weights = takeOutputs(await readNumbers(matrix), matrix)
  if (turn === null || rotation === null) return weights
  const { inputs, outputs, byOutput } = matrix
  if (turn.side === 'inputs') scaleInputs(weights, await readNormWeights(turn.norm, inputs), matrix)
  if (byOutput === (turn.side === 'inputs')) rotation.rotateRows(weights)
  else rotation.rotateColumns(weights, turn.side === 'inputs' ? outputs : inputs)
  return weights
}

async function readNumbers({ file, offsetBytes, sizeBytes, dataType }: StoredNumbers): Promise<Float32Array> {
  const bytes = new Uint8Array(sizeBytes)
  const handle = await open(file)
  try {
    for (let read = 0; read < sizeBytes; ) {
      const { bytesRead } = await handle.read(bytes, read, sizeBytes - read, offsetBytes + read)
      if (bytesRead === 0) throw new LayerpruneError(`${file} ends before byte ${offsetBytes + sizeBytes}`)
      read += bytesRead
    }
  } finally {
    await handle.close()
  }
  return decodeFloats(bytes, FLOAT_DTYPES.get(dataType)!)
}

async function readNormWeights({ stored, added }: NormWeights, size: number): Promise<Float32Array> {
  const weights = stored === null ? new Float32Array(size) : await readNumbers(stored)
  return weights.map((weight) => weight + added)
}

function scaleInputs(
  weights: Float32Array,
  factors: Float32Array,
  { inputs, outputs, byOutput }: WeightMatrix,
): void {
  for (let index = 0; index < weights.length; index++) {
    weights[index]! *= factors[byOutput ? index % inputs : Math.floor(index / outputs)]!
  }
}

/** Of the numbers of a stored matrix those of the outputs that are taken, laid out as they were. */
function takeOutputs(stored: Float32Array, { part, inputs, outputs, byOutput }: WeightMatrix): Float32Array {
  if (part === null) return stored
  const taken = new Float32Array(inputs * outputs)
  let end = 0
  for (const [first, last] of part.taken) {
    if (byOutput) taken.set(stored.subarray(first * inputs, last * inputs), end * inputs)
    else {
      for (let input = 0; input < inputs; input++) {
        taken.set(stored.subarray(input * part.of + first, input * part.of + last), input * outputs + end)
      }
    }
    end += last - first
  }
  return taken
}
