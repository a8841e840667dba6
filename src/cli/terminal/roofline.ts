import { formatCount } from '../../base/format-numbers.js'
import type { Roofline } from '../../jobs/similarity/roofline.js'

export function formatRoofline({ gflops, peakGflops, tokensPerSecond, padding, seconds }: Roofline): string {
  const total = Object.values(seconds).reduce((sum, part) => sum + part, 0)
  const percent = (share: number) => `${(100 * share).toFixed(1)}%`
  const work =
    gflops === null
      ? ''
      : `${gflops.toFixed(0)} GFLOP/s, ${percent(gflops / peakGflops)} of the ${peakGflops.toFixed(0)} of a float32 matrix product; `
  const phases = Object.entries(seconds).map(([phase, part]) => `${phase} ${percent(part / total)}`)
  return `roofline: ${work}${formatCount(Math.round(tokensPerSecond))} tokens/s, ${percent(padding)} padding; ${total.toFixed(1)} s: ${phases.join(', ')}`
}
