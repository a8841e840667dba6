import { describe, expect, it } from 'vitest'
import { type Hub, makeRetryPolicy } from '../../../src/files/hub/hub.js'
import { networkError } from '../../../src/files/hub/network-error.js'
import { TransientError } from '../../../src/files/hub/retry.js'

const policyOf = (reached: boolean) =>
  makeRetryPolicy({ settings: { retryMs: 120_000 }, http: { reached } } as unknown as Hub, 'cannot read x')
/** A failure after which the next try would come too late, so that nothing waits. */
const failure = (isUnconnected: boolean, retryAfterMs: number) =>
  new TransientError('no answer', { isUnconnected, retryAfterMs })

describe('how long a server is tried that has never answered', () => {
  it.each([
    ['2 s if the machine cannot connect at all', true, 2],
    ['15 s if it can', false, 15],
  ])('%s', async (_, isUnconnected, seconds) => {
    const asked = 1000 * seconds
    await expect(policyOf(false).waitAfter(failure(isUnconnected, asked))).rejects.toThrow(
      `cannot read x: no answer, and asks to wait ${seconds} s`,
    )
  })

  it('two minutes once it has', async () => {
    await expect(policyOf(true).waitAfter(failure(true, 120_000))).rejects.toThrow('asks to wait 120 s')
  })

  it.each([
    ['ENOTFOUND', true],
    ['ECONNREFUSED', true],
    ['UND_ERR_HEADERS_TIMEOUT', false],
  ])('%s says that it cannot connect: %s', (code, isUnconnected) => {
    const error = networkError(Object.assign(new Error(code), { code }), 'https://hub.example/x', '')
    expect(error).toMatchObject({ isUnconnected })
  })
})
