/** A tensor of a file; stacks of experts have their number as the first axis. */
interface Sized {
  name: string
  shape: number[]
}

/** The size of a model as llama.cpp's converter states it: `135M`, or `8x7.0B` for experts. */
export function labelSize(tensors: Sized[]): string {
  const stacks = tensors.filter(isStack)
  const others = tensors.filter((tensor) => !isStack(tensor))
  const shared = sum(others.map(countOf))
  if (stacks.length === 0) return formatCount(shared)
  const experts = Math.floor(sum(stacks.map(expertsOf)) / stacks.length)
  const ofOne = sum(stacks.map((stack) => Math.floor(countOf(stack) / expertsOf(stack))))
  return `${experts}x${formatCount(shared + ofOne)}`
}

function isStack({ name, shape }: Sized): boolean {
  return name.includes('_exps.') && shape.length > 2
}

function expertsOf({ shape }: Sized): number {
  return shape.at(-3)!
}

/** The numbers in all of some tensors. */
export function countNumbers(tensors: Sized[]): number {
  return sum(tensors.map(countOf))
}

function countOf({ shape }: Sized): number {
  return shape.reduce((product, size) => product * size, 1)
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

const UNITS: [least: number, suffix: string][] = [
  [1e12, 'T'],
  [1e9, 'B'],
  [1e6, 'M'],
]
const LEAST_DIGITS = 2

/** At least two digits. */
function formatCount(numbers: number): string {
  const [unit, suffix] = UNITS.find(([least]) => numbers > least) ?? [1e3, 'K']
  const scaled = numbers / unit
  const digits = String(Math.round(scaled)).replace(/^0+/, '').length
  return `${scaled.toFixed(Math.max(LEAST_DIGITS - digits, 0))}${suffix}`
}
