/**
 * Sends statsd for bench/statsd.ts and prints how many datagrams left: `node bench/statsd-sender.ts <port or path> <kind> <packets/s> <seconds>`.
 * Kinds: `single` one metric a datagram, `packed` as many as fit 1,400 bytes, `series` 100,000 different ones, one a datagram.
 * 0 packets/s: as many as it can.
 */
import { createUdpSender, createUnixSender, prepareGroup } from '../test/support/datagram-sender.ts'

const [target = '', kind = 'single', rateText = '0', secondsText = '1'] = process.argv.slice(2)
const rate = Number(rateText) || Infinity
const durationMs = Number(secondsText) * 1_000
const GROUP = 64
const PACKED_BYTES = 1_400
const SERIES = 100_000

/** Half of them counters, a quarter timers, a quarter gauges, of 1,000 series. */
function metric(index: number): string {
  const tags = `#env:prod,route:/api/v1/orders/${index % 10}`
  const name = `shop.requests.${index % 100}`
  if (index % 4 === 1) return `${name}.time:${(index * 7_919) % 1_000}.${index % 10}|ms|${tags}`
  if (index % 4 === 3) return `${name}.depth:${index % 50}|g|${tags}`
  return `${name}.count:1|c|${tags}`
}

function datagram(index: number): string {
  if (kind === 'single') return metric(index)
  if (kind === 'series') return `shop.users.${index % 10}:1|c|#env:prod,user:u${index % SERIES}`
  let text = metric(index)
  for (let next = index + 1; text.length + metric(next).length < PACKED_BYTES; next += 1)
    text += `\n${metric(next)}`
  return text
}

const count = kind === 'series' ? Math.ceil(SERIES / GROUP) * GROUP : 4_096
const datagrams = Array.from({ length: count }, (_, index) => Buffer.from(datagram(index)))
const metricsEach = datagrams.map((bytes) => bytes.toString().split('\n').length)
const groups = Array.from({ length: count / GROUP }, (_, group) =>
  prepareGroup(datagrams.slice(group * GROUP, (group + 1) * GROUP)),
)
const sender = /^\d+$/.test(target) ? createUdpSender(Number(target)) : createUnixSender(target)
const resting = new Int32Array(new SharedArrayBuffer(4))
const startMs = performance.now()
let packets = 0
let metrics = 0
for (let at = 0; ; at = (at + 1) % groups.length) {
  const group = groups[at]
  if (group === undefined) break
  while (packets >= ((performance.now() - startMs) / 1_000) * rate) Atomics.wait(resting, 0, 0, 1)
  if (performance.now() - startMs >= durationMs) break
  const sent = sender.sendGroup(group)
  packets += sent
  for (let index = 0; index < sent; index += 1) metrics += metricsEach[at * GROUP + index] ?? 0
}
console.log(JSON.stringify({ packets, metrics, seconds: (performance.now() - startMs) / 1_000 }))
