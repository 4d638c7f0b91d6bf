import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { createHttpSender } from '../../../adapters/transport-http.ts'
import { systemClock } from '../../../core/clock.ts'
import { ServiceError, failureTable } from '../../../core/errors.ts'
import type { Intake } from '../../../core/ports.ts'
import {
  createScriptedIntake,
  directTransportContract,
  someMark,
  someReport,
  transportContract,
} from '../../contracts/transport.ts'
import { createNode, tokenOf } from '../query-api/node.ts'

const never = () => new AbortController().signal

/** A sender and a real node on a free port. */
async function connect(intake: Intake, token = tokenOf('collector')) {
  const { app } = await createNode({ intake, clock: systemClock })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const sender = createHttpSender({ url, token })
  return {
    sender,
    async close() {
      await sender.close()
      await app.close()
    },
  }
}

transportContract('HTTP', connect)
directTransportContract('HTTP', connect)

test.each(failureTable().map(({ code }) => ({ code })))(
  '$code crosses HTTP with its status, details and wait',
  async ({ code }) => {
    const intake = createScriptedIntake()
    intake.onBatch = async () => {
      throw new ServiceError(code, 'said by the other side', { index: 3, what: 'x', retryAfterMs: 7_000 })
    }
    const node = await connect(intake)
    const error: unknown = await node.sender
      .send(Buffer.from('frame'), never())
      .catch((error: unknown) => error)
    expect(error).toBeInstanceOf(ServiceError)
    expect(error).toMatchObject({
      code,
      message: 'said by the other side',
      details: { index: 3, what: 'x', retryAfterMs: 7_000 },
    })
    await node.close()
  },
)

test('a fault of the node is worth a retry, and a refused token is not', async () => {
  const intake = createScriptedIntake()
  intake.onBatch = () => Promise.reject(new Error('bug'))
  const node = await connect(intake)
  const fault: unknown = await node.sender
    .send(Buffer.from('frame'), never())
    .catch((error: unknown) => error)
  expect(fault).toMatchObject({
    code: 'STORE_UNAVAILABLE',
    retryable: true,
    details: { status: 500, retryAfterMs: 1_000 },
  })
  await node.close()

  const stranger = await connect(createScriptedIntake(), 'wrong-secret')
  const refused: unknown = await stranger.sender
    .sendMark(someMark(), never())
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false })
  expect(String((refused as Error).stack)).not.toContain('wrong-secret')
  await stranger.close()
})

test('a node that is not there is unreachable, which is worth a retry', async () => {
  const { url, close } = await listen(() => {})
  await close()
  const sender = createHttpSender({ url, token: 'wrong-secret' })
  const error: unknown = await sender.send(Buffer.from('frame'), never()).catch((error: unknown) => error)
  expect(error).toMatchObject({ code: 'UNREACHABLE', retryable: true, details: { url } })
  expect(JSON.stringify(error) + (error as Error).message).not.toContain('wrong-secret')
})

test('a node that does not answer in time is unreachable', async () => {
  const { url } = await listen(() => {})
  const sender = createHttpSender({ url, token: 't', timeoutMs: 50 })
  await expect(sender.send(Buffer.from('frame'), never())).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('a report of health that is not answered soon makes way for the newest one', async () => {
  let asked = 0
  const { url } = await listen((response) => {
    asked++
    if (asked > 1) response.writeHead(204).end()
  })
  const sender = createHttpSender({ url, token: 't', healthTimeoutMs: 50 })
  const results = [1, 2, 3].map((sentAtMs) =>
    sender.sendHealth(someReport({ sentAtMs }), never()).then(
      () => 'sent',
      ({ code }: ServiceError) => code,
    ),
  )
  expect(await Promise.all(results)).toEqual(['UNREACHABLE', 'OVERLOADED', 'sent'])
  expect(asked).toBe(2)
})

test('what a proxy answers in its own words is worth a retry, after the wait that it asks for', async () => {
  const { url } = await listen((response) => response.writeHead(502, { 'retry-after': '9' }).end('<html>'))
  const sender = createHttpSender({ url: `${url}/behind/a/path`, token: 't' })
  await expect(sender.send(Buffer.from('frame'), never())).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    details: { status: 502, retryAfterMs: 9_000 },
  })
})

async function listen(answer: (response: ServerResponse) => void) {
  const server = createServer((_request, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  onTestFinished(close)
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, close }
}
