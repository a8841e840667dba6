import { afterAll, vi } from 'vitest'
import { removeTempFolders } from './temp-folder.js'

/** Test files follow each other in one process, with its modules loaded: each leaves it as it was. */
const environment = { ...process.env }

afterAll(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  Object.assign(process.env, environment)
  removeTempFolders()
})
