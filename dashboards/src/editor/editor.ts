import {
  acceptCompletion,
  autocompletion,
  completionKeymap,
  completionStatus,
  moveCompletionSelection,
  selectedCompletionIndex,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete'
import { history, historyKeymap, standardKeymap } from '@codemirror/commands'
import { bracketMatching } from '@codemirror/language'
import { setDiagnostics } from '@codemirror/lint'
import { Compartment, EditorSelection, EditorState, Prec, type Extension } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { queryLanguage } from './language.ts'

/** What may stand at the cursor. */
export interface Suggestions {
  /** Positions in the query that a choice replaces: [from, to). */
  readonly from: number
  readonly to: number
  readonly options: readonly { readonly text: string; readonly kind: string; readonly detail: string }[]
}

export interface EditorOptions {
  readonly parent: HTMLElement
  readonly text: string
  readonly placeholder: string
  readonly attributes: Readonly<Record<string, string>>
  readonly onChange: (text: string) => void
  readonly onRun: () => void
  /** An older (-1) or newer (1) query for what stands there; null: there is none. */
  readonly recall: (text: string, step: 1 | -1) => string | null
  readonly suggest: (text: string, cursor: number, signal: AbortSignal) => Promise<Suggestions | null>
}

export interface QueryEditor {
  readonly setText: (text: string) => void
  /** Underlines the word at a column (from 1); null: nothing is wrong. */
  readonly setProblem: (problem: { column: number; message: string } | null) => void
  readonly select: (from: number, to: number) => void
  readonly destroy: () => void
}

const SUGGESTIONS_SHOWN_MAX = 60

/** A one-line editor for queries. */
export function createEditor(options: EditorOptions): QueryEditor {
  const invalid = new Compartment()
  const attributes = (wrong: boolean) =>
    EditorView.contentAttributes.of({ ...options.attributes, 'aria-invalid': String(wrong) })
  const view = new EditorView({
    parent: options.parent,
    state: EditorState.create({
      doc: oneLine(options.text),
      extensions: [
        ...behaviour(options),
        invalid.of(attributes(false)),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onChange(update.state.doc.toString())
        }),
      ],
    }),
  })
  return {
    setText: (text) => replace(view, text),
    setProblem(problem) {
      const wrong = problem === null ? [] : [diagnosticOf(view.state.doc.toString(), problem)]
      view.dispatch(setDiagnostics(view.state, wrong))
      view.dispatch({ effects: invalid.reconfigure(attributes(problem !== null)) })
    },
    select(from, to) {
      view.focus()
      const end = view.state.doc.length
      view.dispatch({ selection: EditorSelection.range(Math.min(from, end), Math.min(to, end)) })
    },
    destroy: () => view.destroy(),
  }
}

function behaviour(options: EditorOptions): readonly Extension[] {
  return [
    queryLanguage(),
    history(),
    bracketMatching(),
    placeholder(options.placeholder),
    single,
    autocompletion({
      override: [(context) => complete(context, options.suggest)],
      // Enter runs the query unless a suggestion was chosen, so none is taken by accident, however soon.
      selectOnOpen: false,
      interactionDelay: 0,
      icons: false,
      maxRenderedOptions: SUGGESTIONS_SHOWN_MAX,
      tooltipClass: () => 'suggestions',
    }),
    Prec.highest(keymap.of(keys(options))),
    keymap.of([...completionKeymap, ...historyKeymap, ...standardKeymap]),
  ]
}

function keys({ onRun, recall }: EditorOptions) {
  const step = (view: EditorView, by: 1 | -1) => {
    const recalled = recall(view.state.doc.toString(), by)
    if (recalled === null) return false
    replace(view, recalled)
    view.dispatch({ selection: EditorSelection.cursor(view.state.doc.length) })
    return true
  }
  const run = (view: EditorView) => {
    if (acceptCompletion(view)) return true
    view.contentDOM.blur()
    onRun()
    return true
  }
  return [
    { key: 'Enter', run, shift: run },
    { key: 'Mod-Enter', run },
    { key: 'Tab', run: takeSuggestion },
    { key: 'ArrowUp', run: (view: EditorView) => step(view, -1) },
    { key: 'ArrowDown', run: (view: EditorView) => step(view, 1) },
  ]
}

/** Takes the chosen suggestion, or the first. While there are any, Tab does not leave. */
function takeSuggestion(view: EditorView): boolean {
  if (completionStatus(view.state) !== 'active') return false
  if (selectedCompletionIndex(view.state) === null) moveCompletionSelection(true)(view)
  acceptCompletion(view)
  return true
}

/** Esc gives the keys back to the page when there is nothing left to close. */
const leave = keymap.of([
  {
    key: 'Escape',
    run(view) {
      view.contentDOM.blur()
      return true
    },
  },
])

/** A query is one line: what is pasted in several becomes one. */
const single: Extension = [
  Prec.lowest(leave),
  EditorState.transactionFilter.of((transaction) => {
    if (transaction.newDoc.lines === 1) return transaction
    const text = oneLine(transaction.newDoc.toString())
    const at = Math.min(transaction.newSelection.main.head, text.length)
    return {
      changes: { from: 0, to: transaction.startState.doc.length, insert: text },
      selection: EditorSelection.cursor(at),
      userEvent: 'input.paste',
    }
  }),
]

function oneLine(text: string): string {
  return text.replaceAll(/\r\n|[\r\n]/gu, ' ')
}

function replace(view: EditorView, text: string): void {
  const before = view.state.doc.toString()
  const insert = oneLine(text)
  if (insert !== before) view.dispatch({ changes: { from: 0, to: before.length, insert } })
}

/** From the column to the end of the word there; at the end of the query, its last character. */
function diagnosticOf(text: string, { column, message }: { column: number; message: string }) {
  const from = Math.min(Math.max(0, column - 1), Math.max(0, text.length - 1))
  const word = /^[^\s()]+/u.exec(text.slice(from))?.[0] ?? ' '
  return { from, to: Math.min(text.length, from + word.length), severity: 'error' as const, message }
}

async function complete(
  context: CompletionContext,
  suggest: EditorOptions['suggest'],
): Promise<CompletionResult | null> {
  const abort = new AbortController()
  context.addEventListener('abort', () => abort.abort())
  const found = await suggest(context.state.doc.toString(), context.pos, abort.signal)
  if (found === null || found.options.length === 0 || context.aborted) return null
  return {
    from: found.from,
    to: found.to,
    filter: false,
    options: found.options.map(({ text, kind, detail }): Completion => ({
      label: text,
      type: kind,
      detail,
      apply: text,
    })),
  }
}
