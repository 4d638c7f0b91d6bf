import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AnswerMeta, ApiGap, SiteAnswer } from '../../../dashboards/src/api.ts'
import {
  combineCoverage,
  coverageOf,
  coverageOfTail,
  headline,
  missingSpans,
  severity,
  unionSpans,
} from '../../../dashboards/src/model/coverage.ts'

const local = (hour: number, minute: number, second: number) =>
  new Date(2026, 0, 5, hour, minute, second).getTime()
const NOW = local(3, 12, 10)
const FROM = local(3, 0, 0)
const iso = (timeMs: number) => new Date(timeMs).toISOString()

const LOST: ApiGap = {
  reason: 'lost',
  from: iso(local(3, 10, 1)),
  to: iso(local(3, 10, 4)),
  host: 'web-3.eu',
  records: 1024,
  detail: 'spool full (2026-01-05T03:10:01.000Z to 2026-01-05T03:10:04.000Z by its own clock)',
}
const SILENT: ApiGap = { reason: 'silent', from: iso(local(3, 11, 52)), to: iso(NOW), host: 'api-1.eu' }

function site(more: Partial<SiteAnswer>): SiteAnswer {
  const gaps = more.gaps ?? []
  const complete = gaps.length === 0
  const completeTo = iso(local(3, 12, 7))
  return { status: 'ok', tookMs: 1, returned: 0, complete, completeTo, gaps, gapsTotal: gaps.length, ...more }
}

function answer(sites: Record<string, SiteAnswer>): AnswerMeta {
  const all = Object.values(sites)
  const complete = all.every((each) => each.complete && each.status === 'ok')
  const completeTo = all.some((each) => each.completeTo === null) ? null : iso(local(3, 12, 7))
  const cost = { tookMs: 1, scanned: 1, returned: 0, truncated: false }
  return { query: '', from: iso(FROM), to: iso(NOW), ...cost, complete, completeTo, sites }
}

const said = (meta: AnswerMeta) => headline(coverageOf(meta), NOW)

describe('the completeness line', () => {
  test('a complete answer says up to when', () => {
    expect(said(answer({ eu: site({}) }))).toBe('Complete to 03:12:07')
  })

  test('a gap is told in words, without the times of its detail', () => {
    expect(said(answer({ eu: site({ gaps: [LOST] }) }))).toBe(
      'Incomplete: 1,024 records of web-3.eu lost 03:10:01–03:10:04 (spool full)',
    )
  })

  test('sites that did not answer come first, and what does not fit is counted', () => {
    const dead = site({ status: 'unreachable', complete: false, completeTo: null })
    expect(said(answer({ eu: site({ gaps: [LOST, SILENT] }), 'ap-south': dead }))).toBe(
      'Incomplete: ap-south is unreachable; 1,024 records of web-3.eu lost 03:10:01–03:10:04 (spool full); 1 more',
    )
  })

  test('gaps that are counted but not listed are counted here too', () => {
    expect(said(answer({ eu: site({ gaps: [SILENT], gapsTotal: 41 }) }))).toBe(
      'Incomplete: api-1.eu silent 03:11:52–03:12:10; 40 more',
    )
  })

  test('an incomplete answer without any gap still does not say complete', () => {
    expect(said(answer({ eu: site({ complete: false }) }))).toBe('Incomplete: only covered to 03:12:07')
    expect(said(answer({ eu: site({ complete: false, completeTo: null }) }))).toBe(
      'Incomplete: nothing is known about this range',
    )
  })
})

test('green is for complete answers only; what is gone or did not answer is worse than what may come', () => {
  const of = (one: SiteAnswer) => severity(coverageOf(answer({ eu: one })))
  expect(of(site({}))).toBe('good')
  expect(of(site({ gaps: [SILENT] }))).toBe('warn')
  expect(of(site({ gaps: [SILENT, LOST] }))).toBe('bad')
  expect(of(site({ status: 'timeout', complete: false }))).toBe('bad')
  expect(severity({ complete: false, completeToMs: null, sites: [] })).toBe('bad')
})

