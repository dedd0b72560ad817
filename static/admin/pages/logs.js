// The newest lines of the log, as it was written: nothing secret is in it.

import { get } from '../api.js'
import { follow } from '../live.js'
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
const PAUSE_MS = 300
const LIMIT = 200

const clock = (at) => new Intl.DateTimeFormat(language.value, { timeStyle: 'medium' }).format(new Date(at))
const fieldsOf = ({ fields }) => Object.entries(fields ?? {}).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')

const columns = () => [
  { head: t('logs.at'), cell: (row) => html`<time datetime=${row.at} title=${exactBoth(row.at)}>${clock(row.at)}</time>` },
  { head: t('logs.level'), cell: (row) => html`<${Stage} state=${`log.${row.level}`} kind=${KIND[row.level] ?? 'plain'} />` },
  { head: t('logs.message'), main: true, cell: (row) => html`<span class="wrap">${row.message}</span> <code class="quiet">${fieldsOf(row)}</code>
    ${row.times > 1 && html` <span class="times" title=${t('logs.since', { at: exactBoth(row.since) })}>${t('logs.times', { n: row.times })}</span>`}` },
  { head: t('logs.target'), minor: true, cell: (row) => html`<code class="quiet">${partOf(row)}</code>` },
  { head: t('request.id'), cell: (row) => row.requestId ? html`<button type="button" class="link mono whole" onClick=${() => setQuery({ search: row.requestId })} title=${row.requestId}>…${row.requestId.slice(-8)}</button>` : '' }
]

/** Names the part of the program; it may break behind colons. */
const partOf = ({ target }) => (target ?? '').replace(/^patchproof::/, '').split('::').flatMap((name, at) => (at ? [html`::<wbr />`, name] : [name]))

/** Takes lines that say the same one after the other as one, of the newest, which says how often. */
function gathered(lines) {
  const rows = []
  for (const line of lines) {
    const last = rows.at(-1)
    const isSame = last && !line.requestId && last.level === line.level && last.message === line.message && fieldsOf(last) === fieldsOf(line)
    if (isSame) Object.assign(last, { times: last.times + 1, since: line.at })
    else rows.push({ ...line, times: 1 })
  }
  return rows
}

const fits = (row, level, search) => LEVELS.indexOf(row.level) <= LEVELS.indexOf(level) &&
  [row.message, row.target, row.requestId, fieldsOf(row)].join(' ').toLowerCase().includes(search.toLowerCase())

/** Reads the lines once, then hears new ones as long as nobody has stopped it; newest last. */
function useLines(level, search, isOn) {
  const [fresh, setFresh] = useState([])
  const state = useLoad((signal, isBackground) => get('/v1/admin/logs', { level, search, limit: LIMIT }, { signal, isBackground }), [level, search])
  const newest = useRef(0)
  newest.current = Math.max(newest.current, state.data?.newest ?? 0)
  useEffect(() => {
    if (!isOn) return undefined
    return follow('log', {
      begun: state.reload,
      heard: ({ items, newest: number }) => {
        // Of a flood some lines are left out: the route has them.
        if (items[0].number > newest.current + 1) state.reload()
        newest.current = Math.max(newest.current, number)
        setFresh((before) => [...before, ...items].slice(-LIMIT))
      }
    })
  }, [isOn])
  const read = state.data?.items ?? []
  const after = fresh.filter((row) => row.number > (state.data?.newest ?? 0) && fits(row, level, search))
  return { ...state, isLoading: false, data: state.data && [...read, ...after].slice(-LIMIT) }
}

export default function Logs() {
  const { query } = place.value
  const level = LEVELS.includes(query.get('level')) ? query.get('level') : 'info'
  const search = query.get('search') ?? ''
  const [text, setText] = useState(search)
  const [isOn, setOn] = useState(true)
  const timer = useRef(0)
  useEffect(() => setText(search), [search])
  const change = (event) => {
    const now = event.target.value
    setText(now)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setQuery({ search: now.trim() }), PAUSE_MS)
  }
  const state = useLines(level, search, isOn)
  return html`<${Page} title=${t('nav.logs')} lead=${t('logs.lead')}
      actions=${html`<button type="button" aria-pressed=${isOn} onClick=${() => setOn(!isOn)}>${t(isOn ? 'logs.stop' : 'logs.go')}</button>`}>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <div class="field grow"><label for="search">${t('logs.search')}</label><input id="search" type="search" maxlength="200" value=${text} onInput=${change} autocomplete="off" /></div>
      <${Select} label=${t('logs.least')} value=${level} onValue=${(name) => setQuery({ level: name })} options=${LEVELS.map((name) => [name, t(`stage.log.${name}`)])} />
    </form>
    <${Loaded} state=${state}>${(items) => items.length === 0
      ? html`<${Empty} title=${t('logs.none')} text=${t('logs.none.text')} />`
      : html`<${Table} caption=${t('nav.logs')} columns=${columns()} rows=${gathered([...items].reverse())} rowKey=${(row) => row.number} />`}<//>
  <//>`
}
