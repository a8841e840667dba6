import { formatPerplexity } from '../../format-numbers.js'
import { healModel } from '../../heal/heal-model.js'
import type { HealProgress } from '../../heal/heal-work.js'
import { formatHealed } from '../../terminal/healed.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { createProgress, type Progress } from '../../terminal/progress.js'
import { HEAL_OPTIONS, type HealFlags } from '../heal.js'
import { listenForInterruption } from './interruption.js'
import { pick } from './pick.js'
import { formatTypedCommand } from './typed-command.js'

export async function run(flags: HealFlags): Promise<void> {
  const { quiet = false, output } = flags
  setQuiet(quiet)
  const interruption = listenForInterruption(() =>
    printNote('stopping after the current step; press Ctrl-C again to stop at once'),
  )
  const progress = createStages(quiet)
  try {
    const result = await healModel({
      ...pick(flags, HEAL_OPTIONS),
      command: formatTypedCommand(),
      signal: interruption.signal,
      onNote: printNote,
      onProgress: progress.update,
    })
    progress.stop()
    await printDocument(result, flags, (result) => formatHealed(result, output))
  } finally {
    progress.stop()
    interruption.stop()
  }
}

/** One bar for each stage. */
export function createStages(quiet: boolean): { update: (progress: HealProgress) => void; stop: () => void } {
  let stage: HealProgress['stage'] | undefined
  let bar: Progress | undefined
  return {
    update(progress) {
      if (progress.stage !== stage) {
        bar?.stop()
        bar = createProgress({ quiet, unit: progress.stage === 'training' ? 'step' : 'text' })
        stage = progress.stage
      }
      if (progress.stage === 'training')
        bar!.update(progress.step, progress.steps, describeTraining(progress))
      else bar!.update(progress.texts, progress.total)
    },
    stop: () => bar?.stop(),
  }
}

function describeTraining({
  loss,
  heldOutLoss,
  tokensPerSecond,
}: HealProgress & { stage: 'training' }): string {
  const perplexity = formatPerplexity(Math.exp(heldOutLoss))
  return `loss ${loss.toFixed(3)}, held-out perplexity ${perplexity}, ${Math.round(tokensPerSecond)} tokens/s`
}
