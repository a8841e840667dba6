import { InvalidArgumentError } from 'commander'
import { assertMetrics, type Metric } from '../../results/documents/metrics.js'
import type { Shard } from '../../texts/tokens/placed-rows.js'
import { parseTokenSelection, type TokenSelection } from '../../texts/tokens/token-selection.js'

/** PruneMe's flags whose names differ from ours by more than underscores. */
const ALIASES: Record<string, string> = { '--model-path': '--model', '--dataset-subset': '--dataset-split' }

/** Accepts PruneMe's flags, such as `--model_path X` and `--batch_size=8`. Values do not change. */
export function normalizeArguments(args: string[]): string[] {
  return args.map((argument) => {
    if (!/^--[a-z]/.test(argument)) return argument
    const [flag, ...value] = argument.split('=')
    const normalized = flag!.replaceAll('_', '-')
    return [ALIASES[normalized] ?? normalized, ...value].join('=')
  })
}

export function wholeNumber(minimum: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= minimum) return number
    throw new InvalidArgumentError(`Expected a whole number of at least ${minimum}`)
  }
}

export function positiveNumber(value: string): number {
  const number = Number(value)
  if (/^\d*\.?\d+(e-?\d+)?$/i.test(value) && number > 0) return number
  throw new InvalidArgumentError('Expected a number above 0')
}

const BYTES_PER_UNIT: Record<string, number> = {
  ...{ MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
}

/** Parses an amount of memory, as in 500MB, 4GB or 3.5GiB, into bytes. */
export function memorySize(value: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([MGT]i?B)$/.exec(value) ?? []
  const bytes = Math.floor(Number(number) * BYTES_PER_UNIT[unit ?? '']!)
  if (bytes > 0) return bytes
  throw new InvalidArgumentError('Expected a size, for example 500MB, 4GB or 4GiB')
}

/** Parses `NAME=PATH` and adds it to earlier values of the flag. */
export function namedPath(value: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, path] = /^([^=]+)=(.+)$/s.exec(value) ?? []
  if (name !== undefined && path !== undefined) return { ...before, [name]: path }
  throw new InvalidArgumentError('Expected the name of a task and a path, for example arc_easy=./ai2_arc')
}

/** Parses a confidence, above 0 and below 1. */
export function confidence(value: string): number {
  const number = Number(value)
  if (/^0?\.\d+$/.test(value) && number > 0) return number
  throw new InvalidArgumentError('Expected a confidence above 0 and below 1, for example 0.99')
}

/** Parses a number above 1, as 1.25. */
export function ratioAboveOne(value: string): number {
  const number = Number(value)
  if (/^\d+(\.\d+)?$/.test(value) && number > 1) return number
  throw new InvalidArgumentError('Expected a number above 1, for example 1.25')
}

/** Parses `TASK=ACCURACY` and adds it to earlier values of the flag. */
export function leastAccuracy(value: string, before: Record<string, number> = {}): Record<string, number> {
  const [, name, accuracy] = /^(.+)=(0?\.\d+|1)$/.exec(value) ?? []
  if (name !== undefined) return { ...before, [name]: Number(accuracy) }
  throw new InvalidArgumentError('Expected a task and an accuracy up to 1, for example arc_easy=0.55')
}

/** Parses `i/N` with i from 1 to N. */
export function shard(value: string): Shard {
  const [, index, count] = (/^(\d+)\/(\d+)$/.exec(value) ?? []).map(Number)
  if (index && count && index <= count && Number.isSafeInteger(count)) return { index, count }
  throw new InvalidArgumentError('Expected i/N with i from 1 to N, for example 1/4')
}

/** Parses last, all or tail:K. */
export function tokenSelection(value: string): TokenSelection {
  try {
    return parseTokenSelection(value)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

/** Parses comma-separated metrics and adds them to earlier values of the flag. */
export function metrics(value: string, before: Metric[] = []): Metric[] {
  const names: string[] = [...before, ...value.split(',').map((name) => name.trim())]
  try {
    assertMetrics(names)
    return names
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}
