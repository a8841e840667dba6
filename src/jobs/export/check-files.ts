import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import type { ProgressOptions } from '../../base/progress.js'
import type { PlacedOptions } from '../../engine/sessions/session.js'
import { SessionProcess } from '../../engine/sessions/session-process.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { type DecoderGraph, findLogitSize } from '../../model/graph/decoder-graph.js'
import type { ExportCheck } from '../../results/documents/export-result.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { CHECK_TEXTS } from './check-texts.js'
import { compareReadings } from './compare-readings.js'
import type { PlannedExport } from './planned-export.js'
import { CONTINUED_TOKENS, readCheckTexts } from './read-check-texts.js'

/** Tokens of each text that are read. */
const MOST_TOKENS = 64
const LEAST_TOKENS = 2

interface CheckOptions extends ProgressOptions {
  threads?: number | undefined
  signal?: AbortSignal | undefined
}

interface Source {
  /** The graph of the model that was exported, which continues texts. */
  decoder: DecoderGraph
  /** Folder or GGUF file of its tokenizer; null if it has none. */
  tokenizer: string | null
  /** Tokens that it can read; null if it has no limit. */
  maxPositions: number | null
}

/**
 * Runs every written file and the model on the check's texts.
 * @throws LayerpruneError if one predicts otherwise than its type explains, or splits texts into other tokens
 */
export async function checkFiles(
  folder: string,
  { decoder, tokenizer, maxPositions }: Source,
  exports: PlannedExport[],
  { threads, signal, onProgress }: CheckOptions,
): Promise<ExportCheck[]> {
  const apart = new SessionProcess(signal)
  const running: PlacedOptions & { signal?: AbortSignal | undefined } = { threads, device: 'cpu', apart, signal }
  const report = (done: number) => onProgress?.({ phase: 'checking', done, total: exports.length + 1 })
  try {
    report(0)
    const most = Math.min(MOST_TOKENS, (maxPositions ?? Number.POSITIVE_INFINITY) - CONTINUED_TOKENS)
    const whole = await encodeTexts(tokenizer, findLogitSize(decoder) as number, signal)
    const texts = whole.map((ids) => ids.slice(0, most)).filter(({ length }) => length >= LEAST_TOKENS)
    if (texts.length === 0) throw tooShort(maxPositions)
    const expected = await readCheckTexts(decoder, texts, running)
    const checks: ExportCheck[] = []
    for (const [index, written] of exports.entries()) {
      report(index + 1)
      if (written.tokenizer !== undefined) await compareTokens(join(folder, written.tokenizer), whole, written, signal)
      const found = await readCheckTexts(await written.open(folder), texts, running)
      checks.push(compareReadings(expected, found, written))
    }
    report(exports.length + 1)
    return checks
  } finally {
    apart.end()
  }
}

function tooShort(maxPositions: number | null): LayerpruneError {
  return new LayerpruneError(`the check’s texts do not fit into the ${maxPositions} positions of the model`, {
    hint: 'export it without the check',
  })
}

/** @throws LayerpruneError if a file's own tokenizer splits the texts otherwise */
async function compareTokens(
  place: string,
  whole: number[][],
  { name }: PlannedExport,
  signal: AbortSignal | undefined,
): Promise<void> {
  const own = await encodeTexts(place, 0, signal)
  const different = whole.findIndex((ids, text) => `${ids}` !== `${own[text]}`)
  if (different < 0) return
  throw new LayerpruneError(
    `the tokenizer in ${name} splits texts otherwise than the model's: ${JSON.stringify(CHECK_TEXTS[different]!.slice(0, 40))}`,
    { hint: 'export the model to ONNX, which keeps its tokenizer as it is' },
  )
}

/** The check's texts as ids; without a tokenizer, ids spread over the vocabulary. */
async function encodeTexts(
  place: string | null,
  vocabulary: number,
  signal: AbortSignal | undefined,
): Promise<number[][]> {
  if (place === null) return spreadIds(vocabulary)
  const tokenizer = new TokenizerProcess(place, signal)
  try {
    return await Promise.all(CHECK_TEXTS.map((text) => tokenizer.encode(text, MOST_TOKENS)))
  } finally {
    tokenizer.close()
  }
}

/** Texts of uneven lengths, each a walk through the vocabulary of its own step. */
function spreadIds(vocabulary: number): number[][] {
  return CHECK_TEXTS.map((_, text) =>
    Array.from({ length: 24 + 4 * text }, (_, token) => (7 + token * (31 + 12 * text)) % vocabulary),
  )
}

/** Where the tokenizer of a model is that may have none. */
export function findTokenizer(place: string, names: string[]): string | null {
  return isGguf(place) || names.includes('tokenizer.json') ? place : null
}
