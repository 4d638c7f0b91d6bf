import { parentPort, workerData } from 'node:worker_threads'
import { systemClock as clock } from '../../core/clock.ts'
import { parseDuration } from '../../core/query/time.ts'
import { createAggregation } from './aggregation.ts'
import type { DatagramAddress, TakeDatagram } from './datagrams.ts'
import { openDatagrams } from './datagrams-open.ts'
import { createListening } from './listening.ts'
import type { Order, Report, WorkerData } from './messages.ts'
import { createReceiver } from './receiver.ts'
import { createRecordQueue } from './record-queue.ts'
import { eventLine, serviceCheckLine } from './records.ts'

/** The thread that takes statsd: nothing that the rest of the collector does costs a datagram. */
const port = parentPort
if (port === null) throw new Error('worker.ts has to be started as a worker')

const NEWLINE = 10
const { config, tags } = workerData as WorkerData
const nowMs = () => clock.nowMs()
const flushMs = parseDuration(config.flush)

function tell(report: Report, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(report, transfer)
}

const records = createRecordQueue(tell, nowMs)
const aggregation = createAggregation({
  flushMs,
  seriesMax: config.seriesMax,
  seriesPerNameMax: config.seriesPerNameMax,
  lateMaxMs: parseDuration(config.lateMax),
  tags,
  nowMs,
  onEvent: (event) => records.add(eventLine(event, nowMs())),
  onServiceCheck: (check) => records.add(serviceCheckLine(check, nowMs())),
})

/** Of a datagram that was cut, the lines that are whole count. */
const take: TakeDatagram = (bytes, start, end, cut) => {
  if (!cut) return aggregation.take(bytes, start, end)
  const whole = bytes.lastIndexOf(NEWLINE, end - 1)
  if (whole > start) aggregation.take(bytes, start, whole)
  aggregation.lost('packet', 1)
}

function addresses(): DatagramAddress[] {
  const { host, port: udpPort, socket: path, receiveBufferBytes: bufferBytes } = config
  const udp = { kind: 'udp', host, port: udpPort, bufferBytes } as const
  return path === undefined ? [udp] : [udp, { kind: 'unix', path, bufferBytes }]
}

let stopping = false
const { datagrams, fallback } = await openDatagrams(take)
if (fallback !== null) {
  const fields = { reason: fallback }
  tell({
    type: 'log',
    level: 'warn',
    fields,
    message: 'statsd is received through Node: only UDP, and more slowly',
  })
}
const listening = createListening({ addresses: addresses(), datagrams, clock, tell })
const receiver = createReceiver({ flushMs, datagrams, listening, aggregation, records, clock, tell })
port.on('message', (order: Order) => {
  if (order.type === 'stop') stopping = true
  else receiver.handle(order)
})
while (!stopping) await receiver.turn()
await receiver.finish()
port.close()
