import type { DecoderWriter } from './decoder-writer.js'

/** -exp(rate), the logarithm of a state's decay over a unit time step. @param rate name of the stored tensor */
export function writeDecayRate(writer: DecoderWriter, rate: string, shape: number[]): string {
  return writer.op('Neg', [writer.op('Exp', [writer.weights.float(rate, shape)])])
}
