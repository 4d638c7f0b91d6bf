/**
 * Logarithmic buckets for latencies, as in DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
 * relative-error guarantees", VLDB 2019). Counts per bucket of many sketches are added up, and a quantile of them is at most
 * RELATIVE_ERROR away from the quantile of the values.
 */
const RELATIVE_ERROR = 0.01
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)

/** Natural logarithm of the ratio between the limits of a bucket: for the same formula in another language. */
export const LN_GAMMA = Math.log(GAMMA)
/** The bucket of what is not above 0 ms; it stands for 0. No other value of a number gets as low. */
export const ZERO_BUCKET = -1_000_000

/** Bucket b > ZERO_BUCKET holds the values in (γ^(b − 1), γ^b]. */
export function bucketOf(ms: number): number {
  return ms > 0 ? Math.ceil(Math.log(ms) / LN_GAMMA) + 0 : ZERO_BUCKET // Never −0.
}

/** What stands for all values of a bucket, in ms: at most RELATIVE_ERROR away from each. */
export function bucketValue(bucket: number): number {
  return bucket === ZERO_BUCKET ? 0 : (2 * Math.exp(bucket * LN_GAMMA)) / (GAMMA + 1)
}
