import { DDSketch } from '@datadog/sketches-js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asServiceError, ServiceError } from '../../../../core/errors.ts'
import {
  BINS_MAX,
  createDistribution,
  DISTRIBUTION_BYTES_MAX,
  distributionCode,
  RELATIVE_ERROR,
  writeCodes,
} from '../../../../core/sketch/distribution.ts'

const QUANTILES = [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1]
const ROUNDING = 1e-9

/** Of a range that fits BINS_MAX bins. */
const measure = fc.oneof(
  fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
  fc.double({ min: -1e9, max: -1e-6, noNaN: true }),
  fc.integer({ min: -1000, max: 1000 }),
  fc.constant(0),
)
const measures = fc.array(measure, { minLength: 1, maxLength: 300 })
const anyDouble = fc.double({ noNaN: true, noDefaultInfinity: true })

function distributionOf(values: readonly number[], weight = 1) {
  const distribution = createDistribution()
  for (const value of values) distribution.add(value, weight)
  return distribution
}

/** The value of the same rank as the sketch answers for. */
function exact(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(p * (sorted.length - 1) + ROUNDING)] ?? Number.NaN
}

function expectClose(answer: number | null, value: number): void {
  expect(Math.abs((answer ?? Number.NaN) - value)).toBeLessThanOrEqual(
    Math.abs(value) * (RELATIVE_ERROR + ROUNDING),
  )
}

/** What `ask` gives, or the code of its ServiceError. */
function outcome(ask: () => unknown): unknown {
  try {
    return ask()
  } catch (error) {
    return asServiceError(error)?.code
  }
}

function encodedCodes(values: readonly number[], weight: number): Uint8Array {
  const out = new Uint8Array(DISTRIBUTION_BYTES_MAX)
  const sorted = Int32Array.from(values, distributionCode).sort()
  return out.subarray(0, writeCodes(out, 0, { sorted, length: values.length }, weight))
}

describe('quantiles', () => {
  test('are at most 1 % away from the exact ones, merged in parts and in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(measure, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 8 }),
        (parts) => {
          const merged = createDistribution()
          for (const part of parts) merged.merge(distributionOf(part).encode())
          const values = parts.flat()
          expect(merged.count).toBe(values.length)
          for (const p of QUANTILES) {
            expectClose(merged.quantile(p), exact(values, p))
          }
        },
      ),
    )
  })

  test('equal those of the library', () => {
    fc.assert(
      fc.property(measures, (values) => {
        const library = new DDSketch({ relativeAccuracy: RELATIVE_ERROR })
        for (const value of values) library.accept(value)
        const decoded = createDistribution(distributionOf(values).encode())
        for (const p of QUANTILES) expect(decoded.quantile(p)).toBeCloseTo(library.getValueAtQuantile(p), 9)
      }),
    )
  })

  test('of weights that are not whole', () => {
    const distribution = createDistribution()
    distribution.add(10, 2.5)
    distribution.add(1000, 1.5)
    const decoded = createDistribution(distribution.encode())
    expect(decoded.count).toBe(4)
    expectClose(decoded.quantile(0.5), 10)
    expectClose(decoded.quantile(1), 1000)
  })

  test.each([
    { name: 'one positive', value: 7 },
    { name: 'one negative', value: -7 },
    { name: 'zero', value: 0 },
  ])('a weight below 1: $name', ({ value }) => {
    for (const p of QUANTILES) expectClose(distributionOf([value], 0.25).quantile(p), value)
  })

  test.each([
    { name: 'the largest', value: Number.MAX_VALUE },
    { name: 'the lowest', value: -Number.MAX_VALUE },
    { name: 'huge', value: 1e300 },
    { name: 'tiny', value: 1e-300 },
    { name: 'negative and tiny', value: -1e-300 },
  ])('of a value that is $name', ({ value }) => {
    expectClose(createDistribution(distributionOf([value]).encode()).quantile(0.5), value)
  })

  test('what is below the smallest normal number counts as zero', () => {
    expect(distributionOf([5e-324, -5e-324]).quantile(0.5)).toBe(0)
    expect(distributionOf([5e-324]).count).toBe(1)
  })

  test('of values too far apart, the ones near zero are answered as the bound and the others are exact', () => {
    const distribution = distributionOf([
      1e-300,
      1e-200,
      ...Array.from({ length: 98 }, (_, i) => 1e9 + i * 1e9),
    ])
    expectClose(
      distribution.quantile(0.5),
      exact(
        Array.from({ length: 98 }, (_, i) => 1e9 + i * 1e9),
        0.49,
      ),
    )
    expect(distribution.quantile(0)).toBeGreaterThan(1e-200)
  })
})

test('nothing has no quantile', () => {
  expect(createDistribution().quantile(0.5)).toBeNull()
})

test('one that was cleared is as good as a new one, whatever was in it', () => {
  const some = fc.array(fc.oneof(measure, anyDouble), { maxLength: 100 })
  fc.assert(
    fc.property(some, some, some, (before, added, merged) => {
      const [cleared, fresh] = [distributionOf(before), createDistribution()]
      cleared.clear()
      expect(cleared.quantile(0.5)).toBeNull()
      for (const distribution of [cleared, fresh]) {
        for (const value of added) distribution.add(value)
        distribution.merge(distributionOf(merged).encode())
      }
      expect(cleared.count).toBe(fresh.count)
      expect(cleared.encode()).toEqual(fresh.encode())
      for (const p of QUANTILES) expect(cleared.quantile(p)).toBe(fresh.quantile(p))
    }),
  )
})

