import { createMemoryTransport } from '../../../adapters/transport-memory.ts'
import type { Intake } from '../../../core/ports.ts'
import { directTransportContract, transportContract } from '../../contracts/transport.ts'

async function connect(intake: Intake) {
  const sender = createMemoryTransport(intake, { site: 'eu', sender: 'here' })
  return { sender, close: () => sender.close() }
}

transportContract('memory', connect)
directTransportContract('memory', connect)
