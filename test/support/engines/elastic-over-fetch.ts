import { createElastic } from '../../../adapters/store-elastic/elastic.ts'
import type { Elastic } from '../../../adapters/store-elastic/elastic.ts'

/** Slow machines, many tests at once. */
const TIMEOUT_MS = 60_000

/** The narrow client of the Elasticsearch store without the outside one, for tests of what it is asked. */
export function elasticOverFetch(url: string): Elastic {
  return createElastic(
    async ({ method, path, querystring, body, bulkBody }, { signal, headers }) => {
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(querystring)) query.set(name, String(value))
      const response = await fetch(`${url}${path}?${query.toString()}`, {
        method,
        signal,
        headers: headers ?? { 'content-type': 'application/json' },
        body:
          bulkBody === undefined
            ? body === undefined
              ? null
              : JSON.stringify(body)
            : new Uint8Array(bulkBody),
      })
      const answered: unknown = await response.json()
      if (response.ok) return answered
      const meta = { statusCode: response.status, body: answered }
      throw Object.assign(new Error(`status ${response.status}`), { name: 'ResponseError', meta })
    },
    { requestTimeoutMs: TIMEOUT_MS },
  )
}
