import type { RunRecord } from '../../../results/documents/run-record.js'
import type { Shard } from '../../../texts/tokens/placed-rows.js'

/** Flags that say where and how a result is written or shown, or how fast it is made. */
const NO_FIGURES = new Set([
  ...['output', 'logSamples', 'plot', 'force', 'resume', 'json', 'quiet', 'verbose', 'heatmap'],
  ...['threads', 'maxMemory', 'shard'],
])

/** The record of a run from its flags; paths are as they were typed. */
export function recordRun<Flags extends object>(
  command: string,
  flags: Flags & { shard?: Shard | undefined },
): RunRecord {
  const options = Object.entries(flags).filter(([name]) => !NO_FIGURES.has(name))
  const record = { command, options: Object.fromEntries(options), shard: flags.shard }
  // as a file gives it back
  return JSON.parse(JSON.stringify(record))
}
