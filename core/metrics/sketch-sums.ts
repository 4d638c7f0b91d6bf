import { createDistribution, type Distribution } from '../sketch/distribution.ts'
import { createMembers, type Members } from '../sketch/members.ts'

/** What the sketches of a step add up to. Both null: there was none. */
export interface SketchSum {
  /** Of one sketch, or of several that came one after the other. */
  encoded: Uint8Array | null
  /** What takes more; `encoded` is null then. */
  open: Distribution | Members | null
}

/** Adds up the sketches of many steps. A sum belongs to one SketchSums, and all of it is of one kind. */
export interface SketchSums {
  add(sum: SketchSum, encoded: Uint8Array, kind: 'set' | 'distribution'): void
  /** Different members; of nothing 0. */
  estimate(sum: SketchSum): number
  /** null: there is none. */
  quantile(sum: SketchSum, p: number): number | null
}

/**
 * Most steps get one sketch, which stays encoded, or several that follow each other: distributions of these go into one that all steps
 * share, and leave it as an encoding. A step that gets more after that has its own.
 */
export function createSketchSums(): SketchSums {
  const shared = createDistribution()
  /** Whose sum `shared` is. */
  let owner: SketchSum | null = null
  const left = new WeakSet<SketchSum>()
  const decoded = createDistribution()
  /** Whose encoding `decoded` is. */
  let decodedOf: SketchSum | null = null

  function share(sum: SketchSum): Distribution {
    if (owner !== null) {
      owner.encoded = shared.encode()
      owner.open = null
      left.add(owner)
    }
    owner = sum
    shared.clear()
    return shared
  }

  function opened(sum: SketchSum, kind: 'set' | 'distribution'): Distribution | Members {
    if (kind === 'set') return createMembers()
    return left.has(sum) ? createDistribution() : share(sum)
  }

  function decode(sum: SketchSum, encoded: Uint8Array): Distribution {
    if (decodedOf !== sum) {
      decoded.clear()
      decoded.merge(encoded)
      decodedOf = sum
    }
    return decoded
  }

  return {
    add(sum, encoded, kind) {
      const { encoded: before } = sum
      if (sum.open === null && before === null) {
        sum.encoded = encoded
        return
      }
      sum.open ??= opened(sum, kind)
      if (before !== null) sum.open.merge(before)
      sum.open.merge(encoded)
      sum.encoded = null
    },
    estimate({ encoded, open }) {
      if (encoded !== null) return createMembers(encoded).estimate()
      return open !== null && 'estimate' in open ? open.estimate() : 0
    },
    quantile(sum, p) {
      const { encoded, open } = sum
      if (encoded !== null) return decode(sum, encoded).quantile(p)
      return open !== null && 'quantile' in open ? open.quantile(p) : null
    },
  }
}
