/**
 * Writes `program`, which `bin` starts: the modules of `dist` in few files, which take less time to load.
 * Packages stay outside it, and threads run the files of `dist`.
 *
 *   node bundle.js
 */
import { isAbsolute } from 'node:path'
import { build } from 'rolldown'

await build({
  cwd: import.meta.dirname,
  input: { layerprune: './dist/cli/main.js' },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !isAbsolute(id),
  output: { dir: 'program', cleanDir: true, chunkFileNames: '[name].js' },
})
