/** The head of the list; it stays in view. */
export function ColumnNames() {
  return (
    <div className="row column-names" role="row" aria-rowindex={1}>
      {['Time', 'Level', 'Service', 'Host', 'Message'].map((name) => (
        <span key={name} role="columnheader" className={`cell-${name.toLowerCase()}`}>
          {name}
        </span>
      ))}
    </div>
  )
}
