import { edgeText, failedIn } from './calls.ts'
import { type Bar, flameOf } from './flame.ts'
import { escaped, graphPicture, graphStyle } from './graph.ts'
import type { Scene } from './roles.ts'
import type { Explained, Summary } from './summary.ts'
import { cut, headline, rowsOf, seconds, usd } from './text.ts'

/** More rows are too many to read. The first ones are shown, and the page says how many are left. */
const MOST_SPANS = 400
const MOST_BARS = 800
const ROW_PX = 22

/** A number of this page. It is written into a style, so it is never a text of a span. */
const percent = (share: number) => `${(100 * share).toFixed(3)}%`

/** Where else the trace can be read: the words of a link, and its address. */
export type Elsewhere = readonly (readonly [title: string, url: string])[]

/** One page without scripts and without anything from a network: what happened, time by agent, the call graph, and each span in time. */
export function pageReport(explained: Explained, elsewhere: Elsewhere = []): string {
  const { summary } = explained
  const colours = coloursOf(summary)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(`${summary.name} ${summary.trace}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(headline(summary))}</h1>
<dl>${rowsOf(summary, Number.POSITIVE_INFINITY)
    .map(({ label, text }) => `<dt>${label}</dt><dd>${escaped(text)}</dd>`)
    .join('\n')}</dl>
<p class="legend">${[...colours].map(([agent, colour]) => `<span><i class="c${colour}"></i>${escaped(agent)}</span>`).join(' ')} <span><i class="c0"></i>no agent</span> <span class="failed">failed</span></p>
${elsewhere.map(([title, url]) => `<a href="${escaped(url)}">${escaped(title)}</a>`).join(' ')}
<h2>Time by agent</h2>
${flame(explained, colours)}
<h2>Who called whom</h2>
${graph(summary)}
<h2>Tokens and cost</h2>
${costs(summary)}
<h2>Each span in time</h2>
${timeline(explained, colours)}
</body>
</html>
`
}

type Colours = ReadonlyMap<string, number>
/** The style has as many colours for agents. Further agents get the first ones again. */
const COLOURS = 8
const coloursOf = ({ time: { agents } }: Summary): Colours =>
  new Map(agents.map(({ agent }, index) => [agent, 1 + (index % COLOURS)]))
const colourOf = (colours: Colours, agent: string | undefined) => `c${(agent !== undefined && colours.get(agent)) || 0}`

function flame({ tree, scenes }: Explained, colours: Colours): string {
  const { bars: all, rows, left: hidden } = flameOf(tree, scenes)
  // The widest: a bar is never wider than the one above it, so each that is shown has its parent.
  const widest = all.toSorted((one, other) => other.width - one.width)
  const bars = widest.slice(0, MOST_BARS)
  const left = hidden + widest.slice(MOST_BARS).reduce((sum, { count }) => sum + count, 0)
  if (rows === 0) return '<p>The trace has no length, so there is no picture of it.</p>'
  const bar = ({ name, agent, count, errors, ms, left: from, width, row, parallel }: Bar) => {
    const said = [
      `${agent === undefined ? '' : `${agent}: `}${name}${count > 1 ? ` ×${count}` : ''}, ${seconds(ms)} (${(100 * width).toFixed(1)} % of the trace)`,
      ...(errors > 0 ? [`${errors} failed`] : []),
      ...(parallel ? ['other work under the same parent ran at the same time'] : []),
    ].join('; ')
    const label = `${parallel ? '∥ ' : ''}${cut(name, 60)}${count > 1 ? ` ×${count}` : ''} ${seconds(ms)}`
    return `<div class="bar ${colourOf(colours, agent)}${errors > 0 ? ' failed' : ''}" style="left:${percent(from)};width:${percent(width)};top:${row * ROW_PX}px" title="${escaped(said)}">${escaped(label)}</div>`
  }
  return `<p>A bar is as wide as the time that its spans cover together, so none is wider than the bar above it. ∥ marks bars that ran at the same time as others under the same bar: each of these has a line of its own.${left > 0 ? ` ${left.toLocaleString('en-US')} spans are too short, too deep or too many to be shown.` : ''}</p>
<div class="flame" style="height:${rows * ROW_PX}px">
${bars.map(bar).join('\n')}
</div>`
}

function timeline({ tree, scenes }: Explained, colours: Colours): string {
  const depths = new Map<unknown, number>()
  const row = ({ node, agent }: Scene) => {
    const depth = node.parent ? (depths.get(node.parent) ?? 0) + 1 : 0
    depths.set(node, depth)
    const took = node.end - node.start
    const [left, width] = tree.ms > 0 ? [node.start / tree.ms, took / tree.ms] : [0, 0]
    const { name, error, statusMessage } = node.span
    const said = `${name}: from ${seconds(node.start)} for ${seconds(took)}${error ? `; failed ${statusMessage}` : ''}`
    // Deep spans would leave no room for their names.
    return `<div class="line"><span class="name" style="padding-left:${Math.min(depth, 12) * 10}px" title="${escaped(said)}">${escaped(cut(name, 60))}</span><span class="track"><span class="span ${colourOf(colours, agent)}${error ? ' failed' : ''}" style="left:${percent(left)};width:${percent(width)}" title="${escaped(said)}"></span></span><span class="took">${seconds(took)}</span></div>`
  }
  const left = scenes.length - MOST_SPANS
  return `${scenes.slice(0, MOST_SPANS).map(row).join('\n')}${left > 0 ? `\n<p>… and ${left.toLocaleString('en-US')} more spans.</p>` : ''}`
}

function costs({ usage }: Summary): string {
  if (usage.length === 0) return '<p>No model was asked.</p>'
  const head = [
    'agent',
    'model',
    'calls',
    'input',
    'of it from a cache',
    'of it to a cache',
    'output',
    'of it reasoning',
    'cost',
  ]
  const rows = usage.map((one) => [
    one.agent ?? 'no agent',
    one.model,
    ...[one.calls, one.input, one.cacheRead, one.cacheCreation, one.output, one.reasoning].map((count) =>
      count.toLocaleString('en-US'),
    ),
    usd(one.usd),
  ])
  const cells = (tag: 'th' | 'td', row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')
  return `<table><tr>${cells('th', head)}</tr>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</table>`
}

const graph = ({ graph: edges }: Summary): string =>
  graphPicture(
    edges.map((edge) => ({
      from: edge.from,
      to: edge.to,
      text: edgeText(edge),
      says: `${edge.from.name} → ${edge.to.name}: ${edgeText(edge)}, ${seconds(edge.ms)} in all`,
      failed: failedIn(edge) > 0,
    })),
  )

const STYLE = `
:root { color-scheme: light dark; --text: #1c2128; --soft: #57606a; --back: #fff; --line: #d0d7de; --bad: #cf222e;
  --c0: #c9d1d9; --c1: #9ecbff; --c2: #a5e3b1; --c3: #ffd58a; --c4: #d8b9ff; --c5: #ffb8a8; --c6: #9be4e4; --c7: #e6dc7a; --c8: #f5b4d8 }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9da7b3; --back: #0d1117; --line: #30363d; --bad: #ff7b72;
  --c0: #3d444d; --c1: #1f4f8f; --c2: #1d5a33; --c3: #6e4b0a; --c4: #5a3a92; --c5: #86392a; --c6: #12595b; --c7: #5c5410; --c8: #7d2f5d } }
body { font: 14px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 1.5rem auto; max-width: 1400px; padding: 0 1rem }
h1 { font-size: 1.2rem; overflow-wrap: anywhere } h2 { font-size: 1rem; margin: 1.8rem 0 .4rem } p { color: var(--soft); margin: .4rem 0 }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .1rem .8rem; margin: 0 } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere; grid-column: 2 }
a { color: inherit; margin-right: 1rem } .legend { margin-top: 1rem } .legend span { margin-right: 1rem } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; border-radius: 2px }
.legend .failed { border: 2px solid var(--bad); padding: 0 .4em }
${Array.from({ length: COLOURS + 1 }, (_, index) => `.c${index} { background: var(--c${index}) }`).join('\n')}
.flame { position: relative } .bar { position: absolute; box-sizing: border-box; height: ${ROW_PX - 2}px; padding: 0 4px; overflow: hidden; white-space: nowrap; font-size: 12px; line-height: ${ROW_PX - 4}px; border-radius: 2px; border: 1px solid var(--back) }
.bar.failed, .span.failed { border: 2px solid var(--bad) }
.line { display: flex; gap: .6rem; align-items: center; font-size: 12px } .name { flex: 0 0 20rem; box-sizing: border-box; overflow: hidden; white-space: nowrap; text-overflow: ellipsis }
.track { position: relative; flex: 1; height: 14px } .span { position: absolute; box-sizing: border-box; height: 12px; min-width: 2px; border-radius: 2px } .took { flex: 0 0 5rem; text-align: right; color: var(--soft) }
${graphStyle({ text: 'var(--text)', soft: 'var(--soft)', page: 'var(--back)', back: 'var(--back)', line: 'var(--line)', bad: 'var(--bad)', agent: 'var(--c1)', model: 'var(--c4)', tool: 'var(--c2)' })}
table { border-collapse: collapse } th, td { border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: right } th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left } th { color: var(--soft); font-weight: 500 }
`
