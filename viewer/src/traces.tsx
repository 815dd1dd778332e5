import { type FormEvent, useState } from 'react'
import { askedIn, asksForMetrics } from '../answers.ts'
import { rangeNow } from './ask.ts'
import { Ranges } from './board.tsx'
import { Panel } from './panel.tsx'

const asked = askedIn(location.search)

/** A box for TraceQL. Links to Grafana's Explore open this page with their query. */
export function Explore() {
  const [query, setQuery] = useState(asked.query)
  const [from, setFrom] = useState(asked.from)
  const [question, setQuestion] = useState({ query, range: rangeNow(from) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setQuestion({ query, range: rangeNow(from) })
  }
  const isMetrics = asksForMetrics(question.query)
  const kind = isMetrics ? { metricsQueryType: 'range' } : { tableType: 'spans', limit: 50, spss: 20 }
  const panel = {
    type: isMetrics ? 'timeseries' : 'table',
    title: 'In kept traces',
    targets: [{ refId: 'A', datasource: { type: 'tempo' }, query: question.query, ...kind }],
    fieldConfig: { defaults: { color: { mode: 'palette-classic' } }, overrides: [] },
    options: { legend: { displayMode: 'list', showLegend: true, calcs: [] } },
  }
  const size = { width: document.body.clientWidth - 16, height: innerHeight - 160 }
  return (
    <>
      <form onSubmit={submit}>
        <textarea aria-label="TraceQL" rows={3} value={query} onChange={({ target }) => setQuery(target.value)} />
        <Ranges from={from} choose={setFrom} />
        <button type="submit">Ask Tempo</button>
      </form>
      {question.query && <Panel panel={panel} range={question.range} lookup={() => undefined} {...size} />}
    </>
  )
}
