export class Screen {
  lines: number
  get line(): string
  write(text: string): void
}

/** What was seen, and when. */
export interface Sample {
  seconds: number
  line: string
  lines: number
}

export function readSecondsLeft(line: string): number | null

export function judgeSamples(samples: Sample[]): {
  seconds: number
  silentSeconds: number
  silentAt: { seconds: number; line: string } | null
  idleSeconds: number
  idleAt: { seconds: number; line: string } | null
  rise: number
  riseAt: { seconds: number; before: number; left: number } | null
  phases: string[]
}
