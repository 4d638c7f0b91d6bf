import { useEffect, useEffectEvent, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react'
import type { Problem } from '../api.ts'
import type { EditorOptions, QueryEditor } from '../editor/editor.ts'

const PLACEHOLDER = 'Search all lines: words, field:value, AND, OR, NOT'

export interface QueryFieldProps {
  readonly text: string
  /** What is wrong with exactly this text. */
  readonly problem: Problem | null
  readonly onChange: (text: string) => void
  readonly onRun: () => void
  readonly recall: EditorOptions['recall']
  readonly suggest: EditorOptions['suggest']
}

/** Where the cursor was in the plain field, so that the editor goes on from there; null: it was elsewhere. */
type Cursor = { readonly from: number; readonly to: number } | null

interface Loaded {
  readonly createEditor: (options: EditorOptions) => QueryEditor
  readonly cursor: Cursor
}

/** Where a query is written: a plain field that works at once, and an editor in its place as soon as it is loaded. */
export function QueryField(props: QueryFieldProps) {
  const input = useRef<HTMLInputElement>(null)
  const [loaded, setLoaded] = useState<Loaded | null>(null)
  useEffect(() => {
    let gone = false
    import('../editor/editor.ts').then(
      ({ createEditor }) => {
        if (!gone) setLoaded({ createEditor, cursor: cursorOf(input.current) })
      },
      // Without it, the plain field stays.
      () => undefined,
    )
    return () => {
      gone = true
    }
  }, [])
  if (loaded !== null) return <EditorField {...props} {...loaded} />
  return (
    <input
      ref={input}
      type="text"
      value={props.text}
      placeholder={PLACEHOLDER}
      aria-label="Query"
      aria-keyshortcuts="/"
      aria-invalid={props.problem !== null}
      aria-describedby="query-problem"
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      enterKeyHint="search"
      onChange={(event) => props.onChange(event.target.value)}
      onKeyDown={(event) => plainKey(event, props)}
    />
  )
}

function plainKey(event: KeyboardEvent<HTMLInputElement>, { onChange, recall }: QueryFieldProps): void {
  if (event.key === 'Escape') event.currentTarget.blur()
  const step = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : null
  const recalled = step === null ? null : recall(event.currentTarget.value, step)
  if (recalled === null) return
  event.preventDefault()
  onChange(recalled)
}

function cursorOf(input: HTMLInputElement | null): Cursor {
  if (input === null || document.activeElement !== input) return null
  return { from: input.selectionStart ?? 0, to: input.selectionEnd ?? 0 }
}

function EditorField(props: QueryFieldProps & Loaded) {
  const { createEditor, cursor, text, problem } = props
  const frame = useRef<HTMLDivElement>(null)
  const editor = useRef<QueryEditor>(null)
  const onChange = useEffectEvent(props.onChange)
  const onRun = useEffectEvent(props.onRun)
  const recall = useEffectEvent(props.recall)
  const suggest = useEffectEvent(props.suggest)

  const create = useEffectEvent((parent: HTMLElement) => {
    const created = createEditor({
      parent,
      text,
      placeholder: PLACEHOLDER,
      attributes: {
        'aria-label': 'Query',
        'aria-keyshortcuts': '/',
        'aria-multiline': 'false',
        'aria-describedby': 'query-problem',
        autocapitalize: 'none',
        spellcheck: 'false',
        enterkeyhint: 'search',
      },
      onChange: (changed) => onChange(changed),
      onRun: () => onRun(),
      recall: (from, step) => recall(from, step),
      suggest: (from, at, signal) => suggest(from, at, signal),
    })
    if (cursor !== null) created.select(cursor.from, cursor.to)
    return created
  })
  useLayoutEffect(() => {
    if (frame.current === null) return undefined
    const created = create(frame.current)
    editor.current = created
    return () => created.destroy()
  }, [createEditor])
  useLayoutEffect(() => editor.current?.setText(text), [text])
  useEffect(() => {
    const column = problem?.column ?? null
    editor.current?.setProblem(column === null ? null : { column, message: problem?.message ?? '' })
  }, [problem])
  return <div ref={frame} className="query-editor" />
}
