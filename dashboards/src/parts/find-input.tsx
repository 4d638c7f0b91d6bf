interface FindInputProps {
  readonly label: string
  /** What can be found: 'Find: host, tier, check'. */
  readonly placeholder: string
  readonly text: string
  readonly onText: (text: string) => void
}

/** Narrows a list while one types; the page takes `/` to it. */
export function FindInput({ label, placeholder, text, onText }: FindInputProps) {
  return (
    <input
      type="search"
      className="text-input"
      aria-label={label}
      aria-keyshortcuts="/"
      placeholder={placeholder}
      value={text}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      onChange={(event) => onText(event.target.value)}
    />
  )
}
