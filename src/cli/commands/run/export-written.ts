import { basename, resolve } from 'node:path'
import { type ExportOptions, exportModel } from '../../../jobs/export/export-model.js'
import type { ExportResult } from '../../../results/documents/export-result.js'
import { formatExported } from '../../terminal/exported.js'
import type { ExportFlag, ExportRequest } from '../export-flag.js'
import { formatTypedCommand } from './typed-command.js'

type Requested = Pick<ExportOptions, 'to' | 'dtype' | 'output' | 'name' | 'force' | 'command'>
type Source = Omit<ExportOptions, keyof Requested>

interface ExportFlags extends ExportFlag {
  output: string
  force?: boolean | undefined
}

/**
 * Says what will be exported of a model that is yet to be written, so that hours of work do not end in a refusal.
 * @param source  the model that it is made of, and the layers that are left out
 * @throws as `exportModel`
 */
export async function planExportsOfWritten(flags: ExportFlags, source: Source): Promise<ExportResult[]> {
  const planned: ExportResult[] = []
  for (const request of listRequested(flags)) {
    planned.push(await exportModel({ ...source, ...request, dryRun: true, onNote: undefined, onProgress: undefined }))
  }
  return planned
}

/**
 * Exports the model that was written to the output folder.
 * @throws as `exportModel`; the written model stays
 */
export async function exportWritten(flags: ExportFlags, source: Omit<Source, 'model'>): Promise<ExportResult[]> {
  const requested = listRequested(flags)
  if (requested.length > 0) source.onNote?.(`${flags.output} is complete; exporting it`)
  const exports: ExportResult[] = []
  for (const request of requested) exports.push(await exportModel({ ...source, ...request, model: flags.output }))
  return exports
}

/** What was exported, after what was written. */
export function formatExports(exports: ExportResult[] | undefined, output: string): string[] {
  return (exports ?? []).flatMap((result) => ['', formatExported(result, nameFolder(output, result.to))])
}

function listRequested({ export: requests = [], output, force }: ExportFlags): Requested[] {
  const common = { force, name: basename(resolve(output)), command: formatTypedCommand() }
  return [...new Set(requests.map(({ to }) => to))].map((to) => {
    const dtypes = requests.filter((request) => request.to === to).flatMap(({ dtype }) => dtype ?? [])
    return { ...common, to, dtype: dtypes.length > 0 ? dtypes : undefined, output: nameFolder(output, to) }
  })
}

function nameFolder(output: string, to: ExportRequest['to']): string {
  return `${output.replace(/[/\\]+$/, '')}-${to}`
}
