/**
 * Writes what the README shows of the program: the demo's output, its picture, and the table of models. Run it with
 * `npm run docs` after a change of what people see; the tests compare the README with the program.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FAMILIES } from '../dist/families/table.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const output = execFileSync(process.execPath, ['examples/demo.js'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
})
copyFileSync('layerprune-output/distances.svg', 'examples/distances.svg')

const families = Object.entries(FAMILIES)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([type, { title, notes }]) => `| \`${type}\` | ${title} | ${notes} |`)
const modelTable = ['| `model_type` | models | what sets it apart |', '| --- | --- | --- |', ...families]

let readme = readFileSync('README.md', 'utf8')
replaceSection('demo', `\`\`\`text\n${output.trim()}\n\`\`\``)
replaceSection('models', modelTable.join('\n'))
writeFileSync('README.md', readme)

/** Puts text between `<!-- name: ... -->` and `<!-- /name -->`. */
function replaceSection(name, text) {
  const section = new RegExp(`(<!-- ${name}: .* -->\\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!section.test(readme)) throw new Error(`README.md has no section ${name}`)
  readme = readme.replace(section, (_, open, close) => `${open}${text}\n${close}`)
}