describe('several answers on one page', () => {
  const good = coverageOf(answer({ eu: site({}) }))
  const gappy = coverageOf(answer({ eu: site({ gaps: [LOST] }) }))
  const tail = { complete: true, completeTo: iso(local(3, 12, 5)), gaps: [], gapsTotal: 0 }

  test('they are complete only together, to the earliest of their times', () => {
    expect(combineCoverage([good, coverageOfTail(tail)])).toMatchObject({
      complete: true,
      completeToMs: local(3, 12, 5),
    })
    expect(combineCoverage([good, gappy])?.complete).toBe(false)
    expect(combineCoverage([good, coverageOfTail({ ...tail, completeTo: null })])?.completeToMs).toBeNull()
    expect(combineCoverage([])).toBeNull()
  })

  test('a gap that both know is told once, also when its end moved on', () => {
    const later = coverageOfTail({ ...tail, complete: false, gaps: [LOST, { ...SILENT }], gapsTotal: 2 })
    const both = combineCoverage([gappy, later])
    expect(both?.sites).toHaveLength(1)
    expect(both?.sites[0]?.gaps.map((gap) => [gap.reason, gap.site])).toEqual([
      ['lost', 'eu'],
      ['silent', 'eu'],
    ])
    expect(both?.sites[0]?.gapsTotal).toBe(2)
  })

  test('a gap that the start of the range cuts off is one, also where the range has moved on', () => {
    const cut = (ms: number) => ({ ...LOST, from: iso(FROM + ms) })
    const one = coverageOf(answer({ eu: site({ gaps: [cut(0)] }) }))
    const moved = coverageOf(answer({ eu: site({ gaps: [cut(35)] }) }))
    const another = coverageOf(answer({ eu: site({ gaps: [{ ...cut(35), records: 7 }] }) }))
    expect(combineCoverage([one, moved])?.sites[0]?.gaps).toHaveLength(1)
    expect(combineCoverage([one, another])?.sites[0]?.gaps).toHaveLength(2)
  })

  test('the status of a site that failed once stays', () => {
    const failed = coverageOf(answer({ eu: site({ status: 'timeout', complete: false }) }))
    expect(combineCoverage([good, failed])?.sites[0]?.status).toBe('timeout')
    expect(combineCoverage([failed, good])?.sites[0]?.status).toBe('timeout')
  })
})

describe('what is hatched', () => {
  const range = { fromMs: FROM, toMs: NOW }
  const spans = (one: SiteAnswer, nowMs = NOW) => missingSpans(coverageOf(answer({ eu: one })), range, nowMs)

  test('a site with all its gaps listed misses exactly those', () => {
    expect(spans(site({ gaps: [SILENT, LOST] }))).toEqual([
      { fromMs: local(3, 10, 1), toMs: local(3, 10, 4) },
      { fromMs: local(3, 11, 52), toMs: NOW },
    ])
  })

  test('without gaps it is what comes after completeTo', () => {
    expect(spans(site({}))).toEqual([{ fromMs: local(3, 12, 7), toMs: NOW }])
  })

  test('with more gaps than are listed, everything after completeTo is in doubt', () => {
    const one = site({ gaps: [LOST], gapsTotal: 90, completeTo: iso(local(3, 2, 0)) })
    expect(spans(one)).toEqual([{ fromMs: local(3, 2, 0), toMs: NOW }])
  })

  test('a site that did not answer, or knows nothing, misses everything', () => {
    expect(spans(site({ status: 'unreachable', complete: false, completeTo: null }))).toEqual([range])
    expect(spans(site({ complete: false, completeTo: null }))).toEqual([range])
  })

  test('what has not happened yet is not missing', () => {
    const oneMinuteIn = local(3, 1, 0)
    expect(spans(site({ completeTo: iso(FROM) }), oneMinuteIn)).toEqual([{ fromMs: FROM, toMs: oneMinuteIn }])
  })
})

test('joined spans cover the same milliseconds, in order, without touching', () => {
  const span = fc.tuple(fc.nat(60), fc.nat(20)).map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length }))
  const covered = (spans: readonly { fromMs: number; toMs: number }[], at: number) =>
    spans.some(({ fromMs, toMs }) => fromMs <= at && at < toMs)
  fc.assert(
    fc.property(fc.array(span), (spans) => {
      const joined = unionSpans(spans)
      for (let at = 0; at < 90; at++) expect(covered(joined, at)).toBe(covered(spans, at))
      for (const [index, one] of joined.entries()) {
        expect(one.toMs).toBeGreaterThan(one.fromMs)
        expect(joined[index + 1]?.fromMs ?? Infinity).toBeGreaterThan(one.toMs)
      }
    }),
  )
})