test('encodings are not touched by later ones', () => {
  fc.assert(
    fc.property(fc.array(measures, { minLength: 2, maxLength: 40 }), (all) => {
      const encodings = all.map((values) => distributionOf(values).encode())
      const copies = encodings.map((encoding) => Uint8Array.from(encoding))
      for (const values of all) distributionOf(values).encode()
      expect(encodings).toEqual(copies)
    }),
  )
})

describe('merging', () => {
  const weighted = fc.array(fc.tuple(fc.oneof(measure, anyDouble), fc.constantFrom(1, 2, 10)), {
    maxLength: 100,
  })
  const encodedOf = (values: readonly (readonly [number, number])[]) => {
    const distribution = createDistribution()
    for (const [value, weight] of values) distribution.add(value, weight)
    return distribution.encode()
  }
  const merged = (...parts: Uint8Array[]) => {
    const all = createDistribution()
    for (const part of parts) all.merge(part)
    return all.encode()
  }

  test('in any order and grouping gives the same bytes as adding everything to one, however far apart the values', () => {
    fc.assert(
      fc.property(weighted, weighted, weighted, (a, b, c) => {
        const [x, y, z] = [encodedOf(a), encodedOf(b), encodedOf(c)]
        const all = encodedOf([...a, ...b, ...c])
        expect(merged(x, y, z)).toEqual(all)
        expect(merged(z, x, y)).toEqual(all)
        expect(merged(x, merged(y, z))).toEqual(all)
        expect(merged(merged(z, y), x)).toEqual(all)
      }),
    )
  })

  test('keeps values below zero, which merge() of the library loses', () => {
    expectClose(createDistribution(merged(encodedOf([[-5, 1]]), encodedOf([[5, 1]]))).quantile(0), -5)
  })
})

describe('the encoding', () => {
  test('is short', () => {
    expect(distributionOf([12.5]).encode().length).toBeLessThanOrEqual(7)
    const latencies = Array.from({ length: 30 }, (_, i) => 5 + ((i * 7919) % 100))
    expect(distributionOf(latencies).encode().length).toBeLessThanOrEqual(60)
  })

  test('has a bound', () => {
    const distribution = createDistribution()
    for (let i = 0; i < 3 * BINS_MAX; i++) {
      distribution.add(1.0203 ** i, 0.3)
      distribution.add(-(1.0203 ** i), 0.3)
    }
    expect(distribution.encode().length).toBeLessThanOrEqual(DISTRIBUTION_BYTES_MAX)
    expect(createDistribution(distribution.encode()).count).toBeCloseTo(distribution.count)
  })

  test('from sorted codes equals that of a distribution', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(measure, anyDouble)), fc.constantFrom(1, 2, 10), (values, weight) => {
        expect(
          Buffer.from(encodedCodes(values, weight)).equals(distributionOf(values, weight).encode()),
        ).toBe(true)
      }),
    )
  })

  test('of bytes that are none is refused, and nothing has changed', () => {
    const good = distributionOf([-3, 0, 0, 1, 2, 1e6], 1.5).encode()
    const distribution = distributionOf([1])
    const before = distribution.encode()
    for (let end = 0; end < good.length; end++) {
      expect(() => distribution.merge(good.subarray(0, end))).toThrow(ServiceError)
      expect(distribution.encode()).toEqual(before)
    }
    expect(() => createDistribution(Buffer.concat([good, Buffer.of(0)]))).toThrow(ServiceError)
  })

  test.each([
    { name: 'an unknown version', bytes: [2, 0, 0, 0] },
    { name: 'more bins than there may be', bytes: [1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0] },
    { name: 'a key that no number has', bytes: [1, 0, 1, 0xfe, 0xff, 0xff, 0x7f, 0] },
    { name: 'a number that never ends', bytes: [1, ...Array.from({ length: 50 }, () => 0xff)] },
    { name: 'a weight that is not a number', bytes: [1, 1, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0, 0] },
    { name: 'an infinite weight', bytes: [1, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0, 0] },
    { name: 'a negative weight', bytes: [1, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 0, 0] },
    { name: 'an empty bin', bytes: [1, 0, 1, 0x81, 0x80, 0x08, 0, 0] },
  ])('refuses $name', ({ bytes }) => {
    expect(() => createDistribution(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'BATCH_MALFORMED' }),
    )
  })

  test('of any bytes is refused with the right code, or is an encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, versioned) => {
        if (versioned) bytes[0] = 1
        const answer = outcome(() => {
          const distribution = createDistribution(bytes)
          return Number.isFinite(distribution.count) && Number.isFinite(distribution.quantile(0.5) ?? 0)
        })
        expect([true, 'BATCH_MALFORMED']).toContain(answer)
      }),
      { numRuns: 2000 },
    )
  })

  test('stays what it is: bytes written once are read for years', () => {
    expect(Buffer.from(distributionOf([-1.5, 0, 0, 2, 2, 300]).encode()).toString('hex')).toBe(GOLDEN)
  })
})

test('a value that is not finite is refused', () => {
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    expect(() => createDistribution().add(value)).toThrow(RangeError)
  }
})

const GOLDEN = '010402c7800804f40301aa8008'
