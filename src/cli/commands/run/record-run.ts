import type { RunRecord } from '../../../results/documents/run-record.js'
import { splitShare } from '../../../texts/data/split-share.js'
import { publicNameOf } from '../../../texts/data/web-file.js'
import type { Shard } from '../../../texts/tokens/placed-rows.js'

/** Flags that say where and how a result is written or shown, or how fast it is made. */
const NO_FIGURES = new Set([
  ...['output', 'logSamples', 'plot', 'force', 'resume', 'json', 'quiet', 'verbose', 'heatmap'],
  ...['threads', 'maxMemory', 'shard'],
])

/** Options whose values may be addresses, which can hold secrets. */
const ADDRESSES = new Set(['dataset', 'evaluateOn'])

/** The record of a run from its flags; paths are as they were typed, addresses without what signs them. */
export function recordRun<Flags extends object>(
  command: string,
  flags: Flags & { shard?: Shard | undefined },
): RunRecord {
  const options = Object.entries(flags)
    .filter(([name]) => !NO_FIGURES.has(name))
    .map(([name, value]) => [name, ADDRESSES.has(name) && Array.isArray(value) ? value.map(publicShareOf) : value])
  const record = { command, options: Object.fromEntries(options), shard: flags.shard }
  // as a file gives it back
  return JSON.parse(JSON.stringify(record))
}

/** A name of texts without secrets; its share, if it has one, stays. */
function publicShareOf(name: string): string {
  const split = splitShare(name)
  return split === undefined ? publicNameOf(name) : `${publicNameOf(split.id)}:${split.digits}`
}
