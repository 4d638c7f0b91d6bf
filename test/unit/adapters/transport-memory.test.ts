import { createMemoryTransport } from '../../../adapters/transport-memory.ts'
import { transportContract } from '../../contracts/transport.ts'

transportContract('memory', async (intake) => {
  const sender = createMemoryTransport(intake, { site: 'eu', sender: 'here' })
  return { sender, close: () => sender.close() }
})
