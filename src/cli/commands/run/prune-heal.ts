import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { InterruptedError, LayerpruneError, UsageError } from '../../../base/errors.js'
import type { Lock } from '../../../base/lock.js'
import { nameFlag } from '../../../base/name-option.js'
import { writeFileAtomically } from '../../../base/write-files.js'
import { healModel } from '../../../jobs/heal/heal-model.js'
import type { HealResult } from '../../../jobs/heal/heal-result.js'
import type { HealOptions } from '../../../jobs/heal/heal-work.js'
import { openTrainable } from '../../../jobs/heal/open-trainable.js'
import { hasState, removeState, statePath } from '../../../jobs/heal/saved-state.js'
import type { PruneOptions } from '../../../jobs/prune/prune.js'
import type { RepairReport } from '../../../jobs/repair/repair-report.js'
import { repairStatePath } from '../../../jobs/repair/repair-state.js'
import { lockFolder, pathBeside } from '../../../jobs/write-model/output-folder.js'
import { formatBlocks } from '../../../model/layers/blocks.js'
import type { PruneResult } from '../../../results/documents/prune-result.js'
import type { PruneFlags } from '../prune-flags.js'
import { HEAL_ONLY } from '../prune-heal-flags.js'
import { pick } from './pick.js'
import { formatTypedCommand } from './typed-command.js'

/** Flags of `prune` that the training takes too. */
const SHARED_OPTIONS = [
  ...(['dataset', 'datasetColumn', 'datasetConfig', 'datasetSplit', 'datasetSkip', 'shuffle'] as const),
  ...(['datasetRevision', 'textLines'] as const),
  ...(['maxLength', 'evaluateOn', 'evaluateSize', 'threads', 'force', 'ignoreConfigKey'] as const),
] as const

type SharedOptions = Omit<HealOptions, 'model' | 'output'>

export interface Pruned {
  result: PruneResult
  repair?: RepairReport | undefined
  /** Weights that the repair changed, if still in memory. */
  replacements?: PruneOptions['replacements']
}

/**
 * Options of the training from the flags; undefined if none is requested.
 * @throws UsageError if they contradict each other
 */
export function readHealOptions(flags: PruneFlags): SharedOptions | undefined {
  if (!flags.heal) {
    const given = HEAL_ONLY.find((name) => flags[name] !== undefined)
    if (given !== undefined) throw new UsageError(`${nameFlag(given)} requires --heal`)
    return undefined
  }
  const { dataset, healSteps: steps, healMinutes: minutes } = flags
  if (dataset === undefined) throw new UsageError('--heal needs texts to train on: give --dataset')
  if (flags.dryRun)
    throw new UsageError('--heal cannot be combined with --dry-run, because training is the work itself')
  if (flags.allDtypes)
    throw new UsageError('--heal cannot be combined with --all-dtypes, because it trains one set of weights')
  if (flags.tokenizer !== undefined) {
    throw new UsageError("--heal trains with the model's own tokenizer, and --tokenizer names another")
  }
  return { ...pick(flags, SHARED_OPTIONS), dataset, steps, minutes }
}

interface Healing {
  flags: PruneFlags
  /** Flags that the result depends on, other than those that name the layers. */
  making: string[]
  removed: PruneResult['plan']['removed']
  heal: SharedOptions
  /** Folder of the whole model. */
  whole: string
}

/**
 * Prunes a model into a folder beside the output, trains it there, and writes the healed one. A training that is
 * stopped leaves that folder and its own state, with which --resume continues.
 * @param prune writes the pruned model to the folder that it is given
 * @throws InterruptedError if the signal was aborted
 * @throws LayerpruneError if the model cannot be trained, or the stopped training is that of another cut
 */
export async function pruneAndHeal(
  { flags, making, removed, heal, whole }: Healing,
  prune: (output: string) => Promise<Pruned>,
): Promise<Pruned & { heal: HealResult }> {
  const { output } = flags
  const stage = new Stage(output, ['--drop', formatBlocks(removed), ...making])
  const lock = await stage.lock()
  try {
    return await healStaged(
      stage,
      { flags, heal, whole, named: `${flags.model} without ${formatBlocks(removed)}` },
      prune,
    )
  } finally {
    lock.release()
  }
}

