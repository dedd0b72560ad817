// The newest lines of the log, as it was written: nothing secret is in it.

import { get } from '../api.js'
import { Select } from '../parts/form.js'
import { html, useEffect, useRef, useState } from '../parts/html.js'
import { useLoad } from '../parts/load.js'
import { Empty, Loaded, Page } from '../parts/page.js'
import { Stage } from '../parts/stage.js'
import { Table } from '../parts/table.js'
import { exactBoth } from '../parts/time.js'
import { place, setQuery } from '../router.js'
import { language, t } from '../text/text.js'

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace']
const KIND = { error: 'bad', warn: 'warn' }
const REFRESH_MS = 2000
const PAUSE_MS = 300
const LIMIT = 200

const clock = (at) => new Intl.DateTimeFormat(language.value, { timeStyle: 'medium' }).format(new Date(at))
const fieldsOf = ({ fields }) => Object.entries(fields ?? {}).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')

const columns = () => [
  { head: t('logs.at'), cell: (row) => html`<time datetime=${row.at} title=${exactBoth(row.at)}>${clock(row.at)}</time>` },
  { head: t('logs.level'), cell: (row) => html`<${Stage} state=${`log.${row.level}`} kind=${KIND[row.level] ?? 'plain'} />` },
  { head: t('logs.message'), main: true, cell: (row) => html`<span class="wrap">${row.message}</span> <code class="quiet">${fieldsOf(row)}</code>` },
  { head: t('logs.target'), minor: true, cell: (row) => html`<code class="quiet">${row.target ?? ''}</code>` },
  { head: t('request.id'), cell: (row) => row.requestId ? html`<button type="button" class="link mono" onClick=${() => setQuery({ search: row.requestId })} title=${row.requestId}>…${row.requestId.slice(-8)}</button>` : '' }
]

/** Asks again while the page is seen and nobody has stopped it. */
function useTurns(isOn) {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    if (!isOn) return undefined
    const timer = setInterval(() => { if (!document.hidden) setTurn((before) => before + 1) }, REFRESH_MS)
    return () => clearInterval(timer)
  }, [isOn])
  return turn
}

export default function Logs() {
  const { query } = place.value
  const level = LEVELS.includes(query.get('level')) ? query.get('level') : 'info'
  const search = query.get('search') ?? ''
  const [text, setText] = useState(search)
  const [isOn, setOn] = useState(true)
  const turn = useTurns(isOn)
  const timer = useRef(0)
  useEffect(() => setText(search), [search])
  const change = (event) => {
    const now = event.target.value
    setText(now)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setQuery({ search: now.trim() }), PAUSE_MS)
  }
  const state = useLoad((signal) => get('/v1/admin/logs', { level, search, limit: LIMIT }, { signal, isBackground: turn > 0 }), [level, search, turn])
  return html`<${Page} title=${t('nav.logs')} lead=${t('logs.lead')}
      actions=${html`<button type="button" aria-pressed=${isOn} onClick=${() => setOn(!isOn)}>${t(isOn ? 'logs.stop' : 'logs.go')}</button>`}>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <div class="field grow"><label for="search">${t('logs.search')}</label><input id="search" type="search" maxlength="200" value=${text} onInput=${change} autocomplete="off" /></div>
      <${Select} label=${t('logs.least')} value=${level} onValue=${(name) => setQuery({ level: name })} options=${LEVELS.map((name) => [name, t(`stage.log.${name}`)])} />
    </form>
    <${Loaded} state=${{ ...state, isLoading: false }}>${({ items }) => items.length === 0
      ? html`<${Empty} title=${t('logs.none')} text=${t('logs.none.text')} />`
      : html`<${Table} caption=${t('nav.logs')} columns=${columns()} rows=${[...items].reverse()} rowKey=${(row) => row.number} />`}<//>
  <//>`
}
