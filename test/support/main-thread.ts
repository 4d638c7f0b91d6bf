import type { Browser, Page } from 'playwright-core'

/** What the main thread of a page did, task by task. */
export interface MainThread {
  readonly tasks: number
  /** Processor time of the longest task: unlike its duration, other programs on the machine do not add to it. */
  readonly longestCpuMs: number
  readonly longestMs: number
}

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  /** µs */
  readonly dur?: number
  /** µs of processor time */
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** Watches the main thread of the pages of a browser while something happens in one. */
export async function watchMainThread(
  browser: Browser,
  page: Page,
  happen: () => Promise<void>,
): Promise<MainThread> {
  await browser.startTracing(page, { categories: ['toplevel'] })
  let trace: Buffer
  try {
    await happen()
  } finally {
    trace = await browser.stopTracing()
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: readonly TraceEvent[] }
  const thread = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`
  const main = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(thread),
  )
  const tasks = traceEvents.filter((event) => event.name.endsWith('RunTask') && main.has(thread(event)))
  return {
    tasks: tasks.length,
    longestCpuMs: tasks.reduce((most, { tdur = 0 }) => Math.max(most, tdur), 0) / 1000,
    longestMs: tasks.reduce((most, { dur = 0 }) => Math.max(most, dur), 0) / 1000,
  }
}
