import type { Elastic } from './elastic.ts'
import { ElasticFailure } from './failures.ts'
import { MAPPING_VERSION, ledgerTemplate, logProperties, logsTemplate } from './mappings.ts'
import type { MappingOptions } from './mappings.ts'
import type { Names } from './names.ts'

interface Templates {
  readonly index_templates: readonly { readonly index_template: { readonly version?: number } }[]
}

type Mappings = Readonly<
  Record<string, { readonly mappings: { readonly _meta?: { readonly noctule?: number } } }>
>

/** Makes what the store needs in Elasticsearch, and adds to older indices the fields that they lack. Can be repeated. */
export async function prepareIndices(elastic: Elastic, names: Names, options: MappingOptions): Promise<void> {
  await putTemplate(elastic, names.logsTemplate, logsTemplate(names, options))
  await putTemplate(elastic, names.ledgerTemplate, ledgerTemplate(names, options))
  await makeLedgerIndex(elastic, names)
  await addFields(elastic, names)
}

/** A newer version of this program may have put its own: that one stays. */
export async function putTemplate(elastic: Elastic, name: string, body: object): Promise<void> {
  const path = `/_index_template/${encodeURIComponent(name)}`
  const found = await elastic.request<Templates>({ method: 'GET', path }).catch((error: unknown) => {
    if (error instanceof ElasticFailure && error.status === 404) return { index_templates: [] }
    throw error
  })
  const version = found.index_templates[0]?.index_template.version ?? 0
  if (version <= MAPPING_VERSION) await elastic.request({ method: 'PUT', path, body })
}

export async function makeLedgerIndex(elastic: Elastic, names: Pick<Names, 'ledger'>): Promise<void> {
  try {
    await elastic.request({ method: 'PUT', path: `/${encodeURIComponent(names.ledger)}`, body: {} })
  } catch (error) {
    const exists = error instanceof ElasticFailure && error.type === 'resource_already_exists_exception'
    if (!exists) throw error
  }
}

async function addFields(elastic: Elastic, names: Names): Promise<void> {
  const query = { filter_path: '*.mappings._meta' }
  const found = await elastic.request<Mappings>({ method: 'GET', path: `/${names.all}/_mapping`, query })
  for (const [index, { mappings }] of Object.entries(found)) {
    const { _meta: meta } = mappings
    if (names.parse(index) === null || (meta?.noctule ?? 0) >= MAPPING_VERSION) continue
    const body = { _meta: { noctule: MAPPING_VERSION }, properties: logProperties() }
    await elastic.request({ method: 'PUT', path: `/${encodeURIComponent(index)}/_mapping`, body })
  }
}
