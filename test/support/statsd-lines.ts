import * as fc from 'fast-check'

const NAMES = [
  'a',
  'web.requests',
  'größe',
  'x"y\\z',
  'söme metric',
  'time',
  '日本',
  '_e',
  '_sc',
  'a'.repeat(250),
]
const TAGS = ['env', 'host', 'site', '1', 'url', '__proto__', '😀', '\uffff', 'b'.repeat(250)]
const VALUES = ['', 'prod', 'a=b', '"', '😀', '\u202e', 'c'.repeat(198) + '😀😀']

const pair = fc.tuple(fc.constantFrom(...TAGS), fc.constantFrom(...VALUES), fc.boolean())
const tags = fc.array(pair, { maxLength: 6 })
const number = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map(String),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map(String),
  fc.integer({ min: 0, max: 100_000 }).map((value) => (value / 100).toFixed(3)),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e200, max: 1e200 }).map(String),
  fc.constantFrom(
    '+1',
    '-2',
    '+0.5',
    '-0',
    '0',
    '.5',
    '5.',
    '00012',
    '1e3',
    '1E-5',
    '9007199254740993',
    '0.1234567890123456789',
  ),
)
const bad = fc.constantFrom(
  '',
  'NaN',
  'Infinity',
  '-Infinity',
  '0x10',
  '1e999',
  '1e201',
  '--1',
  '1.2.3',
  ' 1',
  '1 ',
  'abc',
  '.',
  '+',
)
const rate = fc.constantFrom('', '', '|@1', '|@0.5', '|@0.25', '|@0.1')
const other = fc.constantFrom('', '', '', '|c:in-123', '|e:it-false', '|', '|card:low', '|x')
const badSection = fc.constantFrom(
  '|@0',
  '|@2',
  '|@',
  '|@x',
  '|@-1',
  '|T',
  '|Tx',
  '|T-1',
  '|T1e15',
  '|@0.1\r|',
)

/** One statsd line of any type and style; times lie around `nowS`. */
export function statsdLine(nowS: number): fc.Arbitrary<string> {
  const time = fc.oneof(
    { weight: 8, arbitrary: fc.constant('') },
    { weight: 2, arbitrary: fc.integer({ min: nowS - 700, max: nowS + 30 }).map((at) => `|T${at}`) },
  )
  return fc
    .record({
      name: fc.constantFrom(...NAMES),
      style: fc.constantFrom('datadog', 'influx', 'signalfx'),
      tags,
      values: fc.array(fc.oneof({ weight: 30, arbitrary: number }, { weight: 1, arbitrary: bad }), {
        minLength: 1,
        maxLength: 4,
      }),
      type: fc.oneof(
        { weight: 30, arbitrary: fc.constantFrom('c', 'g', 'ms', 'h', 'd', 's') },
        { weight: 1, arbitrary: fc.constantFrom('', 'm', 'x', 'cc', 'kv') },
      ),
      sections: fc.tuple(rate, time, other),
      broken: fc.oneof({ weight: 30, arbitrary: fc.constant('') }, { weight: 1, arbitrary: badSection }),
      end: fc.constantFrom('', '', '\r'),
    })
    .map(({ name, style, tags, values, type, sections, broken, end }) => {
      const list = tags.map(([tag, value, isBare]) => {
        if (isBare) return tag
        return style === 'datadog' ? `${tag}:${value}` : `${tag}=${value}`
      })
      const body = `${values.join(':')}|${type}${sections.join('')}${broken}`
      if (style === 'influx' && list.length > 0) return `${name},${list.join()}:${body}${end}`
      if (style === 'signalfx') return `${name}[${list.join()}]:${body}${end}`
      return `${name}:${body}${list.length === 0 ? '' : `|#${list.join()}`}${end}`
    })
}
