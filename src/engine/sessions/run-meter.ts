import type { Run } from './runs.js'

const PHASES = ['loading', 'tokenising', 'feeding', 'model', 'distances'] as const

/** What a run spends its time on; waiting for texts to be read and tokenised counts as tokenising. */
export type Phase = (typeof PHASES)[number]

/** Counts what a run does and where its time goes. */
export class RunMeter {
  readonly seconds = Object.fromEntries(PHASES.map((phase) => [phase, 0])) as Record<Phase, number>
  tokens = 0
  paddedTokens = 0
  /** Sum over texts of their padded length squared: pairs of tokens that attention compares. */
  tokenPairs = 0
  /** Tokens whose states were compared. */
  positions = 0

  async time<T>(phase: Phase, action: () => T | Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await action()
    } finally {
      this.seconds[phase] += (performance.now() - start) / 1000
    }
  }

  /** Passes items on, and adds the time that they take to a phase. */
  async *timeEach<T>(phase: Phase, items: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      for (;;) {
        const { done, value } = await this.time(phase, () => items.next())
        if (done) return
        yield value
      }
    } finally {
      await items.return(undefined)
    }
  }

  count({ texts, tokens, positions }: Run): void {
    this.tokens += texts.reduce((sum, { ids }) => sum + ids.length, 0)
    this.paddedTokens += texts.length * tokens
    this.tokenPairs += texts.length * tokens ** 2
    this.positions += positions.length
  }
}
