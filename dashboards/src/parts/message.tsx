import type { ReactNode } from 'react'

/** In the place of what there is not: why, and what to do. */
export function Message({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="notice">
      <div>
        <h2>{title}</h2>
        {children}
      </div>
    </section>
  )
}
