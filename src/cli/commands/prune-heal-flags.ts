import type { Command } from 'commander'
import { positiveNumber, wholeNumber } from './arguments.js'

export interface PruneHealFlags {
  heal?: boolean
  healSteps?: number
  healMinutes?: number
  resume?: boolean
}

/** Flags that require --heal. */
export const HEAL_ONLY = ['healSteps', 'healMinutes'] as const

export function addPruneHealFlags(command: Command): Command {
  return command
    .option('--heal', 'then train the pruned model on the texts, as layerprune heal does')
    .option('--heal-steps <n>', 'training steps (default: 200, or as many as fit in --heal-minutes)', wholeNumber(1))
    .option('--heal-minutes <n>', 'end the training after n minutes', positiveNumber)
    .option('--resume', 'continue a repair or training that was stopped')
}
