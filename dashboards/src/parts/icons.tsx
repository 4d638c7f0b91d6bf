import type { ReactNode } from 'react'

const SHAPES = {
  alert: <path d="M8 2.2 14.6 13.6H1.4zM8 6.4v3.2M8 11.6v.2" />,
  around: <path d="M2.4 8h11.2M4.4 4.4h7.2M4.4 11.6h7.2M6 1.6h4M6 14.4h4" />,
  arrowUp: <path d="M8 13V3.5M3.8 7.5 8 3.2l4.2 4.3" />,
  bars: <path d="M2.6 3.4h10.8M2.6 8h7M2.6 12.6h4" strokeWidth="2" />,
  check: <path d="m2.8 8.6 3.4 3.4 7-7.4" />,
  chevron: <path d="m4 6.2 4 4 4-4" />,
  clock: <path d="M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM8 4.6V8l2.4 1.6" />,
  copy: <path d="M5.6 5.6h7.8v7.8H5.6zM10.4 5.4V2.6H2.6v7.8h2.8" />,
  cross: <path d="m3.8 3.8 8.4 8.4M12.2 3.8l-8.4 8.4" />,
  dots: <path d="M3.4 8h.01M8 8h.01M12.6 8h.01" strokeWidth="2.4" />,
  download: <path d="M8 2.2v8M4.6 7 8 10.4 11.4 7M2.6 13.4h10.8" />,
  fields: <path d="M2.4 2.6h11.2v10.8H2.4zM6.2 2.6v10.8" />,
  link: (
    <path d="M6.8 9.2a2.8 2.8 0 0 0 4 0l2-2a2.83 2.83 0 0 0-4-4l-.9.9M9.2 6.8a2.8 2.8 0 0 0-4 0l-2 2a2.83 2.83 0 0 0 4 4l.9-.9" />
  ),
  minus: <path d="M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM5.2 8h5.6" />,
  moon: <path d="M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z" />,
  person: (
    <path d="M8 2.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM2.6 13.8c.5-2.6 2.6-4 5.4-4s4.9 1.4 5.4 4" />
  ),
  plus: <path d="M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM8 5.2v5.6M5.2 8h5.6" />,
  refresh: <path d="M13.4 6.4A5.7 5.7 0 1 0 13.6 9M13.6 2.8v3.7H9.9" />,
  screen: <path d="M2 3h12v8H2zM5.6 13.6h4.8M8 11v2.4" />,
  search: <path d="M7 2.4a4.6 4.6 0 1 1 0 9.2 4.6 4.6 0 0 1 0-9.2zM10.4 10.4l3.4 3.4" />,
  share: <path d="M8 9.6V2M5.2 4.6 8 1.8l2.8 2.8M4.6 7H2.8v6.8h10.4V7h-1.8" />,
  sun: (
    <path d="M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.4v1.2M8 13.4v1.2M1.4 8h1.2M13.4 8h1.2M3.3 3.3l.9.9M11.8 11.8l.9.9M3.3 12.7l.9-.9M11.8 4.2l.9-.9" />
  ),
  wrap: <path d="M2 3.6h12M2 8h9.4a2.4 2.4 0 0 1 0 4.8H8.6M10 11.2l-1.8 1.6L10 14.4M2 12.6h3.2" />,
  zoomOut: <path d="M7 2.4a4.6 4.6 0 1 1 0 9.2 4.6 4.6 0 0 1 0-9.2zM10.4 10.4l3.4 3.4M5 7h4" />,
} satisfies Record<string, ReactNode>

/** A line drawing in the colour of the text around it; what it means must be said beside it. */
export function Icon({ name }: { name: keyof typeof SHAPES }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[name]}
    </svg>
  )
}

export function Bat() {
  return (
    <svg className="bat" viewBox="3 8 26 15" aria-hidden="true">
      <path d="M16 12.2l1.1-2.7 1 2.4c2.4-2 5.6-2.7 9.4-2-1.5 1.2-2 2.7-1.6 4.6-2-.6-3.6 0-4.5 1.6-1.3-.9-2.7-.6-3.6.8L16 21.6l-1.8-4.7c-.9-1.4-2.3-1.7-3.6-.8-.9-1.6-2.5-2.2-4.5-1.6.4-1.9-.1-3.4-1.6-4.6 3.8-.7 7 0 9.4 2l1-2.4z" />
    </svg>
  )
}
