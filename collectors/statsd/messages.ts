import type { StatsdConfig } from '../../core/config.ts'
import type { AggregationStats, LossReason } from './aggregation.ts'

/** What the thread of statsd is started with. */
export interface WorkerData {
  readonly config: StatsdConfig
  /** Stamped on every series. */
  readonly tags: Readonly<Record<string, string>>
}

/** To the thread. */
export type Order =
  /** Lines as an application would send them in one datagram. */
  | { readonly type: 'take'; readonly lines: string }
  | { readonly type: 'lost'; readonly reason: LossReason; readonly count: number }
  /** The `records` that were told are with the batcher: the next may come. */
  | { readonly type: 'recordsTaken' }
  /** Receive what is there, flush the open interval, end. */
  | { readonly type: 'stop' }

/** From the thread. */
export type Report =
  | ListeningReport
  /** Part of the flush that ends at `boundaryMs`. */
  | {
      readonly type: 'chunk'
      readonly boundaryMs: number
      readonly bytes: Uint8Array<ArrayBuffer>
      readonly points: number
    }
  /** Everything before `boundaryMs` was told; `tookMs`: what came meanwhile was received between its chunks. */
  | {
      readonly type: 'flushed'
      readonly boundaryMs: number
      readonly points: number
      readonly tookMs: number
    }
  | RecordsReport
  | { readonly type: 'stats'; readonly stats: AggregationStats }
  | {
      readonly type: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly fields: object
      readonly message: string
    }
  /** Nothing comes behind it. */
  | { readonly type: 'stopped' }

/** Told at the start and when it changes. */
export interface ListeningReport {
  readonly type: 'listening'
  /** Of the sockets that are open. */
  readonly names: readonly string[]
  readonly port: number | null
  readonly socket: string | null
  /** Why something that is configured is not received; null: all is. */
  readonly problem: string | null
}

/** Events and service checks as log lines. One such report waits for `recordsTaken` before the next is told. */
export interface RecordsReport {
  readonly type: 'records'
  /** Each "\n" ended. */
  readonly text: string
  readonly lines: number
  /** Came since the report before while too many waited, and were dropped. */
  readonly dropped: { readonly records: number; readonly bytes: number; readonly fromMs: number }
}
