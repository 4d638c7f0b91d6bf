import * as fc from 'fast-check'
import { ATTR_VALUE_COMPARED_BYTES_MAX } from '../../core/query/matches.ts'
import { parseQuery } from '../../core/query/parse.ts'
import type { QueryNode, QueryPlan, TokenPattern } from '../../core/query/plan.ts'
import { TOKEN_CHARS_MAX, tokenize } from '../../core/query/tokenize.ts'
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
  'ΟΔΟΣ',
  '🦇',
  'a\0b',
  "it's",
  '\ud800x',
  'null',
  'true',
  '1e+21',
  '0',
  '-0.5',
]
/** What JSON writes in another way, or what looks like JSON. */
const JSON_TEXTS = [
  '"q"',
  '\\n',
  'line\nbreak',
  'back\\slash\\',
  'a,b',
  '{"user":"web"}',
  '["web","db"]',
  '":"',
  'tab\terror',
  String.raw`\u0041`,
  'web","team":"db',
]
/** Beyond the bounds of a token, and of a value that is compared as a whole. */
const LONG_TEXTS = [
  'x'.repeat(TOKEN_CHARS_MAX),
  `${'x'.repeat(TOKEN_CHARS_MAX)}error`,
  `${'ä'.repeat(TOKEN_CHARS_MAX)}web`,
  `web ${'y'.repeat(ATTR_VALUE_COMPARED_BYTES_MAX)} error`,
  'w'.repeat(ATTR_VALUE_COMPARED_BYTES_MAX),
  'w'.repeat(ATTR_VALUE_COMPARED_BYTES_MAX + 1),
  'ä'.repeat(ATTR_VALUE_COMPARED_BYTES_MAX / 2 + 1),
]
const NAMES = ['', 'web', 'web-1', 'Web', 'db', 'größe', "o'neil", 'a\0b', 'x\udc00']
const NUMBERS = [0, 1, -1, 200, 404, 500, 0.1, 1.5, -0.5, 1e21, 1e-7, 2 ** 53, -0, NaN, Infinity]
const KEYS = [
  'user',
  'http.status',
  'labels.team',
  'größe',
  'status',
  '__proto__',
  'toString',
  'odd key',
  'quo"te',
  'back\\slash',
  'a,b:{}[]',
  "it's",
  'new\nline',
  'nul\0',
]

const word = fc.constantFrom(...WORDS)
const longText = fc.constantFrom(...LONG_TEXTS)
const text = fc.oneof(
  { weight: 8, arbitrary: fc.array(word, { maxLength: 5 }).map((words) => words.join(' ')) },
  { weight: 2, arbitrary: fc.constantFrom(...JSON_TEXTS) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: longText },
)
const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: text })
const number = fc.oneof(fc.constantFrom(...NUMBERS), fc.double())
/** Times lie close together, so that ties and neighbours in buckets happen. */
const time = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -20, max: 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: -8.64e15, max: 8.64e15 }) },
)
const scalar: fc.Arbitrary<AttrScalar> = fc.oneof(word, name, text, number, fc.boolean())

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
const value = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 4, arbitrary: word },
  { weight: 2, arbitrary: fc.constantFrom(...LEVELS, ...NUMBERS.map(String), '500.0', 'true', '-5', '05') },
  { weight: 2, arbitrary: fc.constantFrom(...JSON_TEXTS) },
  { weight: 1, arbitrary: longText },
)
/** How a value of a record starts; the cut may fall inside an escape of JSON, or inside a surrogate pair. */
const prefix = fc.tuple(value, fc.nat(12)).map(([value, chars]) => value.slice(0, chars))
const bound = fc.oneof(fc.constant(null), fc.integer({ min: -25, max: 25 }), number)

const literal = fc
  .constantFrom(...[...WORDS, ...JSON_TEXTS, ...LONG_TEXTS, 'absent'].flatMap(tokenize))
  .map((text): TokenPattern => ({ type: 'token', text }))
const pattern = fc
  .constantFrom('err.*', '[0-9]+', 'gr.*', '.*', '.', '(web|db)', 'x{255}', '.*[^a-z].*')
  .map((source): TokenPattern => ({ type: 'regex', source }))
/** Words as they stand in a row in one value, and words that stand in a row only across two. */
const tokens = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(fc.oneof({ weight: 3, arbitrary: literal }, pattern), { minLength: 1, maxLength: 2 }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...WORDS, ...JSON_TEXTS), fc.constantFrom(...WORDS, ...JSON_TEXTS))
      .map((pair) => tokenize(pair.join(' ')).map((text): TokenPattern => ({ type: 'token', text })))
      .filter((tokens) => tokens.length > 0),
  },
)

/** As people write them: wildcards, prefixes and regexes. */
const QUERIES = String.raw`
err* *rr* tim?out web-*.eu *-3.eu gr??e 漢? ? x* 1e* *=42 ist* οδο?
message:err* message:* message:"" service:w* service:w?b service:*-1 host:*ß* host:?eb path:/w.b/
level:/(warn|err.*)/ site:E* tier:"" user:web* user:"" user:* labels.team:ä* odd\ key:web
http.status:>=200 http.status:<1.5 größe:1e* toString:* status:*`
  .trim()
  .split(/(?<!\\)\s+/)
const written = fc.constantFrom(...QUERIES).map((text) => parseQuery(text, { nowMs: 0 }).root)

const leaf: fc.Arbitrary<QueryNode> = fc.oneof(
  fc.constant({ type: 'all' as const }),
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('phrase' as const),
      field: fc.constantFrom('' as const, 'message' as const),
      tokens,
    }),
  },
  { weight: 2, arbitrary: written },
  fc.record({ type: fc.constant('equals' as const), field, value }),
  fc.record({ type: fc.constant('prefix' as const), field, prefix }),
  fc.record({ type: fc.constant('exists' as const), field }),
  fc.record({
    type: fc.constant('keywordRegex' as const),
    field: fc.constantFrom('service', 'host', 'level'),
    source: fc.constantFrom('w.*', '[a-z]+', 'err(or)?', '.*', '.*-.*', '.'),
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
