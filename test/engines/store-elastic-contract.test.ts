import { storeContract } from '../contracts/store.ts'
import { makeElasticStore } from '../support/elastic-under-test.ts'
import { describeWithElasticsearch } from '../support/engines/under-test.ts'

describeWithElasticsearch('the Elasticsearch store', () => {
  storeContract('Elasticsearch', makeElasticStore)
})
