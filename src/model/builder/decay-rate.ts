import type { DecoderWriter } from './decoder-writer.js'

/** Logarithm of the factor on a state in a step of length 1: -exp(rate), by the name of the stored rate. */
export function writeDecayRate(writer: DecoderWriter, rate: string, shape: number[]): string {
  return writer.op('Neg', [writer.op('Exp', [writer.weights.float(rate, shape)])])
}
