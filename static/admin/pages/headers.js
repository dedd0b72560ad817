// The chain of headers that proofs end in, and the checkpoints that an operator holds it to.

import { ask, get, may, post } from '../api.js'
import { Code } from '../parts/copy.js'
import { Dialog, confirm } from '../parts/dialog.js'
import { Field, fieldError } from '../parts/form.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Facts, Loaded, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Stage } from '../parts/stage.js'
import { Table } from '../parts/table.js'
import { say } from '../parts/toast.js'
import { number, t, tOr } from '../text/text.js'

const PATH = '/v1/admin/headers/checkpoints'

function Add({ onClose, onDone }) {
  const [height, setHeight] = useState('')
  const [hash, setHash] = useState('')
  const { run, isBusy, error } = useDeed(async () => {
    await post(PATH, { height: Number(height), hash: hash.trim().toLowerCase() })
    say(t('headers.added', { height: number(Number(height)) }))
    onDone()
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Dialog} title=${t('headers.add')} onClose=${onClose}><form onSubmit=${submit}>
    <p>${t('headers.add.text')}</p><${Problem} error=${error} />
    <${Field} label=${t('headers.height')} required inputmode="numeric" pattern="[0-9]+" value=${height} onValue=${setHeight} error=${fieldError(error, 'height')} />
    <${Field} label=${t('headers.hash')} required class="mono" pattern="[0-9a-fA-F]{64}" value=${hash} onValue=${setHash} error=${fieldError(error, 'hash')} />
    <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button><button class="primary" disabled=${isBusy}>${t('headers.add')}</button></footer>
  </form><//>`
}

export default function Headers() {
  const [isOpen, setOpen] = useState(false)
  const state = useLoad((signal) => get(PATH, {}, { signal }), [], ['overview'])
  const remove = useDeed(async (row) => {
    const isAgreed = await confirm({ title: t('headers.remove'), text: t('headers.remove.text', { height: number(row.height) }), action: t('headers.remove'), danger: true })
    if (!isAgreed) return
    await ask('DELETE', `${PATH}/${row.height}`)
    say(t('headers.removed', { height: number(row.height) }), { undo: () => post(PATH, { height: row.height, hash: row.hash }).then(state.reload) })
    state.reload()
  })
  const columns = [
    { head: t('headers.height'), main: true, cell: (row) => number(row.height) },
    { head: t('headers.hash'), cell: (row) => html`<${Code} text=${row.hash} what=${t('headers.hash')} ends=${10} />` },
    { head: t('headers.origin'), cell: (row) => tOr(`headers.origin.${row.origin}`, row.origin) },
    { head: t('patch.state'), cell: (row) => html`<${Stage} state=${row.standing} />` },
    { head: '', cell: (row) => may('settings:write') && row.origin !== 'configured' && html`<button type="button" class="small" onClick=${() => remove.run(row)}>${t('headers.remove')}</button>` }
  ]
  return html`<${Page} title=${t('nav.headers')} lead=${t('headers.lead')}
      actions=${may('settings:write') && html`<button type="button" onClick=${() => setOpen(true)}>${t('headers.add')}</button>`}>
    <${Problem} error=${remove.error} />
    <${Loaded} state=${state}>${({ anchored, lowest, tip, checkpoints }) => html`<${Section} title=${t('headers.chain')}>
        <${Facts} items=${[
          [t('headers.tip'), tip ? html`${number(tip.height)} <${Code} text=${tip.hash} what=${t('headers.hash')} ends=${10} />` : null],
          [t('headers.lowest'), lowest === null ? null : number(lowest)],
          [t('headers.anchored'), anchored && tOr(`headers.anchored.${anchored}`, anchored)]
        ]} /><//>
      <${Section} title=${t('headers.checkpoints')}>${checkpoints.length === 0
        ? html`<${Empty} title=${t('headers.none')} text=${t('headers.none.text')} />`
        : html`<${Table} caption=${t('headers.checkpoints')} columns=${columns} rows=${checkpoints} rowKey=${(row) => row.height} />`}<//>`}<//>
    ${isOpen && html`<${Add} onClose=${() => setOpen(false)} onDone=${() => { setOpen(false); state.reload() }} />`}
  <//>`
}
