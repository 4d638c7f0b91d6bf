import type { Elastic, ElasticRequest } from '../../adapters/store-elastic/elastic.ts'

/** An Elasticsearch whose answers a test gives, in the order of its requests. */
export interface FakeElastic extends Elastic {
  readonly requests: readonly ElasticRequest[]
}

/** `answer` gets each request and its number, from 0; what it throws, the request rejects with. */
export function createFakeElastic(answer: (request: ElasticRequest, at: number) => unknown): FakeElastic {
  const requests: ElasticRequest[] = []
  return {
    requests,
    async request<T>(request: ElasticRequest): Promise<T> {
      requests.push(request)
      return (await answer(request, requests.length - 1)) as T
    },
  }
}

/** The objects of a bulk's lines. */
export function linesOf({ lines }: ElasticRequest): unknown[] {
  return (lines ?? Buffer.alloc(0))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
}
