import { DASHES, type ChartLine } from '../model/chart-lines.ts'

/** How a line looks: its colour and its dashes. */
export function Swatch({ line }: { line: Pick<ChartLine, 'colour' | 'dash'> }) {
  return (
    <svg className="swatch" viewBox="0 0 22 8" aria-hidden="true">
      <line
        x1="0"
        y1="4"
        x2="22"
        y2="4"
        style={{ stroke: `var(--line-${line.colour})` }}
        strokeDasharray={DASHES[line.dash]?.join(' ')}
      />
    </svg>
  )
}
