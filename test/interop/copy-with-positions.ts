import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyFixture } from '../support/fixture-model.js'

/** A copy of a fixture with rotary positions that takes longer texts. */
export function copyWithPositions(name: string, positions: number): string {
  const folder = copyFixture(name)
  const path = join(folder, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...config, max_position_embeddings: positions }))
  return folder
}
