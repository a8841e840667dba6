import { expect, it } from 'vitest'
import { formatSweep } from '../../../src/cli/terminal/sweep.js'
import { formatTasks } from '../../../src/cli/terminal/tasks.js'
import { SCHEMAS } from '../../../src/results/documents/schemas.js'
import type { CutTaskFigures, TaskFigures, TaskResult } from '../../../src/results/documents/task-result.js'
import { drawAccuracies } from '../../../src/results/report/accuracy-svg.js'
import { formatSweepCsv } from '../../../src/results/report/csv.js'
import { renderPage } from '../../../src/results/report/page.js'
import { sweepOf } from '../../support/sweep-example.js'

const figuresOf = (acc: number, tasks?: string[]): TaskFigures => ({
  ...{ acc, standardError: { acc: 0.0125 }, documents: 500, fewshot: 0 },
  ...(tasks && { tasks }),
})
const whole = {
  arc_easy: figuresOf(0.5512),
  mmlu: figuresOf(0.3123, ['mmlu_law']),
  mmlu_law: figuresOf(0.2717),
}
const lose = (figures: TaskFigures): CutTaskFigures => ({
  ...figures,
  acc: figures.acc! - 0.125,
  difference: { acc: { difference: -0.125, standardError: 0.01, interval: [-0.15, -0.1] } },
})
const cut = Object.fromEntries(Object.entries(whole).map(([name, figures]) => [name, lose(figures)]))

const swept = sweepOf([[1.2, 1.1]])
const sweep = {
  ...swept,
  whole: { ...swept.whole, tasks: whole },
  candidates: swept.candidates.map((candidate) => ({ ...candidate, tasks: cut })),
  limits: { minTask: { arc_easy: 0.4 } },
  recommended: swept.candidates[0]!,
}
const tasks: TaskResult = {
  schema: SCHEMAS.tasks,
  model: sweep.model,
  taskSettings: { maxLength: 9, truncated: 0 },
  tasks: whole,
  candidates: [{ removed: [{ start: 5, end: 6 }], tasks: cut }],
  layerpruneVersion: '0.1.0',
}
const pageOf = () =>
  renderPage(
    { results: [], evaluations: [], plans: [], sweeps: [sweep], tasks: [tasks] },
    {
      findProblem: () => undefined,
      findStoredDtype: () => null,
    },
  )

it('shows one accuracy in one form wherever it is shown', async () => {
  const shown = {
    tasks: formatTasks(tasks, { width: 200 }),
    sweep: formatSweep(sweep, { width: 200 }),
    svg: drawAccuracies(tasks)!,
    page: await pageOf(),
  }
  for (const [name, text] of Object.entries(shown)) {
    expect(text, name).toContain('0.5512')
    expect(text, name).toContain('0.4262')
    expect(text, name).not.toMatch(/55\.1|42\.6|0\.551\b|0\.426\b/)
  }
  expect(shown.sweep).toContain('an accuracy of at least 0.4000 on arc_easy')
  expect(shown.page).toContain('<small>-0.1250 (-0.1500 to -0.1000)</small>')
  expect(shown.svg).toContain('>0.2000</text>')
})

it('shows a group of tasks as one column, and leaves its tasks to the CSV file', async () => {
  expect(formatTasks(tasks)).not.toContain('mmlu_law')
  expect(formatSweep(sweep, { width: 200 })).not.toContain('mmlu_law')
  const page = await pageOf()
  expect(page).not.toContain('mmlu_law')
  // the cuts side by side, the sweep and the tasks
  expect(page.match(/<th scope="col">mmlu\b/g)).toHaveLength(3)
  const [heads, first] = formatSweepCsv(sweep).split('\n')
  expect(heads).toMatch(/,arc_easy,mmlu,mmlu_law$/)
  expect(first).toMatch(/,0\.5512,0\.3123,0\.2717$/)
})

it('shows the same cells in the terminal and on the page', async () => {
  const page = await pageOf()
  const rows = formatSweep(sweep, { width: 130 })
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
  expect(rows).toHaveLength(3)
  for (const row of rows) {
    const [n, removed, , perplexity] = row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim())
    expect(page).toMatch(new RegExp(`<td>${n}</td><td>${removed}</td>.*<td>${perplexity}</td>`))
  }
})
