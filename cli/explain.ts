import type { Command } from 'commander'
import { explainSchema } from './answers.ts'
import type { ShownExplanation } from './answers.ts'
import { ask, conclude } from './ask.ts'
import { connect } from './client.ts'
import { counted, grouped, mebibytes } from './format.ts'
import { EXITS_OF_ANSWERS, explained } from './help.ts'
import { questionParameters, withQuery } from './questions.ts'
import type { QueryOptions } from './questions.ts'
import { csvLine, jsonLine, writeData } from './records.ts'
import type { Output } from './records.ts'
import { harmless, hasColours, painter, runCommand } from './terminal.ts'
import type { ExitCode, Paint, Terminal } from './terminal.ts'

const LABEL_CHARS = 12

export function addExplainCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('explain')
    .description('what a query would have to read, without running it')
  withQuery(command).action((words: string[], options: QueryOptions) =>
    runCommand(terminal, (signal) => explain(terminal, words, options, signal)),
  )
  explained(command, {
    notes: 'Blocks that are left out by words cost nothing: rare words and trace ids make a query fast.',
    exits: EXITS_OF_ANSWERS,
    examples: [`noctule explain '"connection refused" level:error' --since 1d`],
  })
}

async function explain(
  terminal: Terminal,
  words: readonly string[],
  options: QueryOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const parameters = questionParameters(words, options, terminal.clock.nowMs())
  const question = { path: '/v1/explain', parameters, schema: explainSchema }
  const explanation = await ask(connect(options, terminal), question, signal)
  const { output } = options
  const text = formatExplanation(explanation, output, painter(hasColours(terminal)))
  await writeData(terminal, text, output, signal)
  return conclude(terminal, explanation.meta)
}

function formatExplanation(explanation: ShownExplanation, output: Output, paint: Paint): string {
  if (output === 'jsonl') return jsonLine(explanation)
  const { partitions, partitionsRead, blocks, records, bytes, exact, plan } = explanation
  if (output === 'csv') {
    const { total, outOfRange, excludedByValues, excludedByWords, read } = blocks
    const columns = {
      partitions,
      partitionsRead,
      blocks: total,
      outOfRange,
      excludedByValues,
      excludedByWords,
    }
    const row = { ...columns, blocksRead: read, records, bytes, exact: exact ? 'yes' : 'no', plan }
    return csvLine(Object.keys(row)) + csvLine(Object.values(row))
  }
  const rows = {
    partitions: `${grouped(partitionsRead)} of ${grouped(partitions)} are read`,
    blocks: blocksText(blocks),
    records: `${counted(records, 'record')} in the blocks that are read`,
    bytes: `${mebibytes(bytes)} on disk`,
    decided: exact
      ? 'by the store'
      : 'by the store; records with unusual characters are looked at one by one',
    plan: harmless(typeof plan === 'string' ? plan : JSON.stringify(plan)),
  }
  return Object.entries(rows)
    .map(([label, text]) => `${paint('bold', label.padEnd(LABEL_CHARS))}${text}\n`)
    .join('')
}

/** `12 of 200 are read; left out: 150 by time, 20 by level or service, 18 by words` */
function blocksText({ total, read, ...blocks }: ShownExplanation['blocks']): string {
  const reasons = [
    `${grouped(blocks.outOfRange)} by time`,
    `${grouped(blocks.excludedByValues)} by level or service`,
    `${grouped(blocks.excludedByWords)} by words`,
  ]
  return `${grouped(read)} of ${grouped(total)} are read; left out: ${reasons.join(', ')}`
}
