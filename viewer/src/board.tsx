import { useEffect, useState } from 'react'
import { interpolate } from '../answers.ts'
import { json, type Lookup, rangeNow, scale } from './ask.ts'
import { Panel, type PanelModel } from './panel.tsx'

// biome-ignore lint/suspicious/noExplicitAny: the boards are checked against Grafana's own types where they are made.
type Variable = { name: string; current?: { value: string }; [setting: string]: any }
type Link = { title: string; url?: string }
export type BoardModel = { uid: string; title: string; description: string; time: { from: string }; links: Link[] } & {
  templating: { list: Variable[] }
  panels: PanelModel[]
}

const REFRESH_MS = 30_000
const ALL = '$__all'

/** Draws a board of Grafana from its JSON. As in Grafana, the chosen variables are in the address. */
export function Board({ board: { time, templating, links, panels } }: { board: BoardModel }) {
  const [params, setParams] = useState(() => new URLSearchParams(location.search))
  const from = params.get('from') ?? time.from
  const [range, setRange] = useState(() => rangeNow(from))
  useEffect(() => {
    const refresh = () => setRange(rangeNow(from))
    refresh()
    const timer = setInterval(() => document.hidden || refresh(), REFRESH_MS)
    window.onresize = refresh
    return () => clearInterval(timer)
  }, [from])
  const choose = (name: string, value: string) => {
    const changed = new URLSearchParams(params)
    changed.set(name, value)
    history.replaceState(null, '', `${location.pathname}?${changed}`)
    setParams(changed)
  }
  const chosen = ({ name, current }: Variable) => params.get(`var-${name}`) ?? current?.value ?? ''
  const lookup = (wanted: string) => {
    const variable = templating.list.find(({ name }) => name === wanted)
    return variable && (chosen(variable) === ALL ? variable.allValue : chosen(variable))
  }
  const asked = templating.list.filter(({ type }) => type === 'query')
  // Grafana's grid: 24 columns, rows of 30 pixels, gaps of 8; a narrow window has one column.
  const column = (document.body.clientWidth - 8) / 24
  const isWide = innerWidth > 768
  return (
    <>
      <form>
        {asked.map((variable) => (
          <Values key={variable.name} {...{ variable, lookup, choose }} value={chosen(variable)} />
        ))}
        <Ranges from={from} choose={(value) => choose('from', value)} />
        {links.map(({ title, url = '' }) => (
          <a key={title} href={interpolate(url, scale(range, lookup).lookup, encodeURIComponent)}>
            {url && title}
          </a>
        ))}
      </form>
      <div className="board">
        {panels.map(({ gridPos: { x, y, w, h }, ...panel }) => (
          <div key={panel.id} style={{ gridColumn: `${x + 1} / span ${w}`, gridRow: `${y + 1} / span ${h}` }}>
            <Panel {...{ panel, range, lookup }} width={(isWide ? w : 24) * column - 8} height={h * 38 - 8} />
          </div>
        ))}
      </div>
    </>
  )
}

type ValuesProps = { variable: Variable; lookup: Lookup; value: string; choose: (name: string, value: string) => void }

function Values({ variable: { name, label, definition, includeAll }, lookup, value, choose }: ValuesProps) {
  const [values, setValues] = useState<string[]>([])
  // The agents are those of the chosen service.
  const asked = interpolate(definition, lookup)
  useEffect(() => {
    const [, metric = '', wanted] = /^label_values\((.+), *(\w+)\)$/.exec(asked) ?? []
    json(`/prom/api/v1/label/${wanted}/values`, { 'match[]': metric }).then(({ data }) => setValues(data))
  }, [asked])
  const [first] = values
  useEffect(() => {
    // As in Grafana, a variable without a valid value gets the first value.
    if (value === '' && first) choose(`var-${name}`, first)
  })
  const all: Record<string, string> = includeAll ? { [ALL]: 'All' } : {}
  const names = { ...all, [value]: value, ...Object.fromEntries(values.map((one) => [one, one])), ...all }
  return <Select label={label} value={value} names={names} choose={(chosen) => choose(`var-${name}`, chosen)} />
}

export function Ranges({ from, choose }: { from: string; choose: (from: string) => void }) {
  const known = ['5m', '15m', '30m', '1h', '3h', '6h'].map((age) => `now-${age}`)
  const names = Object.fromEntries([...known, from].map((one) => [one, one.replace('now-', 'last ')]))
  return <Select label="Range" value={from} names={names} choose={choose} />
}

type SelectProps = { label: string; value: string; names: Record<string, string>; choose: (value: string) => void }

const Select = ({ label, value, names, choose }: SelectProps) => (
  <label>
    {label}{' '}
    <select value={value} onChange={({ target }) => choose(target.value)}>
      {Object.entries(names).map(([one, name]) => (
        <option key={one} value={one}>
          {name}
        </option>
      ))}
    </select>
  </label>
)
