/**
 * The main job on the model and the texts of this folder: measures every block of layers, checks the nearest
 * by perplexity, then writes the slices.
 * Run it with `npm run demo`.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const commands = [
  'layerprune similarity --model examples/model --dataset examples/texts.jsonl --layers-to-skip 4 --verify 8',
  'layerprune slice-config --from layerprune-output/similarity.json',
]

for (const command of commands) {
  console.log(`$ ${command}`)
  const args = command.split(' ').slice(1)
  const { status } = spawnSync(process.execPath, ['bin/layerprune.js', ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  console.log()
}
