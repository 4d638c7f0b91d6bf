import { createHash } from 'node:crypto'

/**
 * Which of `shards` (1 or more) belongs to a key: the same on every machine and in every version, evenly spread. When one number
 * of shards divides another, keys that share a shard of the larger share one of the smaller, too.
 */
export function shardOf(key: string, shards: number): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) % shards
}
