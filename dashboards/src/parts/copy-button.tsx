import { useEffect, useState, type ReactNode } from 'react'
import { copyText } from '../clipboard.ts'
import { Icon } from './icons.tsx'

const SAID_FOR_MS = 1500

/** Copies on a click and says so for a moment. Without `children` it is a bare icon. */
export function CopyButton(props: { text: () => string; label: string; children?: ReactNode }) {
  const [said, setSaid] = useState<'' | 'Copied' | 'The browser refused to copy'>('')

  useEffect(() => {
    if (said === '') return undefined
    const timer = setTimeout(() => setSaid(''), SAID_FOR_MS)
    return () => clearTimeout(timer)
  }, [said])

  async function copy() {
    setSaid((await copyText(props.text())) ? 'Copied' : 'The browser refused to copy')
  }

  const bare = props.children === undefined
  return (
    <button
      type="button"
      className={bare ? 'tool' : 'button small'}
      aria-label={bare ? said || props.label : undefined}
      title={said || props.label}
      onClick={() => void copy()}
    >
      <Icon name={said === 'Copied' ? 'check' : said === '' ? 'copy' : 'alert'} />
      {!bare && (said === '' ? props.children : said)}
    </button>
  )
}
