import { expect, test } from 'vitest'
import { WRITTEN_BYTES_MAX, createAppender } from '../../../../adapters/store-elastic/appender.ts'
import type { AppenderParts } from '../../../../adapters/store-elastic/appender.ts'
import { createNames } from '../../../../adapters/store-elastic/names.ts'
import { createPositions } from '../../../../adapters/store-elastic/positions.ts'
import { createPolicies } from '../../../../adapters/store-elastic/slots.ts'
import { systemClock } from '../../../../core/clock.ts'
import { KEEP_ALL } from '../../../../core/retention.ts'
import { createFakeElastic } from '../../../support/fake-elastic.ts'
import { storedBatch } from '../../../support/records.ts'
import { never } from '../../../support/store-under-test.ts'

/** An appender whose bulks end when the test says so. */
function createParts() {
  const bulks: (() => void)[] = []
  const parts: AppenderParts = {
    elastic: createFakeElastic(() => ({})),
    names: createNames('test'),
    ledger: {
      async sync() {},
      snapshot: () => ({ v: 1, collectors: {} }),
      attempt: async () => ({ fate: 'new', before: null }),
      stored: async () => 'new',
      async abandon() {},
      async note() {},
      horizon: () => 0,
      top: () => 0,
      expired: () => [],
      async leave() {},
      close() {},
    },
    bulk: { write: () => new Promise<number>((resolve) => bulks.push(() => resolve(0))), close() {} },
    refresher: { async refreshed() {} },
    slots: {
      ensure: async () => 'index',
      forget() {},
      list: async () => [],
      hidden: () => [],
      async remove() {},
    },
    policies: createPolicies(KEEP_ALL),
    positions: createPositions(systemClock, 0),
    clock: systemClock,
    arrived() {},
  }
  return { parts, bulks }
}

test('what is written at once is bounded, and the rest waits for its turn; a batch alone is always let in', async () => {
  const { parts, bulks } = createParts()
  const appender = createAppender(parts)
  const message = 'x'.repeat(WRITTEN_BYTES_MAX / 4)
  const append = (seq: number, count: number) =>
    appender.append(
      storedBatch(
        Array.from({ length: count }, () => ({ message })),
        { seq, digest: `${seq}` },
      ),
      never,
    )
  const large = append(1, 5)
  await expect.poll(() => bulks.length).toBe(1)
  const others = [append(2, 1), append(3, 1), append(4, 1), append(5, 1)]
  expect(bulks).toHaveLength(1)
  for (const end of bulks.splice(0)) end()
  expect(await large).toBe('stored')
  await expect.poll(() => bulks.length).toBe(3)
  for (const end of bulks.splice(0)) end()
  await expect.poll(() => bulks.length).toBe(1)
  for (const end of bulks.splice(0)) end()
  expect(await Promise.all(others)).toEqual(['stored', 'stored', 'stored', 'stored'])
})

test('the same batch waits for its first try', async () => {
  const { parts, bulks } = createParts()
  const appender = createAppender(parts)
  const batch = storedBatch([{ message: 'a' }])
  const all = [appender.append(batch, never), appender.append(batch, never)]
  await expect.poll(() => bulks.length).toBe(1)
  bulks.pop()?.()
  await expect.poll(() => bulks.length).toBe(1)
  bulks.pop()?.()
  await Promise.all(all)
  await appender.idle()
})
