/** The style sheet of the HTML report: light, dark and paper. What is filtered on the screen is on paper all the same. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d4d9df; --page: #ffffff; --card: #f6f8fa;
  --bad: #b42318; --warn: #8a5a00; --good: #1a7f37; --calm: #57606a; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a3adb8; --line: #3a424c; --page: #14181d; --card: #1d232a;
  --bad: #ff8a80; --warn: #e8b44f; --good: #63c97e; --calm: #a3adb8; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 0; }
h4 { font-size: 1rem; margin: 1rem 0 .25rem; font-weight: 600; }
p { margin: .5rem 0; }
a { color: var(--link); }
code, .place { font-family: ui-monospace, monospace; font-size: .875em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); }
dd { margin: 0; }
nav ul, .tiles { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0; margin: 1rem 0; }
.tiles a { display: block; min-width: 5.5rem; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .375rem;
  color: inherit; text-decoration: none; }
.tiles a:hover, .tiles a:focus-visible { border-color: var(--link); }
.tiles strong { display: block; font-size: 1.4rem; line-height: 1.2; }
.tiles span { color: var(--soft); font-size: .875rem; }
.control { border: 1px solid var(--line); border-radius: .375rem; padding: 1rem; margin: 0 0 1rem; }
.control > p { max-width: 46rem; }
.head { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
.head h3 { flex: 1 1 18rem; }
.outcome { font-weight: 700; font-size: .875rem; letter-spacing: .02em; white-space: nowrap; }
.bad { color: var(--bad); } .warn { color: var(--warn); } .good { color: var(--good); } .calm { color: var(--calm); }
.soft { color: var(--soft); font-size: .875rem; }
ul.findings { list-style: none; margin: .5rem 0 0; padding: 0; }
ul.findings > li { padding: .5rem 0; border-top: 1px solid var(--line); }
.place { display: block; }
.note { background: var(--card); border-left: 3px solid var(--line); padding: .5rem .75rem; margin: .5rem 0; }
.loud { border-left-color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td code, .date { white-space: nowrap; }
footer { margin-top: 3rem; color: var(--soft); font-size: .875rem; }
.filter { position: absolute; }
@media screen { FILTERS }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } .tiles a { min-width: 0; }
  .head h3 { flex-basis: 100%; order: 3; } }
@media print { html { font-size: 10pt; } :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --card: #f4f4f4; --bad: #900;
  --warn: #640; --good: #050; --calm: #444; --link: #000; } body { max-width: none; padding: 0; }
  .control { break-inside: auto; } .head, tr { break-inside: avoid; } h2, h3, h4, .head { break-after: avoid; }
  .show-all { display: none; } .references a { text-decoration: none; } @page { margin: 18mm 16mm; } }
`
