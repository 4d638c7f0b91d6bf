import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { expect, test } from 'vitest'
import { elasticStore, kafkaOf } from '../support/engines/program-over-engines.ts'
import { describeWithEngines } from '../support/engines/under-test.ts'
import { randomPrefix } from '../support/engines/prefix.ts'
import { type Program, startProgram, until } from '../support/program.ts'
import { createWorkspace } from '../support/workspace.ts'

const TOKENS = { search: 'token-of-an-engineer', dashboard: 'token-of-a-screen' }
const LINES = 1_000
/** Short enough to see the purge happen. */
const DEBUG_KEPT = '8s'
const RECENT = 'from=now-15m&to=now'

interface Site {
  readonly name: string
  readonly prefix: string
}

interface Answer {
  readonly records: readonly { readonly site: string; readonly message: string }[]
  readonly meta: {
    readonly complete: boolean
    readonly returned: number
    readonly sites: Readonly<Record<string, { complete: boolean; gaps: readonly { reason: string }[] }>>
  }
}

function collectorConfig({ name, prefix }: Site): string {
  return stringify({
    site: name,
    collector: {
      host: `web-1.${name}`,
      files: [{ paths: ['{logs}/*.log'], service: 'shop' }],
      destinations: [{ name: 'kafka', kafka: kafkaOf(prefix) }],
    },
  })
}

/** What the aggregator and the query process share. */
function centralConfig(sites: readonly Site[], prefix: string): string {
  const sha256 = (token: string) => createHash('sha256').update(token).digest('hex')
  return stringify({
    site: 'central',
    store: elasticStore(prefix),
    kafka: { clusters: sites.map((site) => ({ site: site.name, ...kafkaOf(site.prefix) })) },
    retention: {
      classes: [
        { name: 'debug', maxAge: DEBUG_KEPT, levels: ['debug'] },
        { name: 'logs', maxAge: '3d' },
      ],
    },
    access: {
      tokens: [
        { name: 'engineer', role: 'search', sha256: sha256(TOKENS.search) },
        { name: 'screen', role: 'dashboard', sha256: sha256(TOKENS.dashboard) },
      ],
    },
  })
}

const asked = (program: Program, path: string, token: string) =>
  fetch(program.url + path, { headers: { authorization: `Bearer ${token}` } })

async function search(program: Program, q: string): Promise<Answer> {
  const path = `/v1/search?${RECENT}&limit=5000&q=${encodeURIComponent(q)}`
  const response = await asked(program, path, TOKENS.search)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as Answer
}

describeWithEngines('the whole card', () => {
  test('two sites ship over Kafka to one aggregator and Elasticsearch; a restricted API answers over both, and says what was purged', async () => {
    const sites = ['eu', 'us'].map((name) => ({ name, prefix: `${randomPrefix()}-${name}` }))
    using central = createWorkspace(centralConfig(sites, randomPrefix()))
    using asking = createWorkspace(centralConfig(sites, 'replaced'))
    using eu = createWorkspace(collectorConfig(sites[0] as Site))
    using us = createWorkspace(collectorConfig(sites[1] as Site))
    const aggregator = await startProgram({ ...central, role: 'aggregator' })
    const query = await startProgram({ ...asking, configFile: central.configFile, role: 'query' })
    const collectors = [
      await startProgram({ ...eu, role: 'collector' }),
      await startProgram({ ...us, role: 'collector' }),
    ]
    for (const [name, { logs }] of [
      ['eu', eu],
      ['us', us],
    ] as const) {
      const lines = Array.from({ length: LINES }, (_, i) => `ERROR checkout ${i} of ${name} failed`)
      appendFileSync(join(logs, 'app.log'), `${lines.join('\n')}\nDEBUG a detail of ${name}\n`)
    }

    const said = () =>
      [aggregator, ...collectors].map((program) => program.output().slice(-2_000)).join('\n---\n')
    const whole = await until(
      async () => {
        const answer = await search(query, 'checkout failed level:error')
        return answer.meta.complete && answer.records.length === 2 * LINES ? answer : undefined
      },
      60_000,
      said,
      200,
    )
    const bySite = (site: string) => whole.records.filter((record) => record.site === site)
    expect(new Set(bySite('eu').map(({ message }) => message)).size).toBe(LINES)
    expect(new Set(bySite('us').map(({ message }) => message)).size).toBe(LINES)
    expect(whole.meta.sites).toMatchObject({
      eu: { holder: 'central', returned: LINES, complete: true, gaps: [] },
      us: { holder: 'central', returned: LINES, complete: true, gaps: [] },
    })

    const purged = await until(
      async () => {
        const answer = await search(query, 'detail level:debug')
        const gone = Object.values(answer.meta.sites).every(({ gaps }) =>
          gaps.some(({ reason }) => reason === 'purged'),
        )
        // What is due while a question runs may be found and named as purged at once.
        return gone && answer.records.length === 0 ? answer : undefined
      },
      60_000,
      said,
      200,
    )
    expect(purged.meta.complete).toBe(false)
    expect((await search(query, 'checkout failed level:error')).records).toHaveLength(2 * LINES)

    expect((await fetch(`${query.url}/v1/search`)).status).toBe(401)
    expect((await asked(query, '/v1/search', TOKENS.dashboard)).status).toBe(403)
    expect((await asked(query, '/v1/quarantine', TOKENS.search)).status).toBe(403)
    expect((await fetch(`${aggregator.url}/__heartbeat__`)).status).toBe(200)
    expect((await asked(aggregator, '/v1/search', TOKENS.search)).status).toBe(404)
    for (const program of [...collectors, query, aggregator]) expect(await program.stop()).toBe(0)
  })
})
