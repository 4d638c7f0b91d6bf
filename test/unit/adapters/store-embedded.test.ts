import { storeContract } from '../../contracts/store.ts'
import { createStoreFolder } from '../../support/embedded-store.ts'

storeContract('embedded', async () => {
  const folder = await createStoreFolder()
  let store = await folder.open()
  return {
    store,
    async reopen() {
      await store.close()
      store = await folder.open()
      return store
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
})
