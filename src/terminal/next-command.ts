import { basename, resolve } from 'node:path'
import { type Recommending, recommendBlock } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { formatBlocks } from '../layers/blocks.js'
import { quoteForShell } from '../quote-for-shell.js'

/** A model and what is to be done with it, in words of the command line. */
interface NextCommand {
  command: string
  model: string
  revision?: string | null | undefined
  /** The other flags, with their values. */
  words: string[]
}

/** A command, ready to be copied, under a line that says what it does. */
export function formatNextCommand(
  title: string,
  { command, model, revision = null, words }: NextCommand,
): string {
  const all = [
    ...['layerprune', command, '--model', model],
    ...(revision === null ? [] : ['--revision', revision]),
    ...words,
  ]
  return `${title}:\n  ${all.map(quoteForShell).join(' ')}`
}

/**
 * The command that makes a cut.
 * @param cut  the flag that names the layers, with its value
 */
export function formatPruneCommand(
  model: Pick<NextCommand, 'model' | 'revision'>,
  cut: string[],
  title = 'To make the cut',
): string {
  const output = `${basename(resolve(model.model), '.gguf')}-pruned`
  return formatNextCommand(title, { ...model, command: 'prune', words: [...cut, '-o', output] })
}

/** The command that removes the block that a result recommends, or the nearest if nothing checked it. */
export function formatCutOfResult(result: Pick<SimilarityResult, 'model'> & Recommending): string {
  const { id, askedRevision } = result.model
  const block = recommendBlock(result, result.layersToSkip)
  const title = result.verification ? 'To make the cut' : 'To cut the nearest block without that check'
  return formatPruneCommand({ model: id, revision: askedRevision }, ['--drop', formatBlocks([block])], title)
}

/** The command that measures what the nearest blocks of every size cost. */
export function formatSweepAdvice({ model, dataset }: Pick<SimilarityResult, 'model' | 'dataset'>): string {
  return formatNextCommand('To measure by perplexity what such cuts cost', {
    command: 'sweep',
    model: model.id,
    revision: model.askedRevision,
    words: ['--dataset', dataset.id],
  })
}
