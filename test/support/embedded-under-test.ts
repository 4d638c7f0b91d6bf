import { systemClock } from '../../core/clock.ts'
import { KEEP_ALL } from '../../core/retention.ts'
import { createStoreFolder } from './embedded-store.ts'
import type { MakeOptions, StoreUnderTest } from './store-under-test.ts'

/** An embedded store in a folder of its own, which is removed in the end. */
export async function makeEmbeddedStore({
  retention = KEEP_ALL,
  clock = systemClock,
}: MakeOptions = {}): Promise<StoreUnderTest> {
  const folder = await createStoreFolder({ retention })
  let store = await folder.open({ clock })
  return {
    store,
    async reopen() {
      await store.close()
      store = await folder.open({ clock })
      return store
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
