import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import type { Block } from './block.js'
import { countLayers } from './count-layers.js'
import { nameLayers } from './names.js'

/**
 * Blocks of a model of `layers` layers in the form that plans have: sorted by start, with adjacent blocks joined.
 * @param blocks  in any order, half-open, 0-based
 * @throws UsageError if a block is empty, leaves the model or overlaps another, or if no layer would be kept
 */
export function normalizeBlocks(blocks: Block[], layers: number): Block[] {
  if (!Number.isInteger(layers) || layers < 1) {
    throw new UsageError(`a model has a whole number of layers, at least 1, found ${layers}`)
  }
  const sorted = [...blocks].sort((a, b) => a.start - b.start)
  const normalized: Block[] = []
  for (const [index, { start, end }] of sorted.entries()) {
    if (!Number.isInteger(start) || !Number.isInteger(end)) {
      throw new UsageError(`block [${start}, ${end}): start and end must be whole numbers`)
    }
    if (start >= end) {
      throw new UsageError(`block [${start}, ${end}) is empty: start must be below end`, {
        hint: 'end is exclusive: start 21, end 29 are layers 21..28',
      })
    }
    if (start < 0 || end > layers) {
      throw new UsageError(
        `the model has layers 0 to ${layers - 1}, and ${nameLayers({ start, end })} cannot be removed from it`,
      )
    }
    const last = normalized.at(-1)
    if (last !== undefined && start < last.end) {
      const before = sorted[index - 1]!
      throw new UsageError(`${nameLayers(before)} and ${nameLayers({ start, end })} overlap`)
    }
    if (last !== undefined && start === last.end) last.end = end
    else normalized.push({ start, end })
  }
  if (countLayers(normalized) === layers) {
    throw new UsageError(
      layers === 1
        ? 'no layer would be kept: the model has only one'
        : `no layer would be kept: all ${layers} layers are removed`,
    )
  }
  return normalized
}

/** @throws UsageError unless a block of n layers can be removed from a model of `layers` layers */
export function assertBlockSize(n: number, layers: number): void {
  if (layers < 2) throw new UsageError('a model of 1 layer has no block to remove: one layer must be kept')
  if (n < 1 || n >= layers) {
    throw new UsageError(`layers to skip must be 1 to ${layers - 1} for a model of ${layers} layers, found ${n}`, {
      hint: `a quarter of the layers is a usual first try: ${nameOption('layersToSkip', Math.max(1, Math.round(layers / 4)))}`,
    })
  }
}

/**
 * The runs of kept layers when blocks are removed from a model of `layers` layers, by start.
 * @throws UsageError if `normalizeBlocks` does
 */
export function keptSlices(layers: number, removed: Block[]): Block[] {
  const kept: Block[] = []
  let next = 0
  for (const { start, end } of [...normalizeBlocks(removed, layers), { start: layers, end: layers }]) {
    if (start > next) kept.push({ start: next, end: start })
    next = end
  }
  return kept
}

export function includesLayer(blocks: Block[], layer: number): boolean {
  return blocks.some(({ start, end }) => start <= layer && layer < end)
}

/**
 * Parses blocks as written on the command line: `11:19` is half-open, `11..18` includes the last layer, `7` is one
 * layer; commas separate several.
 * @throws UsageError if the text has another form
 */
export function parseBlocks(text: string): Block[] {
  return text.split(',').map((part) => {
    const [, first, separator, last] = /^(\d+)(?:(:|\.\.)(\d+))?$/.exec(part.trim()) ?? []
    if (first === undefined) {
      throw new UsageError(`'${text}' names no layers: expected for example 11:19, 11..18 or 11:19,25..26`, {
        hint: '0-based: 11:19 (end exclusive) and 11..18 (last layer included) are the same, and 7 is layer 7 alone',
      })
    }
    const start = Number(first)
    if (separator === undefined) return { start, end: start + 1 }
    if (separator === ':') return { start, end: Number(last) }
    if (Number(last) < start) {
      throw new UsageError(`'${part.trim()}' is empty: the first layer must not be after the last`)
    }
    return { start, end: Number(last) + 1 }
  })
}

/** Blocks as they are written on the command line: `11:19,25:27`. */
export function formatBlocks(blocks: Block[]): string {
  return blocks.map(({ start, end }) => `${start}:${end}`).join(',')
}
