import { healModel } from '../../../jobs/heal/heal-model.js'
import type { HealResult } from '../../../jobs/heal/heal-result.js'
import type { HealOptions } from '../../../jobs/heal/heal-work.js'
import { HEAL_LIST } from '../../../jobs/library/option-lists.js'
import { formatHealed } from '../../terminal/healed.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { createProgress } from '../../terminal/progress.js'
import type { ExportFlag } from '../export-flag.js'
import { exportWritten, formatExports, planExportsOfWritten } from './export-written.js'
import { listenForInterruption } from './interruption.js'
import { pick } from './pick.js'
import { reportDownload } from './run-hooks.js'
import { formatTypedCommand } from './typed-command.js'

export interface HealFlags extends Pick<HealOptions, (typeof HEAL_LIST)['flags'][number]>, ExportFlag {
  json?: boolean
  quiet?: boolean
}

export async function run(flags: HealFlags): Promise<void> {
  const { quiet = false, output } = flags
  setQuiet(quiet)
  const interruption = listenForInterruption()
  const progress = createProgress({ quiet })
  const hooks = {
    signal: interruption.signal,
    onNote: printNote,
    onProgress: progress.update,
    onDownload: reportDownload(progress.update),
  }
  const { model, revision, ignoreConfigKey, threads } = flags
  try {
    await planExportsOfWritten(flags, { model, revision, ignoreConfigKey, ...hooks })
    const healed = await healModel({ ...pick(flags, HEAL_LIST.flags), command: formatTypedCommand(), ...hooks })
    const exports = await exportWritten(flags, { ignoreConfigKey, threads, ...hooks })
    progress.stop()
    const result: HealResult = { ...healed, ...(exports.length > 0 && { exports }) }
    await printDocument(result, flags, (result) =>
      [formatHealed(result, output), ...formatExports(result.exports, output)].join('\n'),
    )
  } finally {
    progress.stop()
    interruption.stop()
  }
}
