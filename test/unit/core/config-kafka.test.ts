import { describe, expect, test } from 'vitest'
import { heldSites, parseConfig } from '../../../core/config.ts'

const held = (yaml: string) => heldSites(parseConfig(yaml, {}))
const TOKEN = `sha256: ${'a'.repeat(64)}`

describe('the sites that a store holds', () => {
  test.each([
    ['its own, when nothing else is said', 'site: eu', ['eu']],
    [
      'those of its Kafka clusters',
      'site: central\nkafka: { clusters: [{ site: eu, brokers: [b] }, { site: us, brokers: [b] }] }',
      ['eu', 'us'],
    ],
    [
      'its own and those that deliver',
      `site: eu\naccess: { tokens: [{ name: t, role: collector, site: us, ${TOKEN} }, { name: s, role: search, site: mars, ${TOKEN} }] }`,
      ['eu', 'us'],
    ],
    ['what is said', 'site: eu\nholds: [eu, us, asia]', ['eu', 'us', 'asia']],
  ])('%s', (_, yaml, expected) => {
    expect(held(yaml)).toEqual(expected)
  })
})

describe('wrong configurations of Kafka and Elasticsearch', () => {
  test.each([
    ['collector: { destinations: [{ name: a }] }', /expected `url` and `token`, or `kafka`/],
    [
      'collector: { destinations: [{ name: a, url: "http://a", token: secret-token, kafka: { brokers: [b] } }] }',
      /expected `url` and `token`, or `kafka`/,
    ],
    ['store: { kind: elasticsearch }', /needs `elasticsearch.nodes`/],
    [
      'store: { kind: elasticsearch, elasticsearch: { nodes: ["http://a"], username: u } }',
      /both `username` and `passwordFile`/,
    ],
    [
      'store: { kind: elasticsearch, elasticsearch: { nodes: ["http://a"], apiKeyFile: k, username: u, passwordFile: p } }',
      /expected `apiKeyFile`, or/,
    ],
    ['kafka: { clusters: [{ site: eu, brokers: [b] }, { site: eu, brokers: [c] }] }', /another site/],
    ['kafka: { clusters: [{ site: eu, brokers: [b], prefix: "No Such" }] }', /prefix: found "No Such"/],
  ])('%s', (yaml, problem) => {
    const parse = () => parseConfig(yaml, {})
    expect(parse).toThrow(problem)
    expect(parse).not.toThrow(/secret-token/)
  })
})
