import { writeFileSync } from 'node:fs'

/**
 * What a bench found in one respect, in words.
 * @typedef {{ what: string, layerprune: string, other: string, ratio: string }} Figure
 */

/**
 * Hands the figures of a bench to `bench/run.js`, which puts them into its table; run by hand, a bench only prints.
 * @param {Figure[]} figures
 */
export function handOver(figures) {
  const file = process.env.LAYERPRUNE_BENCH_FIGURES
  if (file) writeFileSync(file, JSON.stringify(figures))
}

/** The middle of some numbers, or the mean of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2
}
