import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { ipBytes } from '../../../../collectors/statsd/datagrams-address.ts'
import { dropsIn, kernelDrops } from '../../../../collectors/statsd/kernel-drops.ts'

const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  325: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17261 2 000000003ea1d4e1 1403
 1201: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1209 2 00000000d5d4e4ff 7
`
const UDP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  325: 00000000000000000000000001000000:1FBD 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18 2 00000000ab 12
`

test.each([
  { host: '127.0.0.1', port: 8125, drops: 1403 },
  { host: '0.0.0.0', port: 68, drops: 7 },
  { host: '127.0.0.1', port: 68, drops: null },
])('drops of $host:$port', ({ host, port, drops }) => {
  expect(dropsIn(UDP, host, port)).toBe(drops)
})

test('drops of an address of version 6', () => {
  expect(dropsIn(UDP6, '::1', 8125)).toBe(12)
  expect(dropsIn(UDP6, '::', 8125)).toBeNull()
})

test.each([
  ['127.0.0.1', '7f000001'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['fe80::1%eth0', 'fe800000000000000000000000000001'],
  ['::ffff:127.0.0.1', '00000000000000000000ffff7f000001'],
  ['2001:DB8:0:1:2:3:4:5', '20010db8000000010002000300040005'],
])('bytes of %s', (ip, hex) => {
  expect(ipBytes(ip).toString('hex')).toBe(hex)
})

test.skipIf(process.platform !== 'linux')('what the kernel threw away is counted (Linux)', async () => {
  const receiver = createSocket({ type: 'udp4', recvBufferSize: 2_304 })
  receiver.bind(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { address: host, port } = receiver.address()
  expect(await kernelDrops({ host, port })).toBe(0)
  // Nothing is read meanwhile: sent in one go, before any event.
  const { createUdpSender } = await import('../../../support/datagram-sender.ts')
  const many = createUdpSender(port)
  for (let index = 0; index < 100; index += 1) many.send(Buffer.from('x'))
  many.close()
  expect(await kernelDrops({ host, port })).toBeGreaterThan(0)
  receiver.close()
})
