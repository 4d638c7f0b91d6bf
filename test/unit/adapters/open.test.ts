import { expect, test } from 'vitest'
import { hostsOf } from '../../../adapters/open.ts'
import { parseConfig } from '../../../core/config.ts'

const TIERS = 'tiers: { webhead: { hosts: [web-1] } }'
const cluster = (site: string) => `{ site: ${site}, brokers: ["k:1"] }`

test.each([
  { name: 'one that takes deliveries', yaml: '', takes: true, expects: true, at: 'local' },
  { name: 'one that only answers', yaml: '', takes: false, expects: false, at: 'local' },
  {
    name: 'one that answers and reads Kafka',
    yaml: `kafka: { clusters: [${cluster('eu')}] }`,
    takes: false,
    expects: true,
    at: 'eu',
  },
  {
    name: 'one of several sites',
    yaml: `site: central\nkafka: { clusters: [${cluster('eu')}, ${cluster('us')}] }`,
    takes: true,
    expects: true,
    at: 'central',
  },
])('$name expects the hosts that it could hear', ({ yaml, takes, expects, at }) => {
  const { tiers, expectedAt } = hostsOf(parseConfig(`${TIERS}\n${yaml}`, {}), takes)
  expect(Object.keys(tiers)).toEqual(expects ? ['webhead'] : [])
  expect(expectedAt).toBe(at)
})
