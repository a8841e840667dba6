import { float16Value } from '../decode-floats.js'
import { float16Bits } from '../encode-floats.js'
import { clamp, fitPositive, fitRange, fitSymmetric, nearest, type RangeSearch } from './fit-scales.js'
import { FINE_SEARCH, type QuantizeRow, writeHalf } from './small-blocks.js'

/** Numbers in a block, whose scales are themselves codes of a scale of the block. */
const SIZE = 256
/** Numbers that share a scale and a lowest number. */
const GROUP = 32
const GROUPS = SIZE / GROUP
const MOST_SCALE = 63
const SCALE_BYTES = 12

/** How llama.cpp searches ranges if it does not know the importance of columns. */
const SEARCHES: Record<4 | 5, RangeSearch> = {
  4: { first: -1, step: 0.1, steps: 20 },
  5: { first: -0.5, step: 0.1, steps: 15 },
}

/** Scales and lowest numbers of the groups of a block, rounded, and the factors that they are multiplied by. */
interface GroupScales {
  scale: number
  low: number
  scaleCodes: Uint8Array
  lowCodes: Uint8Array
}

/** Four or five bits from the lowest number of a group up: Q4_K and Q5_K. */
export function quantizeRangeK(bits: 4 | 5): QuantizeRow {
  const most = 2 ** bits - 1
  const codes = new Uint8Array(SIZE)
  const blockBytes = 4 + SCALE_BYTES + (bits === 5 ? SIZE / 8 : 0) + SIZE / 2
  return (x, into, importance) => {
    for (let start = 0, at = 0; start < x.length; start += SIZE, at += blockBytes) {
      const scales = importance
        ? fitImportant(x, start, most, importance)
        : fitGroups(x, start, most, SEARCHES[bits], groupWeights)
      writeHalf(into, at, scales.scale)
      writeHalf(into, at + 2, scales.low)
      writeScales(into, at + 4, scales)
      roundGroups(x, start, most, scales, codes)
      const codesAt = at + 4 + SCALE_BYTES
      if (bits === 5) writeFifthBits(into, codesAt, codes)
      writeCodes(into, codesAt + (bits === 5 ? SIZE / 8 : 0), codes)
    }
  }
}

type Weigh = (x: Float32Array, start: number, weights: Float64Array) => void

/** More weight for larger numbers of the group. */
const groupWeights: Weigh = (x, start, weights) => {
  let squares = 0
  for (let index = 0; index < GROUP; index++) squares += x[start + index]! ** 2
  const usual = Math.sqrt(squares / GROUP)
  for (let index = 0; index < GROUP; index++) weights[index] = usual + Math.abs(x[start + index]!)
}

function fitGroups(x: Float32Array, start: number, most: number, search: RangeSearch, weigh: Weigh): GroupScales {
  const { scales, lows } = fitEach(x, start, most, search, weigh)
  const [scale, low] = [scales, lows].map((values) => values.reduce((high, value) => Math.max(high, value), 0))
  return {
    scale: scale! / MOST_SCALE,
    low: low! / MOST_SCALE,
    scaleCodes: codesOf(scales, scale!),
    lowCodes: codesOf(lows, low!),
  }
}

function fitEach(x: Float32Array, start: number, most: number, search: RangeSearch, weigh: Weigh) {
  const weights = new Float64Array(GROUP)
  const [scales, lows, sums] = [new Float64Array(GROUPS), new Float64Array(GROUPS), new Float64Array(GROUPS)]
  for (let group = 0; group < GROUPS; group++) {
    const at = start + group * GROUP
    weigh(x, at, weights)
    const fit = fitRange(x, at, most, weights, search)
    scales[group] = fit.scale
    lows[group] = -fit.low
    for (const weight of weights) sums[group]! += weight
  }
  return { scales, lows, sums }
}

function codesOf(values: Float64Array, high: number): Uint8Array {
  const inverse = high > 0 ? MOST_SCALE / high : 0
  return Uint8Array.from(values, (value) => Math.min(MOST_SCALE, nearest(inverse * value)))
}

/** Scales are rounded by the weights of their groups too. */
function fitImportant(x: Float32Array, start: number, most: number, importance: Float32Array): GroupScales {
  let squares = 0
  for (let index = start; index < start + SIZE; index++) squares += x[index]! ** 2
  const variance = (2 * squares) / SIZE
  const weigh: Weigh = (x, at, weights) => {
    for (let index = 0; index < GROUP; index++) {
      weights[index] = importance[at + index]! * Math.sqrt(variance + x[at + index]! ** 2)
    }
  }
  const { scales, lows, sums } = fitEach(x, start, most, FINE_SEARCH, weigh)
  const [ofScales, ofLows] = [scales, lows].map((values) => fitPositive(values, MOST_SCALE, sums))
  return { scale: ofScales!.scale, low: ofLows!.scale, scaleCodes: ofScales!.codes, lowCodes: ofLows!.codes }
}

