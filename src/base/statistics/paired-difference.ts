import { upperQuantile } from './student-t.js'

/** A mean over documents with what is known of its error. */
export interface Estimate {
  value: number
  /** Null for a single document. */
  standardError: number | null
}

/** How much the mean of one quantity is above that of another, over the same documents. */
export interface PairedDifference {
  difference: number
  /** Null for a single document. */
  standardError: number | null
  /** The 95 % confidence interval, by Student's t distribution; null if no two documents differ, which shows no spread. */
  interval: [low: number, high: number] | null
}

const CONFIDENCE = 0.95

/** The mean and its standard error, with n - 1 degrees of freedom. */
export function estimateMean(values: ArrayLike<number>): Estimate {
  const { length } = values
  let sum = 0
  for (let i = 0; i < length; i++) sum += values[i]!
  const value = sum / length
  let squares = 0
  for (let i = 0; i < length; i++) squares += (values[i]! - value) ** 2
  return { value, standardError: length < 2 ? null : Math.sqrt(squares / (length - 1) / length) }
}

/** @param values, others  of the same documents */
export function pairDifference(values: Float64Array, others: Float64Array): PairedDifference {
  const { value, standardError } = estimateMean(values.map((value, index) => value - others[index]!))
  return { difference: value, standardError, interval: findInterval(value, standardError, values.length) }
}

/** @param count  of documents */
export function findInterval(
  difference: number,
  standardError: number | null,
  count: number,
): PairedDifference['interval'] {
  if (standardError === null || standardError === 0) return null
  const reach = standardError * upperQuantile((1 - CONFIDENCE) / 2, count - 1)
  return [difference - reach, difference + reach]
}
