/** Text made safe inside HTML. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

const STYLE = `
  :root { color-scheme: dark light; --line: light-dark(#d5d9df, #2c333d); --dim: light-dark(#5b6573, #93a0b0) }
  body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; font: 15px/1.55 system-ui, sans-serif;
         background: light-dark(#fff, #0f1318); color: light-dark(#1b2129, #dfe5ec) }
  code { font: 0.92em ui-monospace, monospace }
  h2 { margin-top: 2.2rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.1rem }
  h2 b { color: light-dark(#0a6b5a, #5fd3bc) }
  .role { float: right; color: var(--dim); font-weight: normal }
  table { width: 100%; border-collapse: collapse }
  td, th { padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
  th { color: var(--dim); font-weight: normal }
  tr:target { background: light-dark(#fff3c4, #3a3214) }`

/** A whole page that needs nothing else. `body` is HTML. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}
