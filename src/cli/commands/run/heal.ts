import { healModel } from '../../../jobs/heal/heal-model.js'
import type { HealOptions } from '../../../jobs/heal/heal-work.js'
import { HEAL_LIST } from '../../../jobs/library/option-lists.js'
import { formatHealed } from '../../terminal/healed.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { createProgress } from '../../terminal/progress.js'
import { listenForInterruption } from './interruption.js'
import { pick } from './pick.js'
import { reportDownload } from './run-hooks.js'
import { formatTypedCommand } from './typed-command.js'

export interface HealFlags extends Pick<HealOptions, (typeof HEAL_LIST)['flags'][number]> {
  json?: boolean
  quiet?: boolean
}

export async function run(flags: HealFlags): Promise<void> {
  const { quiet = false, output } = flags
  setQuiet(quiet)
  const interruption = listenForInterruption()
  const progress = createProgress({ quiet })
  try {
    const result = await healModel({
      ...pick(flags, HEAL_LIST.flags),
      command: formatTypedCommand(),
      signal: interruption.signal,
      onNote: printNote,
      onProgress: progress.update,
      onDownload: reportDownload(progress.update),
    })
    progress.stop()
    await printDocument(result, flags, (result) => formatHealed(result, output))
  } finally {
    progress.stop()
    interruption.stop()
  }
}
