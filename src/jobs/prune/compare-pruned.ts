import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import { formatSize } from '../../base/format-numbers.js'
import { type Model, type ModelOptions, openModel, prepareModel } from '../../engine/model.js'
import { estimateMemory } from '../../engine/sessions/estimate-memory.js'
import { countTokenRows } from '../../engine/sessions/token-ids.js'
import type { PruneResult } from '../../results/documents/prune-result.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { openNextToken } from '../evaluate/next-token.js'
import { measurePrefill } from '../evaluate/prefill-speed.js'
import { mostTokens } from '../run/length-limits.js'
import { type SampleOptions, type WritingOptions, writeSamples } from './write-samples.js'

export interface ComparisonOptions extends ModelOptions, Omit<WritingOptions, 'pruned'> {
  /** Texts whose beginnings both models continue; none if omitted. */
  samples?: SampleOptions | undefined
  /** Folder of the pruned model, if it was trained after the cut. */
  trained?: string | undefined
  /** Memory limit of the process in bytes; a model that exceeds it is not run. */
  maxMemory?: number | undefined
}

type Measures = Required<Pick<PruneResult, 'tokensPerSecond' | 'samples'>>

/**
 * Runs a model whole and pruned: how fast each reads a prompt, and what each says after the same beginnings. What the
 * pruned model computes is in the graph, unless it was trained: its files need not be written.
 * @returns null with a note that says why, if the model cannot be run here
 */
export async function comparePruned(options: ComparisonOptions): Promise<Measures | null> {
  const { signal, onNote, onProgress } = options
  try {
    const opened = await openModel({ ...options, onNote: undefined }, 'change')
    assertFits(opened, options.maxMemory)
    return await compare(await prepareModel(opened, { signal, onNote, onProgress }), options)
  } catch (cause) {
    if (signal?.aborted) {
      throw new InterruptedError('while the speed was measured; the pruned model is complete')
    }
    if (!(cause instanceof LayerpruneError) || cause.exitCode !== 1) throw cause
    onNote?.(`the model was not run, so its speed is not known: ${cause.message}`)
    return null
  }
}

/** @throws LayerpruneError if the model is larger than the limit, or the free memory, when the system may kill the process */
function assertFits({ decoder, config }: Model, maxMemory: number | undefined): void {
  const { totalBytes } = estimateMemory(decoder, config)
  if (maxMemory !== undefined && totalBytes > maxMemory) {
    throw new LayerpruneError(
      `it takes about ${formatSize(totalBytes)} of memory, and ${formatSize(maxMemory)} are allowed`,
    )
  }
  // Node before 20.13 does not know
  const freeBytes = process.availableMemory?.()
  if (freeBytes === undefined || totalBytes <= freeBytes) return
  throw new LayerpruneError(`it takes about ${formatSize(totalBytes)} of memory, and ${formatSize(freeBytes)} are free`)
}

async function compare(model: Model, options: ComparisonOptions): Promise<Measures> {
  const { removed, samples, threads, device = 'cpu', signal } = options
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  try {
    const runner = await openNextToken(model, removed, { threads, device })
    const { tokens, tokensPerSecond } = await measurePrefill(runner, [[], removed], {
      maxTokens: mostTokens(model),
      tokenRows: countTokenRows(model.decoder.model.graph),
      signal,
      onProgress: options.onProgress,
    }).finally(() => runner.close())
    const [whole, pruned] = tokensPerSecond as [number, number]
    const runs = { ...options, pruned: samples && (await openTrained(options)) }
    const write = (of: SampleOptions) => writeSamples({ model, tokenizer }, of, runs)
    let written = samples === undefined ? [] : await write(samples)
    if (samples !== undefined && samples.skip > 0 && written.length === 0) {
      options.onNote?.(
        `the samples use texts that the layers were chosen or repaired on: the dataset has no others after the first ${samples.skip}`,
      )
      written = await write({ ...samples, skip: 0 })
    }
    return { tokensPerSecond: { whole, pruned, tokens }, samples: written }
  } finally {
    tokenizer.close()
  }
}

async function openTrained({ trained, ignoreConfigKey, signal }: ComparisonOptions): Promise<Model | undefined> {
  if (trained === undefined) return undefined
  const format = 'safetensors'
  return prepareModel(await openModel({ model: trained, format, ignoreConfigKey, signal }, 'change'), {
    signal,
  })
}
