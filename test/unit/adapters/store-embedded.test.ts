import { storeContract } from '../../contracts/store.ts'
import { makeEmbeddedStore } from '../../support/embedded-under-test.ts'

storeContract('embedded', makeEmbeddedStore)
