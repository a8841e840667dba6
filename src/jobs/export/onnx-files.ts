import { join, posix } from 'node:path'
import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { EXPORT_FORMS, type ExportDtype } from '../../model/export/dtypes.js'
import { makeExportedGraph } from '../../model/export/export-graph.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { serializeModel } from '../../model/graph/onnx/onnx.js'
import { sumPlanned } from '../write-model/planned-file.js'
import type { PlannedExport } from './planned-export.js'
import { planWeightFiles } from './weight-files.js'

/** Where transformers.js looks for graphs. */
const GRAPH_FOLDER = 'onnx'

export interface PlannedGraph extends PlannedExport {
  dtype: ExportDtype
}

/** @throws UsageError if a type is not known */
export function readOnnxDtypes(names: string[] = ['q8']): ExportDtype[] {
  const isDtype = (name: string): name is ExportDtype => Object.hasOwn(EXPORT_FORMS, name)
  return names.map((name) => {
    if (isDtype(name)) return name
    const known = Object.keys(EXPORT_FORMS).join(', ')
    throw new UsageError(`${nameOption('dtype', name)}: ONNX graphs are written in ${known}`)
  })
}

/**
 * Plans the graph of a decoder that continues texts in one type, with the name that transformers.js looks for.
 * @param decoder  built with caches, and cut if layers are left out
 */
export function planGraph(decoder: DecoderGraph, dtype: ExportDtype): PlannedGraph {
  const form = EXPORT_FORMS[dtype]
  const exported = makeExportedGraph(decoder, form)
  const file = `model${form.suffix}.onnx`
  const weights = planWeightFiles(decoder, exported, file)
  const files = [{ name: file, parts: [serializeModel(exported.model)] }, ...weights].map((planned) => ({
    ...planned,
    name: posix.join(GRAPH_FOLDER, planned.name),
  }))
  const { model } = exported
  return {
    ...{ dtype, name: files[0]!.name, files, sizeBytes: sumPlanned(files) },
    open: async (folder) => ({ model, weightsFolder: join(folder, GRAPH_FOLDER), states: [] }),
  }
}
