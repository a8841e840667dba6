import { formatCount, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import { VERSION } from '../../base/version.js'
import type { LocatedModel } from '../../engine/model.js'
import { publicName } from '../../results/documents/public-name.js'
import { describeTaskRun, formatCode, formatUploadNote, putSectionFirst } from '../write-model/model-card.js'
import type { HealFacts } from './heal-result.js'

/**
 * The card of a healed model or adapter: its own, after a section on how it was trained and with what result.
 * @throws LayerpruneError if the model's card cannot be read
 */
export function formatHealedCard(
  { folder, id, revision }: LocatedModel,
  facts: HealFacts,
  made: HowMade,
): Promise<string> {
  const isAdapter = facts.written === 'adapter'
  const { training, heldOut } = facts.data
  const perplexity = facts.perplexity.after
  return putSectionFirst(folder, describeHealing(facts, made), {
    name: made.name,
    // an adapter fits the model that was trained alone, not the one that was made from
    baseModel: revision === null ? (isAdapter ? null : undefined) : id,
    relation: isAdapter ? 'adapter' : 'finetune',
    library: isAdapter ? 'peft' : 'transformers',
    datasets: [training.id],
    results: perplexity === null ? [] : [{ dataset: heldOut.id, texts: heldOut.texts, perplexity }],
  })
}

/** Describes in a card how its model was made. */
export interface HowMade {
  /** Name of the folder that is written. */
  name: string
  /** Name of the file in it that has the hashes of the texts. */
  record: string
  /** The command that made it, as a shell reads it; undefined if the library was called. */
  command: string | undefined
}

function describeHealing(facts: HealFacts, { name, record, command }: HowMade): string {
  const { model, written, trained, data, perplexity, bestStep } = facts
  const { heldOut } = data
  const shown = (value: number | null) => (value === null ? 'not finite' : formatPerplexity(value))
  const what = written === 'model' ? 'This is' : 'This is an adapter for'
  return [
    '# Healed with layerprune',
    `${what} \`${publicName(model)}\`, trained further: ${describeTrained(trained)}, on ${describeTraining(facts)}.`,
    [
      `| on ${formatQuantity(heldOut.texts, 'other text')} of \`${publicName(heldOut.id)}\` | perplexity |`,
      '| --- | --- |',
      ...(perplexity.whole === undefined ? [] : [`| whole model | ${shown(perplexity.whole)} |`]),
      `| before | ${shown(perplexity.before)} |`,
      `| after | ${shown(perplexity.after)} |`,
    ].join('\n'),
    `Perplexity is over ${formatCount(heldOut.scoredTokens)} tokens: every token but the first of each text, cut at ${facts.settings.maxLength}. The weights are those of step ${bestStep}, where the loss on the held-out texts was lowest.`,
    formatCurve(facts),
    describeRecord(facts, record),
    ...(command === undefined
      ? [`Made with layerprune ${VERSION}.`]
      : [`Made with layerprune ${VERSION}:`, formatCode(command)]),
    ...describeTaskRun(written === 'model' ? `pretrained=${name}` : `pretrained=${publicName(model)},peft=${name}`),
    formatUploadNote(name),
    '',
  ].join('\n\n')
}

/** How far the training read its dataset, and the file by which its texts are known again. */
function describeRecord({ texts }: HealFacts, record: string): string {
  const { start, end, shuffle } = texts.trained![0]!
  const order = shuffle === undefined ? '' : ` in the order of seed ${shuffle}`
  return `The texts to train on are among those from ${start} to ${end} of the dataset${order}. \`${record}\` has a hash of each, by which \`layerprune evaluate\` leaves them out.`
}

function describeTrained({ adapters, modules, parameters }: HealFacts['trained']): string {
  const size = `${formatCount(parameters)} parameters in ${formatQuantity(modules.length, 'module')}`
  return adapters === null
    ? `whole matrices, ${size}`
    : `low-rank adapters of rank ${adapters.rank} and alpha ${adapters.alpha}, ${size}`
}

function describeTraining({ data, settings, steps, seconds, teacher }: HealFacts): string {
  const { batchSize, maxLength, learningRate, warmupSteps, weightDecay, clip, seed } = settings
  const texts = `${formatQuantity(data.training.texts, 'text')} of \`${publicName(data.training.id)}\``
  const states =
    settings.teacherStates === null ? '' : `, and with weight ${settings.teacherStates} to its states after each cut`
  const goal = teacher === null ? '' : ` to the probabilities that \`${publicName(teacher)}\` gives${states}`
  return `${texts}${goal}: ${formatQuantity(steps, 'step')} of ${batchSize} sequences of ${maxLength} tokens in ${Math.ceil(seconds / 60)} min, AdamW with weight decay ${weightDecay}, learning rate ${learningRate} after ${warmupSteps} steps of warm-up and then along half a cosine, gradients clipped to a norm of ${clip}, seed ${seed}`
}

function formatCurve({ curve }: HealFacts): string {
  const rows = curve.map(({ step, trainingLoss, heldOutLoss }) => {
    return `| ${step} | ${trainingLoss?.toFixed(3) ?? ''} | ${formatPerplexity(Math.exp(heldOutLoss))} |`
  })
  return ['| step | training loss | held-out perplexity |', '| --- | --- | --- |', ...rows].join('\n')
}
