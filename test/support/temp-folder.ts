import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const made: string[] = []

/** A new, empty folder whose path has no link in it; `after-file.ts` removes it after the last test of the file. */
export function makeTempFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'layerprune-test-')))
  made.push(folder)
  return folder
}

export function removeTempFolders(): void {
  // a program that was just ended may still be writing
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}
