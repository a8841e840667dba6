import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openWholeSession } from '../../src/engine/sessions/whole-session.js'
import { type ModelConfig, readModelConfig } from '../../src/files/checkpoint/config.js'
import { toStrictJson } from '../../src/files/checkpoint/python-json.js'
import { openSafetensors } from '../../src/files/checkpoint/safetensors.js'
import { addDistances, countBlocks } from '../../src/jobs/similarity/distances.js'
import { buildDecoder } from '../../src/model/builder/build-decoder.js'
import type { DecoderGraph } from '../../src/model/graph/decoder-graph.js'
import { serializeModel } from '../../src/model/graph/onnx/onnx.js'
import { FIXTURES } from './paths.js'
import { makeTempFolder } from './temp-folder.js'

const FAMILIES = join(FIXTURES, 'families')

/** ONNX Runtime in tests: so small a model gains nothing from threads, which compete with those of other files. */
export const ONE_THREAD = { device: 'cpu', threads: 1 } as const

/** Names of all fixtures. */
export function listFixtures(): string[] {
  return readdirSync(FAMILIES).sort()
}

export function readConfig(name: string): Record<string, unknown> {
  return JSON.parse(toStrictJson(readFileSync(join(FAMILIES, name, 'config.json'), 'utf8')))
}

/** What PyTorch gives for a fixture, by make-families.py. */
export interface Reference {
  maxLength: number
  /** Token ids of each text. */
  texts: number[][]
  /** Distances by block size and start, at the last token of each text. */
  last: Record<string, number[]>
  /** The same at every token. */
  all: Record<string, number[]>
}

export function readReference(folder: string): Reference {
  return JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'))
}

export function fixtureFolder(name: string): string {
  return join(FAMILIES, name)
}

/** A copy of a fixture that a test may damage; removed when the test ends. */
export function copyFixture(name: string): string {
  const folder = makeTempFolder()
  cpSync(fixtureFolder(name), folder, { recursive: true })
  return folder
}

interface Built {
  decoder: DecoderGraph
  config: ModelConfig
}

/** Builds the graph of a folder, with some keys of its config changed; undefined removes a key. */
export async function buildFrom(folder: string, changes: Record<string, unknown> = {}): Promise<Built> {
  const read = await readModelConfig(folder)
  const config = { ...read, raw: { ...read.raw, ...changes } }
  return { decoder: buildDecoder(config, await openSafetensors(folder)), config }
}

/** Whether two decoders are the same graph, byte by byte. */
export function isSameGraph(one: DecoderGraph, other: DecoderGraph): boolean {
  return Buffer.compare(serializeModel(one.model), serializeModel(other.model)) === 0
}

/** Mean distance of every block of layers over every token of a fixture's texts, run as one padded batch. */
export async function measureBlocks(built: Built, name: string): Promise<Float64Array> {
  return measureTexts(built, readReference(fixtureFolder(name)).texts, name)
}

/** As measureBlocks, over other texts, given as token ids, and at other tokens of each if `ask` says so. */
export async function measureTexts(
  { decoder, config }: Built,
  texts: number[][],
  name: string,
  ask = (ids: number[]) => ids.map((_, token) => token),
): Promise<Float64Array> {
  const session = await openWholeSession(decoder, config, ONE_THREAD)
  const batch = {
    texts: texts.map((ids) => ({ ids, origin: name })),
    asked: texts.map(ask),
  }
  const gram: Float64Array = (await session.measureGrams([batch]).next()).value
  await session.close()
  const size = decoder.states.length ** 2
  const sums = new Float64Array(countBlocks(config.layers))
  for (let start = 0; start < gram.length; start += size) {
    addDistances(gram.subarray(start, start + size), config.layers, ['angular'], sums)
  }
  return sums.map((sum) => sum / batch.asked.flat().length)
}
