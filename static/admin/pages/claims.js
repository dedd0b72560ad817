// The counter: a customer shows a code, the cashier looks, signs and hands the product over.

import { ask, get, may, onceKey, session } from '../api.js'
import { Code } from '../parts/copy.js'
import { Dialog } from '../parts/dialog.js'
import { Field, Tabs } from '../parts/form.js'
import { html, signal, useEffect, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Facts, Loaded, Page } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Stage } from '../parts/stage.js'
import { Pager } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { href, place } from '../router.js'
import { t } from '../text/text.js'

const STATES = ['pending', 'approved', 'expired']
/** The shop's key, for as long as this page is open. */
const key = signal(null)

const statusOf = (id, signal) => get(`/v1/pos/claim-status/${encodeURIComponent(id)}`, {}, { signal })

function KeyForm({ onDone, onClose }) {
  const [text, setText] = useState('')
  const [flaw, setFlaw] = useState(null)
  const submit = async (event) => {
    event.preventDefault()
    const { shopKey } = await import('../parts/signing.js')
    try {
      key.value = shopKey(text)
      setText('')
      onDone()
    } catch {
      setFlaw(t('claims.key.flaw'))
    }
  }
  return html`<${Dialog} title=${t('claims.key')} onClose=${onClose}><form onSubmit=${submit}>
    <p>${t('claims.key.text')}</p>
    <${Field} label=${t('claims.key.label')} type="password" class="mono" required autocomplete="off" value=${text} onValue=${setText} error=${flaw} />
    <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button><button class="primary">${t('claims.key.take')}</button></footer>
  </form><//>`
}

/** One claim, in full: what is handed over to whom, and the large button. */
function Claim({ id, onClose }) {
  const [needsKey, setNeedsKey] = useState(false)
  const state = useLoad((signal) => statusOf(id, signal), [id], ['claim'])
  const approve = useDeed(async () => {
    const claim = state.data
    const json = { claimId: id, currentOwnerPubKey: key.value.publicKey, currentOwnerSignature: key.value.sign(claim.message) }
    await ask('POST', '/v1/pos/claim-approve', { json, once: onceKey() })
    say(t('claims.approved', { tag: claim.uid_tag_id }))
    state.reload()
  })
  const press = () => (key.value ? approve.run() : setNeedsKey(true))
  return html`<${Dialog} title=${t('claims.one')} onClose=${onClose}>
    <${Loaded} state=${state}>${(claim) => html`<${Stage} state=${claim.status} />
      <${Facts} items=${[
        [t('patch.tag'), claim.uid_tag_id && html`<strong>${claim.uid_tag_id}</strong>`],
        [t('claims.to'), claim.newOwnerAddress && html`<${Code} text=${claim.newOwnerAddress} what=${t('claims.to')} />`],
        [t('claims.until'), html`<${Time} at=${claim.expiresAt} full />`]
      ]} />
      <${Problem} error=${approve.error} />
      ${claim.status === 'pending' && (claim.message && may('pos')
        ? html`<p>${t('claims.text')}</p><button type="button" class="primary huge" disabled=${approve.isBusy} onClick=${press}>${t(approve.isBusy ? 'wait' : 'claims.approve')}</button>`
        : html`<p class="notice">${t('claims.other')}</p>`)}
      ${claim.status !== 'pending' && html`<button type="button" class="huge" onClick=${onClose}>${t('claims.next')}</button>`}`}<//>
    ${needsKey && html`<${KeyForm} onClose=${() => setNeedsKey(false)} onDone=${() => { setNeedsKey(false); approve.run() }} />`}<//>`
}

function Find({ onFound }) {
  const [text, setText] = useState('')
  const { run, isBusy, error } = useDeed(async () => {
    const id = text.trim()
    await statusOf(id)
    setText('')
    onFound(id)
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<form class="counter" onSubmit=${submit}>
    <${Field} label=${t('claims.code')} hint=${t('claims.code.hint')} required autocomplete="off" autocapitalize="off" spellcheck=${false} class="mono" value=${text} onValue=${setText} />
    <button class="primary huge" disabled=${isBusy || !text.trim()}>${t('claims.find')}</button>
    <${Problem} error=${error} /></form>`
}

const Row = ({ claim, onOpen }) => html`<li><button type="button" class="claim" onClick=${() => onOpen(claim.claimId)}>
  <strong>${claim.uid_tag_id}</strong><${Stage} state=${claim.status} /><span class="quiet">${t('claims.until')} <${Time} at=${claim.expiresAt} /></span></button></li>`

export default function Claims() {
  const { query } = place.value
  const stateName = STATES.includes(query.get('state')) ? query.get('state') : 'pending'
  const cursor = query.get('cursor') ?? ''
  const [opened, setOpened] = useState(null)
  useEffect(() => () => { key.value = null }, [])
  const state = useLoad((signal) => get('/v1/admin/claims', { state: stateName, cursor, limit: 50 }, { signal }), [stateName, cursor], ['claim'])
  return html`<${Page} title=${t('nav.claims')} lead=${t('claims.lead')}
      actions=${key.value && html`<button type="button" onClick=${() => { key.value = null }}>${t('claims.key.forget')}</button>`}>
    ${session.value.account.shop && html`<p class="note">${t('keys.shop')} <code>${session.value.account.shop}</code></p>`}
    <${Find} onFound=${setOpened} />
    <${Tabs} label=${t('patch.state')} current=${stateName} tabs=${STATES.map((name) => [name, t(`stage.${name}`), href(`/claims?state=${name}`)])} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0
      ? html`<${Empty} title=${t('claims.none')} text=${t('claims.none.text')} />`
      : html`<ul class="claims">${items.map((claim) => html`<${Row} key=${claim.claimId} claim=${claim} onOpen=${setOpened} />`)}</ul><${Pager} next=${nextCursor} />`}<//>
    ${opened && html`<${Claim} id=${opened} onClose=${() => setOpened(null)} />`}
  <//>`
}
