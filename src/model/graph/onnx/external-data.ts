import { realpath, stat } from 'node:fs/promises'
import { dirname, relative, resolve, sep } from 'node:path'
import { clearField, create } from '@bufbuild/protobuf'
import { StringStringEntryProtoSchema, TensorProtoSchema } from 'onnx-buf'
import { LayerpruneError } from '../../../base/errors.js'
import { assertRegularFile } from '../../../base/regular-file.js'
import { DataLocation, type GraphProto, type TensorProto } from './onnx.js'

/** Bytes of a weight inside a file. */
export interface ExternalData {
  /** Path of the file. */
  location: string
  offsetBytes: number
  sizeBytes: number
}

/** Makes an initializer point at bytes of a file instead of holding them. */
export function setExternalData(tensor: TensorProto, { location, offsetBytes, sizeBytes }: ExternalData): void {
  clearField(tensor, TensorProtoSchema.field.rawData)
  tensor.dataLocation = DataLocation.EXTERNAL
  tensor.externalData = Object.entries({ location, offset: `${offsetBytes}`, length: `${sizeBytes}` }).map(
    ([key, value]) => create(StringStringEntryProtoSchema, { key, value }),
  )
}

/** Makes an initializer hold its bytes instead of pointing at them. */
export function setInlineData(tensor: TensorProto, bytes: Uint8Array<ArrayBuffer>): void {
  tensor.rawData = bytes
  tensor.dataLocation = DataLocation.DEFAULT
  tensor.externalData = []
}

/** Where the bytes of an external initializer are; `sizeBytes` is null if the file does not say. */
export function getExternalData(tensor: TensorProto): {
  location: string
  offsetBytes: number
  sizeBytes: number | null
} {
  const entry = (key: string) => tensor.externalData.find((candidate) => candidate.key === key)?.value
  const length = entry('length')
  return {
    location: entry('location') ?? '',
    offsetBytes: Number(entry('offset') ?? 0),
    sizeBytes: length === undefined ? null : Number(length),
  }
}

/**
 * Checks every external weight of a graph against its file and rewrites the locations to real paths relative to one
 * folder. ONNX Runtime refuses links that leave the folder, as in the Hub cache.
 * @param folder folder that the locations are relative to now; they must not leave it
 * @returns real path of the folder that they are relative to afterwards
 * @throws LayerpruneError if a file is missing, too short, or outside the folder
 */
export async function resolveExternalData(graph: GraphProto, folder: string): Promise<string> {
  const external = initializersDeep(graph).filter((tensor) => tensor.dataLocation === DataLocation.EXTERNAL)
  const files = new Map<string, { realPath: string; sizeBytes: number }>()
  for (const tensor of external) {
    const { location, offsetBytes, sizeBytes } = getExternalData(tensor)
    if (!files.has(location)) files.set(location, await locate(folder, location, tensor.name))
    const file = files.get(location)!
    const endBytes = offsetBytes + (sizeBytes ?? 0)
    if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0 || !(endBytes <= file.sizeBytes)) {
      throw new LayerpruneError(
        `${location} is truncated or belongs to another file: weight ${tensor.name} ends at byte ${endBytes}, the file has ${file.sizeBytes}`,
        { hint: 'download the file again' },
      )
    }
  }
  const root = commonFolder([...files.values()].map(({ realPath }) => dirname(realPath))) ?? (await realpath(folder))
  for (const tensor of external) {
    const entry = tensor.externalData.find(({ key }) => key === 'location')!
    entry.value = relative(root, files.get(entry.value)!.realPath)
  }
  return root
}

async function locate(folder: string, location: string, weight: string) {
  const path = resolve(folder, location)
  if (location === '' || !path.startsWith(resolve(folder) + sep)) {
    throw new LayerpruneError(`weight ${weight} lies outside the model's folder: ${JSON.stringify(location)}`)
  }
  try {
    const realPath = await realpath(path)
    await assertRegularFile(realPath)
    return { realPath, sizeBytes: (await stat(realPath)).size }
  } catch (cause) {
    if (cause instanceof LayerpruneError) throw cause
    throw new LayerpruneError(`external data ${path} is missing: weight ${weight} is stored there`, {
      hint: `put ${location} beside the .onnx file`,
      cause,
    })
  }
}

/** Initializers of a graph and of the subgraphs of its nodes. */
export function initializersDeep(graph: GraphProto): TensorProto[] {
  const subgraphs = graph.node.flatMap(({ attribute }) =>
    attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs)),
  )
  return [...graph.initializer, ...subgraphs.flatMap(initializersDeep)]
}

/** Real paths of the files that hold a graph's weights; none for weights inside the graph, nor for packed ones. */
export function listExternalFiles(graph: GraphProto, weightsFolder: string): string[] {
  const external = initializersDeep(graph).filter(
    (tensor) => tensor.dataLocation === DataLocation.EXTERNAL && tensor.externalData.length > 0,
  )
  return [...new Set(external.map((tensor) => resolve(weightsFolder, getExternalData(tensor).location)))]
}

/** Deepest folder that contains all of them; undefined if there are none. */
export function commonFolder(folders: string[]): string | undefined {
  return folders.reduce<string | undefined>((common, folder) => {
    if (common === undefined) return folder
    let candidate = common
    while (relative(candidate, folder).startsWith('..')) candidate = dirname(candidate)
    return candidate
  }, undefined)
}
