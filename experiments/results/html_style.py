"""How ``report.html`` looks: on wide screens, on a phone, in the dark, on paper."""

STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --faint: #5a5a5a; --page: #ffffff; --line: #cfcfcf; --head: #f3f3f3;
  --link: #0b57a4; --reproduced: #dff2e1; --missed: #fbe0dc; --above: #ece1f7; --open: #fdf3d3; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --faint: #a8a8a8; --page: #16181b; --line: #43474d;
  --head: #23262b; --link: #8fc1ff; --reproduced: #1f4427; --missed: #5a2a24; --above: #43305c; --open: #4b4119; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem; max-width: 1400px; color: var(--text); background: var(--page);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 .5rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--line); line-height: 1.25; }
h3 { margin: 1.5rem 0 .25rem; }
p, ul { margin: .4rem 0; max-width: 60rem; }
a { color: var(--link); }
small, figcaption, .faint { color: var(--faint); font-size: .85rem; }
code { font: .85em/1.5 ui-monospace, monospace; }
.banner { padding: .6rem .9rem; border: 2px solid #b36b00; background: var(--open); font-weight: 600; max-width: none; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 0 1.5rem;
  align-items: start; }
@media (min-width: 1150px) { .tables { grid-template-columns: 10fr 10fr 14fr; } } /* the third has words in it */
.scroll { overflow-x: auto; margin: .75rem 0; max-width: 100%; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; line-height: 1.3;
  overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { padding: .25rem .5rem; border: 1px solid var(--line); text-align: right; vertical-align: top; }
thead th { background: var(--head); vertical-align: bottom; }
tbody th { position: sticky; left: 0; background: var(--head); text-align: left; font-weight: 600; }
td { white-space: nowrap; } td small { display: block; font-size: .75rem; } td small.ids { white-space: normal; }
.tables th, .tables td { padding: .2rem .3rem; }
td.word { text-align: left; }
.reproduced { background: var(--reproduced); } .missed { background: var(--missed); }
.above { background: var(--above); } .inconclusive { background: var(--open); }
figure { margin: 1rem 0; }
figure.one { max-width: 34rem; }
figure svg { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
figure svg text { font-family: system-ui, sans-serif !important; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: .75rem; }
.legend span { display: inline-block; margin: 0 .6rem 0 .2rem; white-space: nowrap; }
.legend i { display: inline-block; width: 1.2em; height: .7em; margin-right: .3em; outline: 1px solid #999;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.wide { overflow-x: auto; margin: .25rem 0 1rem; } .wide svg { min-width: 46rem; max-width: 64rem; }
.runs { list-style: none; padding: 0; max-width: none; font-size: .9rem; }
.runs li { padding: .5rem 0; border-top: 1px solid var(--line); }
.runs li:target { background: var(--open); }
.runs code { display: block; white-space: pre-wrap; padding: .3rem .5rem; background: var(--head); }
@page { margin: 12mm; }
@media print {
  :root { color-scheme: light; --text: #000; --faint: #333; --page: #fff; --line: #888; --head: #eee; --link: #000;
    --reproduced: #e8f5e9; --missed: #fdecea; --above: #f3ebfa; --open: #fdf6e0; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  .scroll, .wide { overflow: visible; }
  .wide svg { min-width: 0; }
  table { font-size: 7.5pt; } th, td { padding: 1.5pt 3pt; } tbody th { position: static; }
  td small { font-size: 6.5pt; } .runs { font-size: 8pt; }
  .tables { grid-template-columns: 1fr 1fr; gap: 0 6mm; } .tables table { font-size: 7pt; }
  .panels { grid-template-columns: 1fr 1fr 1fr; } figure.one { max-width: 115mm; }
  .panels > div, figure.one, .map, table, tr, .runs li, .banner { break-inside: avoid; }
  h2, h3, caption, .legend { break-after: avoid; }
  figcaption { break-before: avoid; }
}
"""
