import { describeWithElasticsearch } from '../support/engines/under-test.ts'
import { indexedStore } from '../support/engines/indexed-store.ts'
import { storeOracle } from '../contracts/store-oracle.ts'

describeWithElasticsearch('store-elastic queries mean what the matcher means', () => {
  storeOracle(() => indexedStore(['eu', 'us'], { shards: 2 }))
})
