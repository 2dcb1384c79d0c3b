const style = `:root{color-scheme:light dark;--ink:#1c2024;--dim:#60646c;--paper:#fcfcfd;--line:#d9d9e0;--mark:#0b68cb;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#edeef0;--dim:#b0b4ba;--paper:#111113;--line:#43484e;--mark:#70b8ff;--bad:#ff9592}}
body{margin:0 auto;max-width:44rem;padding:2.5rem 1.25rem;font:1rem/1.6 system-ui,sans-serif;color:var(--ink);background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;line-height:1.3}code,pre{font:.9em ui-monospace,monospace}pre{overflow-x:auto;padding:.75rem 1rem;border:1px solid var(--line);border-radius:.4rem}
dt{color:var(--dim)}dd{margin:0 0 .75rem}a{color:var(--mark)}form{margin:1.5rem 0}label{display:block;margin:1rem 0 .25rem;font-weight:600}
input:not([type=hidden]){display:block;box-sizing:border-box;width:100%;max-width:26rem;padding:.6rem .7rem;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--dim);border-radius:.4rem}
input[aria-invalid=true]{border:2px solid var(--bad)}button,a.button{display:inline-block;text-decoration:none;margin:1.25rem .75rem 0 0;padding:.65rem 1.4rem;font:inherit;font-weight:600;color:var(--paper);background:var(--mark);border:1px solid var(--mark);border-radius:.4rem;cursor:pointer}
button.quiet{color:var(--mark);background:var(--paper)}:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
.hint{margin:.25rem 0 0;color:var(--dim);font-size:.875rem}.problem{padding:.75rem 1rem;border:1px solid var(--bad);border-left-width:.4rem;border-radius:.4rem}
footer{margin-top:3rem;color:var(--dim);font-size:.875rem}`

export const stylePath = '/style.css'
export const styleSheet = style

/** A plain page: one heading, no script. `body` is HTML made by us; everything else in it must have passed `escape`. */
export function page(title: string, body: string, heading = title): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} · Portcullis</title><link rel="stylesheet" href="${stylePath}"></head>
<body><main><h1>${escape(heading)}</h1>${body}</main><footer>Portcullis</footer></body></html>`
}

export function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
