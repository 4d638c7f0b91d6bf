import * as fc from 'fast-check'
import type { QueryNode, QueryPlan, TokenPattern } from '../../core/query/plan.ts'
import { LEVELS } from '../../core/record.ts'
import type { AttrScalar } from '../../core/record.ts'
import type { RecordFields } from './records.ts'

const WORDS = [
  'error',
  'Error',
  'timeout',
  'web-3.eu',
  'user_id=42',
  'İstanbul',
  'Kelvin',
  'größe',
  '漢字',
  'a\0b',
  "it's",
  '"q"',
  '\\n',
  '\ud800x',
  'null',
  '1e+21',
  '0',
]
const NAMES = ['', 'web', 'web-1', 'Web', 'db', 'größe', "o'neil", 'a\0b', 'x\udc00']
const KEYS = ['user', 'http.status', 'labels.team', 'größe', 'status', '__proto__']

const word = fc.constantFrom(...WORDS)
const text = fc.oneof(
  { weight: 4, arbitrary: fc.array(word, { maxLength: 5 }).map((words) => words.join(' ')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
)
const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: text })
const number = fc.oneof(fc.constantFrom(0, 1, -1, 200, 404, 500, 0.1, 1e21, -0, NaN, Infinity), fc.double())
/** Times lie close together, so that ties and neighbours in buckets happen. */
const time = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -20, max: 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: -8.64e15, max: 8.64e15 }) },
)
const scalar: fc.Arbitrary<AttrScalar> = fc.oneof(word, name, number, fc.boolean())

export const recordFields: fc.Arbitrary<RecordFields> = fc.record({
  timeMs: time,
  ingestedMs: time,
  message: text,
  level: fc.constantFrom('' as const, ...LEVELS),
  service: name,
  version: name,
  host: name,
  site: fc.constantFrom('eu', 'us'),
  tier: name,
  path: name,
  offset: fc.option(fc.nat()),
  trace: name,
  pattern: name,
  status: fc.option(number),
  latencyMs: fc.option(number),
  bytes: fc.option(number),
  attrs: fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })), {
    maxKeys: 3,
  }),
})

const FIELDS = [
  'time',
  'id',
  'message',
  'level',
  'service',
  'host',
  'path',
  'offset',
  'status',
  'latency_ms',
  'ingested',
  ...KEYS,
]
const field = fc.constantFrom(...FIELDS)
const value = fc.oneof(name, word, fc.constantFrom(...LEVELS, '500', '0.1', '1e+21', 'true', '-5', '05'))
const bound = fc.oneof(fc.constant(null), fc.integer({ min: -25, max: 25 }), number)
const token: fc.Arbitrary<TokenPattern> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(
        'error',
        'timeout',
        'web',
        '3',
        'eu',
        'user_id',
        '42',
        'istanbul',
        'kelvin',
        'größe',
        '漢字',
        'q',
        'n',
        'x',
        '1e',
        'null',
      )
      .map((text) => ({ type: 'token' as const, text })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('err.*', '[0-9]+', 'gr.*')
      .map((source) => ({ type: 'regex' as const, source })),
  },
)

const leaf: fc.Arbitrary<QueryNode> = fc.oneof(
  fc.constant({ type: 'all' as const }),
  fc.record({
    type: fc.constant('phrase' as const),
    field: fc.constantFrom('' as const, 'message' as const),
    tokens: fc.array(token, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ type: fc.constant('equals' as const), field, value }),
  fc.record({ type: fc.constant('prefix' as const), field, prefix: value }),
  fc.record({ type: fc.constant('exists' as const), field }),
  fc.record({
    type: fc.constant('keywordRegex' as const),
    field: fc.constantFrom('service', 'host', 'level'),
    source: fc.constantFrom('w.*', '[a-z]+', 'err(or)?'),
  }),
  fc.record({
    type: fc.constant('range' as const),
    field,
    from: bound,
    fromInclusive: fc.boolean(),
    to: bound,
    toInclusive: fc.boolean(),
  }),
)

const { node } = fc.letrec<{ node: QueryNode }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: leaf },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('not' as const), node: tie('node') }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constantFrom('and' as const, 'or' as const),
        nodes: fc.array(tie('node'), { maxLength: 3 }),
      }),
    },
  ),
}))

/** Plans that often find something of `recordFields`. */
export const plan: fc.Arbitrary<QueryPlan> = node.map((root) => ({ text: '', root }))
