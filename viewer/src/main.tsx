import { createTheme, ThemeContext } from '@grafana/data'
import { GlobalStyles, PortalContainer } from '@grafana/ui'
import { createRoot } from 'react-dom/client'
import { Board, type BoardModel } from './board.tsx'
import { Explore } from './traces.tsx'

const theme = createTheme({
  colors: { mode: matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark' },
  typography: { fontFamilyMonospace: 'monospace' },
})
const { background, text, border } = theme.colors
const styles = `
body { background: ${background.canvas}; margin: 0; overflow-y: scroll } main { padding: 8px }
nav, form { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: baseline; padding: 4px 4px 12px }
nav small { margin-left: auto } a { color: ${text.link} } nav a[aria-current=true] { color: ${text.primary} }
textarea { flex: 1 1 600px; font-family: monospace }
select, textarea, button { font: inherit; height: auto; width: auto; background: ${background.secondary}; color: ${text.primary}; border: 1px solid ${border.medium}; padding: 4px 8px }
.board > * { margin-bottom: 8px }
@media (min-width: 769px) { .board > * { margin: 0 } .board { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); grid-auto-rows: 30px; gap: 8px } }`

const [, room = '', id = ''] = location.pathname.split('/')
const range = new URLSearchParams(location.search).get('from')

function Page({ boards }: { boards: BoardModel[] }) {
  const board = boards.find(({ uid }) => uid === id)
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PortalContainer />
      <style>{styles}</style>
      <nav>
        {boards.map(({ uid, title }) => (
          <a key={uid} href={`/d/${uid}${range ? `?from=${range}` : ''}`} aria-current={uid === id}>
            {title}
          </a>
        ))}
        <a href="/explore">TraceQL</a>
        <small>Grafana’s panel components, not a Grafana server</small>
      </nav>
      {room === '' &&
        boards.map(({ uid, title, description }) => (
          <p key={uid}>
            <a href={`/d/${uid}`}>{title}</a>: {description}
          </p>
        ))}
      {room === 'd' && (board ? <Board board={board} /> : `There is no board “${id}” in grafana/dashboards.`)}
      {room === 'explore' && <Explore />}
    </ThemeContext.Provider>
  )
}

const boards: BoardModel[] = await (await fetch('/boards.json')).json()
createRoot(document.body.appendChild(document.createElement('main'))).render(<Page boards={boards} />)
