/**
 * Writes what the README shows of the program: the demo's output between its markers, and the picture. Run it with
 * `npm run docs` after a change of what people see; the tests compare the README with the program.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const output = execFileSync(process.execPath, ['examples/demo.js'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
})
copyFileSync('layerprune-output/distances.svg', 'examples/distances.svg')

const readme = readFileSync('README.md', 'utf8')
const section = /(<!-- demo: .* -->\n)[\s\S]*?(<!-- \/demo -->)/
if (!section.test(readme))
  throw new Error('README.md has no section between <!-- demo: ... --> and <!-- /demo -->')
writeFileSync(
  'README.md',
  readme.replace(section, (_, open, close) => `${open}\`\`\`text\n${output.trim()}\n\`\`\`\n${close}`),
)
