// Settings that count at once: what each is, where its value comes from, what it may be.

import { ask, may } from '../api.js'
import { Dialog } from '../parts/dialog.js'
import { Field } from '../parts/form.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Loaded, Page } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Table } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { number, t, tOr } from '../text/text.js'

const PATH = '/v1/admin/settings'

const read = async (signal) => {
  const { body, etag } = await ask('GET', PATH, { signal })
  return { settings: body.settings, etag }
}

/** Changes one setting; with the version that was read, nobody else's change is lost. */
const change = (name, value, etag) =>
  ask('PATCH', PATH, { json: { [name]: value }, headers: etag ? { 'if-match': etag } : {} })

function Edit({ setting, etag, onClose, onDone }) {
  const [text, setText] = useState(String(setting.value))
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  const isInside = value >= setting.least && value <= setting.most
  const { run, isBusy, error } = useDeed(async (next) => {
    await change(setting.name, next, etag)
    const former = setting.origin === 'setting' ? setting.value : null
    say(t('settings.saved', { name: setting.name }), { undo: () => change(setting.name, former).then(onDone) })
    onDone()
  })
  const submit = (event) => {
    event.preventDefault()
    if (isInside) run(value)
  }
  return html`<${Dialog} title=${setting.name} onClose=${onClose}><form onSubmit=${submit}>
    <p>${setting.description}</p><${Problem} error=${error} />
    <${Field} label=${t('settings.value', { unit: setting.unit })} required inputmode="numeric" value=${text} onValue=${setText}
      hint=${t('settings.bounds', { least: number(setting.least), most: number(setting.most), initial: number(setting.initial) })}
      error=${isInside ? null : t('settings.outside', { least: number(setting.least), most: number(setting.most) })} />
    <footer class="actions">
      ${setting.setBy && html`<button type="button" class="plain" disabled=${isBusy} onClick=${() => run(null)}>${t('settings.back', { value: number(setting.initial) })}</button>`}
      <button class="primary" disabled=${isBusy || !isInside || value === setting.value}>${t('save')}</button></footer>
  </form><//>`
}

const columns = (edit) => [
  { head: t('settings.name'), main: true, cell: (row) => html`<code>${row.name}</code><br /><span class="quiet">${row.description}</span>` },
  { head: t('settings.worth'), align: 'number', cell: (row) => html`<strong>${number(row.value)}</strong> <span class="quiet unit">${row.unit}</span>` },
  { head: t('settings.origin'), cell: (row) => html`${tOr(`settings.origin.${row.origin}`, row.origin)}${row.setBy && html`<br /><span class="quiet">${row.setBy}, <${Time} at=${row.setAt} /></span>`}` },
  { head: t('deeds'), cell: (row) => may('settings:write') && html`<button type="button" class="small" onClick=${() => edit(row)} aria-label=${t('settings.edit', { name: row.name })}>${t('edit')}</button>` }
]

export default function Settings() {
  const [edited, setEdited] = useState(null)
  const state = useLoad(read, [], ['settings'])
  const done = () => {
    setEdited(null)
    state.reload()
  }
  return html`<${Page} title=${t('nav.settings')} lead=${t('settings.lead')}>
    <${Loaded} state=${state}>${({ settings, etag }) => html`
      <${Table} caption=${t('nav.settings')} columns=${columns(setEdited)} rows=${settings} rowKey=${(row) => row.name} />
      ${edited && html`<${Edit} setting=${edited} etag=${etag} onClose=${() => setEdited(null)} onDone=${done} />`}`}<//>
  <//>`
}
