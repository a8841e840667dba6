import { open } from 'node:fs/promises'
import { readFully } from '../checkpoint/read-fully.js'
import { LayerpruneError } from '../errors.js'
import { FLOAT_DTYPES } from '../graph/element-types.js'
import type { NormWeights, Turn } from '../graph/rotate-stream.js'
import type { GatedMlp, StoredNumbers, WeightMatrix } from '../graph/weight-products.js'
import { decodeFloats } from '../weights/decode-floats.js'
import { Rotation } from './rotation.js'
import { type Int8Matrix, roundMatrix } from './round-matrix.js'

/** A gated MLP, of which one matrix is asked for. */
export interface Balance extends GatedMlp {
  side: 'up' | 'down'
  /** Of the norm before it. */
  turn: Turn | null
}

/** A matrix of the decoder as it shall be in 8 bits. */
export interface PlannedMatrix extends WeightMatrix {
  /** How it changes where the residual stream is rotated; null where it is not. */
  turn: Turn | null
  /** The MLP whose channels it balances; null where there is none. */
  balance: Balance | null
  /** Size of the blocks in which its inputs are rotated; null where they are not. */
  block: number | null
  /** Whether what rounding leaves over of it is kept. */
  keepsRests: boolean
}

/**
 * Reads a matrix, changes it for a rotated stream and rounds it.
 * @throws LayerpruneError if its file is too short, or its numbers are too large for float32
 */
export async function makeMatrix(matrix: PlannedMatrix, rotation: Rotation | null): Promise<Int8Matrix> {
  const { turn, balance } = matrix
  const weights = await readTurned(matrix, turn, rotation)
  if (balance !== null) {
    const factors = await findFactors(balance)
    if (balance.side === 'up')
      scaleOutputs(
        weights,
        factors.map((factor) => 1 / factor),
        matrix,
      )
    else scaleInputs(weights, factors, matrix)
  }
  if (matrix.block !== null) rotateInputs(weights, matrix, new Rotation(matrix.block))
  const made = roundMatrix(weights, matrix)
  const output = made.scales.findIndex((scale) => !Number.isFinite(scale))
  if (output === -1) return made
  throw new LayerpruneError(
    `tensor ${matrix.name}: the weights of output ${output}, times those of the norm before it, are too large for float32`,
    { hint: 'the weights are damaged: download them again; --dtype fp32 computes with them as they are' },
  )
}

/**
 * How much larger each channel between the matrices of a gated MLP is made for the second. That rounds its weights by
 * one scale for all channels, so their errors count as much as the channel is large: what goes from one matrix to the
 * other, as in SmoothQuant (Xiao et al. 2022, arXiv 2211.10438), makes their parts of the channel equally large. How
 * large a channel is, the weights that make it must tell, for there are no texts yet.
 */
async function findFactors({ up, gate, down, turn }: Balance): Promise<Float32Array> {
  const sumOutputs = async (matrix: WeightMatrix) =>
    sumSquares(await readTurned(matrix, turn, null), matrix.byOutput ? matrix.inputs : 1, matrix.outputs)
  const [linear, gating] = [await sumOutputs(up), await sumOutputs(gate)]
  const read = sumSquares(await readTurned(down, null, null), down.byOutput ? 1 : down.outputs, down.inputs)
  return Float32Array.from(read, (square, channel) => {
    const factor = ((linear[channel]! * gating[channel]!) / square) ** 0.25
    return factor > 0 && factor < Number.POSITIVE_INFINITY ? factor : 1
  })
}

/**
 * Sums the squares of the weights of each channel.
 * @param run neighbouring weights that belong to one channel
 */
function sumSquares(weights: Float32Array, run: number, channels: number): Float64Array {
  const sums = new Float64Array(channels)
  for (let index = 0; index < weights.length; index++) {
    sums[Math.floor(index / run) % channels]! += weights[index]! ** 2
  }
  return sums
}

/**
 * Reads a matrix with the weights of the norm before it taken up, and rotated with the residual stream.
 * @returns as it is stored: [outputs, inputs] where `byOutput`, [inputs, outputs] else
 * @throws LayerpruneError if its file is too short
 */
export async function readTurned(
  matrix: WeightMatrix,
  turn: Turn | null,
  rotation: Rotation | null,
): Promise<Float32Array> {
  const weights = takeOutputs(await readNumbers(matrix), matrix)
  const { inputs, byOutput } = matrix
  if (turn?.side === 'inputs') scaleInputs(weights, await readNormWeights(turn.norm, inputs), matrix)
  if (turn === null || rotation === null) return weights
  if (turn.side === 'inputs') rotateInputs(weights, matrix, rotation)
  else if (byOutput) rotation.rotateColumns(weights, inputs)
  else rotation.rotateRows(weights)
  return weights
}

/** Rotates the inputs of a matrix, in blocks where the rotation is smaller than they are many. */
function rotateInputs(weights: Float32Array, { outputs, byOutput }: WeightMatrix, rotation: Rotation): void {
  if (byOutput) rotation.rotateRows(weights)
  else {
    const size = rotation.size * outputs
    for (let start = 0; start < weights.length; start += size) {
      rotation.rotateColumns(weights.subarray(start, start + size), outputs)
    }
  }
}

async function readNumbers({ file, offsetBytes, sizeBytes, dataType }: StoredNumbers): Promise<Float32Array> {
  const bytes = new Uint8Array(sizeBytes)
  const handle = await open(file)
  try {
    await readFully(handle, file, bytes, offsetBytes)
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

function scaleOutputs(
  weights: Float32Array,
  factors: Float32Array,
  { inputs, outputs, byOutput }: WeightMatrix,
): void {
  for (let index = 0; index < weights.length; index++) {
    weights[index]! *= factors[byOutput ? Math.floor(index / inputs) : index % outputs]!
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
