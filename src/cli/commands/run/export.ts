import { locateModel } from '../../../engine/model.js'
import { type ExportOptions, exportModel } from '../../../jobs/export/export-model.js'
import { EXPORT_LIST } from '../../../jobs/library/option-lists.js'
import { formatExported } from '../../terminal/exported.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { createProgress } from '../../terminal/progress.js'
import type { RemovalFlags } from '../removal-flags.js'
import { listenForInterruption } from './interruption.js'
import { pick } from './pick.js'
import { printOnce } from './print-once.js'
import { planRemoval, readRemoval } from './removal.js'
import { reportDownload } from './run-hooks.js'
import { formatTypedCommand } from './typed-command.js'

export interface ExportFlags extends RemovalFlags, Pick<ExportOptions, (typeof EXPORT_LIST)['flags'][number]> {
  json?: boolean
  quiet?: boolean
}

export async function run(flags: ExportFlags): Promise<void> {
  const { quiet = false } = flags
  setQuiet(quiet)
  const removal = namesLayers(flags) ? await readRemoval(flags) : undefined
  const interruption = listenForInterruption()
  const progress = createProgress({ quiet })
  const { signal } = interruption
  const hooks = {
    signal,
    onNote: printOnce(printNote),
    onProgress: progress.update,
    onDownload: reportDownload(progress.update),
  }
  const options = pick(flags, EXPORT_LIST.flags)
  try {
    const { dtype: _, ...source } = options
    const removed =
      removal === undefined
        ? undefined
        : await locateModel({ ...source, signal }).then(async ({ id, config }) => {
            const model = { id, layers: config.layers, family: config.modelType }
            return (await planRemoval(removal, model)).removed
          })
    const result = await exportModel({ ...options, ...hooks, removed, command: formatTypedCommand() })
    progress.stop()
    await printDocument(result, flags, (result) => formatExported(result, flags.output))
  } finally {
    progress.stop()
    interruption.stop()
  }
}

function namesLayers({ start, end, drop, plan, from, layersToSkip }: RemovalFlags): boolean {
  return [start, end, drop, plan, from, layersToSkip].some((flag) => flag !== undefined)
}