/** Rounds the numbers by the scales as they will be read. */
function roundGroups(
  x: Float32Array,
  start: number,
  most: number,
  { scale, low, scaleCodes, lowCodes }: GroupScales,
  codes: Uint8Array,
): void {
  const [readScale, readLow] = [scale, low].map((value) => float16Value(float16Bits(value)))
  for (let group = 0; group < GROUPS; group++) {
    const step = readScale! * scaleCodes[group]!
    const lowest = readLow! * lowCodes[group]!
    const at = group * GROUP
    for (let index = at; index < at + GROUP; index++) {
      codes[index] = step === 0 ? 0 : clamp(nearest(Math.fround((x[start + index]! + lowest) / step)), 0, most)
    }
  }
}

/** Six bits of each scale and each lowest number: those of the first four groups, to whose bytes the others add. */
function writeScales(into: Uint8Array, at: number, { scaleCodes, lowCodes }: GroupScales): void {
  for (let group = 0; group < 4; group++) {
    const [scale, low] = [scaleCodes[group + 4]!, lowCodes[group + 4]!]
    into[at + group] = scaleCodes[group]! | ((scale >> 4) << 6)
    into[at + 4 + group] = lowCodes[group]! | ((low >> 4) << 6)
    into[at + 8 + group] = (scale & 15) | ((low & 15) << 4)
  }
}

/** Four bits of each code: of every 64 numbers, the first half is in the low bits. */
function writeCodes(into: Uint8Array, at: number, codes: Uint8Array): void {
  for (let index = 0; index < SIZE / 2; index++) {
    const first = 2 * GROUP * Math.floor(index / GROUP) + (index % GROUP)
    into[at + index] = (codes[first]! & 15) | ((codes[first + GROUP]! & 15) << 4)
  }
}

/** The fifth bit of each code: a byte holds those of the numbers at the same place in all groups. */
function writeFifthBits(into: Uint8Array, at: number, codes: Uint8Array): void {
  for (let index = 0; index < GROUP; index++) {
    let bits = 0
    for (let group = 0; group < GROUPS; group++) bits |= (codes[group * GROUP + index]! >> 4) << group
    into[at + index] = bits
  }
}

const SMALL_GROUP = 16
const SMALL_GROUPS = SIZE / SMALL_GROUP
const Q6_BYTES = 210
/** Where the high bits, the scales and their factor begin in a block. */
const Q6_PARTS = { high: 128, scales: 192, factor: 208 }
const LEAST = 1e-15

/** Six bits with a sign, in groups of 16: Q6_K. */
export const quantizeQ6K: QuantizeRow = (x, into, importance) => {
  const scales = new Float64Array(SMALL_GROUPS)
  const weights = new Float64Array(SMALL_GROUP)
  const codes = new Uint8Array(SIZE)
  for (let start = 0, at = 0; start < x.length; start += SIZE, at += Q6_BYTES) {
    for (let group = 0; group < SMALL_GROUPS; group++) {
      const first = start + group * SMALL_GROUP
      if (importance) weights.set(importance.subarray(first, first + SMALL_GROUP))
      scales[group] = fitSymmetric(x, first, SMALL_GROUP, 32, importance && weights)
    }
    const extreme = scales.reduce((most, scale) => (Math.abs(scale) > Math.abs(most) ? scale : most), 0)
    // a block of zeros
    if (Math.abs(extreme) < LEAST) continue
    roundQ6(x, start, scales, extreme, into.subarray(at, at + Q6_BYTES), codes)
  }
}

function roundQ6(
  x: Float32Array,
  start: number,
  scales: Float64Array,
  extreme: number,
  into: Uint8Array,
  codes: Uint8Array,
): void {
  const inverse = -128 / extreme
  writeHalf(into, Q6_PARTS.factor, 1 / inverse)
  const factor = float16Value(float16Bits(1 / inverse))
  for (let group = 0; group < SMALL_GROUPS; group++) {
    const scale = Math.min(127, nearest(inverse * scales[group]!))
    into[Q6_PARTS.scales + group] = scale
    const step = factor * scale
    for (let index = group * SMALL_GROUP; index < (group + 1) * SMALL_GROUP; index++) {
      codes[index] = step === 0 ? 32 : clamp(nearest(Math.fround(x[start + index]! / step)), -32, 31) + 32
    }
  }
  for (let index = 0; index < SIZE / 4; index++) {
    // of each half of the block, its four quarters share bytes
    const first = (SIZE / 2) * Math.floor(index / 32) + (index % 32)
    const [a, b, c, d] = [0, 32, 64, 96].map((place) => codes[first + place]!) as [number, number, number, number]
    const low = 64 * Math.floor(index / 32) + (index % 32)
    into[low] = (a & 15) | ((c & 15) << 4)
    into[low + 32] = (b & 15) | ((d & 15) << 4)
    into[Q6_PARTS.high + index] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6)
  }
}