async function healStaged(
  stage: Stage,
  { flags, heal, whole, named }: Pick<Healing, 'flags' | 'heal' | 'whole'> & { named: string },
  prune: (output: string) => Promise<Pruned>,
): Promise<Pruned & { heal: HealResult }> {
  const { output, resume, force } = flags
  if (!resume) await stage.clear(force)
  const pruned = resume && !existsSync(repairStatePath(output)) ? await stage.read() : await stage.fill(prune)
  try {
    const healed = await healModel({
      ...heal,
      model: stage.model,
      named,
      output,
      // a repair has measured it
      ...(!flags.repair && { whole }),
      command: formatTypedCommand(),
      resume: await hasState(output),
    })
    await stage.remove()
    const { output: path, files, sizeBytes } = healed
    return { ...pruned, result: { ...pruned.result, output: path, files, sizeBytes }, heal: healed }
  } catch (cause) {
    if (await hasState(output)) throw cause
    if (heal.signal?.aborted) {
      throw new InterruptedError('before the first step of training; --resume continues from there')
    }
    await stage.remove()
    throw cause
  }
}

/** @throws LayerpruneError if a model cannot be trained once pruned */
export async function assertHealable(flags: PruneFlags, { format }: Pick<PruneResult, 'format'>): Promise<void> {
  if (format !== 'safetensors') {
    throw new LayerpruneError(`--heal needs safetensors, but the weights to prune are ${format}`, {
      hint: 'prune the safetensors of the model: --format safetensors',
    })
  }
  await openTrainable(pick(flags, ['model', 'revision', 'format', 'ignoreConfigKey']))
}

/** The folder that holds the pruned model, and its record, during training. */
class Stage {
  readonly #folder: string
  readonly #output: string
  readonly #making: string[]

  constructor(output: string, making: string[]) {
    this.#folder = pathBeside(output, '.layerprune-pruned')
    this.#output = output
    this.#making = making
  }

  get model(): string {
    return join(this.#folder, 'model')
  }

  get #record(): string {
    return join(this.#folder, 'prune.json')
  }

  /** @throws LayerpruneError if another process prunes and heals into the same output */
  lock(): Promise<Lock> {
    return lockFolder(this.#folder)
  }

  /** @throws LayerpruneError if a training was stopped that `force` does not drop */
  async clear(force: boolean | undefined): Promise<void> {
    const known = await this.#readRecord()
    if (!force && (known !== undefined || (await hasState(this.#output)))) {
      throw new LayerpruneError(`${this.#folder} holds the model of a stopped training`, {
        hint: 'continue it with --resume, or start again with --force',
      })
    }
    await removeState(statePath(this.#output))
    await this.remove()
  }

  async fill(prune: (output: string) => Promise<Pruned>): Promise<Pruned> {
    await this.remove()
    const { result, repair } = await prune(this.model)
    const pruned = { result, repair }
    await writeFileAtomically(this.#record, JSON.stringify({ making: this.#making, pruned }))
    return pruned
  }

  /** @throws LayerpruneError if there is no model to resume with, or it was made with other flags */
  async read(): Promise<Pruned> {
    const known = await this.#readRecord()
    if (known === undefined) {
      throw new LayerpruneError(`there is no training to resume: missing ${this.#record}`, {
        hint: 'start without --resume, or name the --output of the stopped run',
      })
    }
    const [before, now] = [known.making, this.#making].map((words) => words.join(' '))
    if (before === now) return known.pruned
    throw new LayerpruneError(`the training cannot be resumed: it was started with ${before}, not ${now}`, {
      hint: 'use the flags of the stopped run, or start again with --force',
    })
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #readRecord(): Promise<{ making: string[]; pruned: Pruned } | undefined> {
    const text = await readFile(this.#record, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
      throw error
    })
    return text === undefined ? undefined : JSON.parse(text)
  }
}
