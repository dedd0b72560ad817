// Registers one product; what is wrong is said while it is written.

import { ask, onceKey } from '../api.js'
import { Code } from '../parts/copy.js'
import { Field, fieldError } from '../parts/form.js'
import { html, useRef, useState } from '../parts/html.js'
import { useDeed } from '../parts/load.js'
import { Facts, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { say } from '../parts/toast.js'
import { href } from '../router.js'
import { t } from '../text/text.js'

const NOTHING = { uid_tag_id: '', name: '', sku: '', category: '', material: '', serial_number: '', patch_location: '', notes: '', image: '', owner: '' }
const PRODUCT = ['uid_tag_id', 'name', 'sku', 'category', 'material', 'serial_number']
const METADATA = ['patch_location', 'notes', 'image']
const ADDRESS = /^[123mn][1-9A-HJ-NP-Za-km-z]{25,34}$/

/** Says what is wrong with a tag, as src/patch/tag.rs has it. */
function flawOfTag(tag) {
  if (tag === '') return null
  if ([...tag].length < 3 || [...tag].length > 128) return t('register.tag.length')
  if (tag !== tag.trim() || /\p{C}/u.test(tag)) return t('register.tag.printable')
  if (tag !== tag.normalize('NFC')) return t('register.tag.nfc')
  return null
}

const flawOfOwner = (owner) => (owner === '' || ADDRESS.test(owner.trim()) ? null : t('register.owner.flaw'))

const chosen = (form, names) => Object.fromEntries(names.filter((name) => form[name].trim()).map((name) => [name, form[name].trim()]))

function bodyOf(form) {
  const metadata = chosen(form, METADATA)
  return {
    product: { ...chosen(form, PRODUCT), uid_tag_id: form.uid_tag_id },
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    auth: { owner: form.owner.trim() }
  }
}

function Result({ answer, again }) {
  const { body, status } = answer
  const uid = body.uid_tag_id
  return html`<${Section} title=${t(status === 201 ? 'register.done' : 'register.queued')} note=${t(status === 201 ? 'register.done.text' : 'register.queued.text')}>
    <${Facts} items=${[
      [t('patch.tag'), html`<${Code} text=${uid} what=${t('patch.tag')} />`],
      [t('patch.txid'), body.txid && html`<${Code} text=${body.txid} what=${t('patch.txid')} />`],
      [t('patch.certificate'), html`<a href=${`/certificates/${encodeURIComponent(uid)}`} target="_blank" rel="noopener">/certificates/${uid}</a>`]
    ]} />
    <p class="actions"><a class="button primary" href=${href(`/patches/${encodeURIComponent(uid)}`)}>${t('register.show')}</a>
      <button type="button" onClick=${again}>${t('register.again')}</button></p>
  <//>`
}

export default function Register() {
  const [form, setForm] = useState(NOTHING)
  const [answer, setAnswer] = useState(null)
  // The same key goes with every try of one form: an answer that was lost is not a second product.
  const once = useRef(onceKey())
  const { run, isBusy, error, clear } = useDeed(async () => {
    const given = await ask('POST', '/v1/patches', { json: bodyOf(form), once: once.current })
    say(t('register.said', { tag: given.body.uid_tag_id }))
    setAnswer(given)
  })
  const flaws = { uid_tag_id: flawOfTag(form.uid_tag_id), owner: flawOfOwner(form.owner) }
  const set = (name) => (value) => {
    once.current = onceKey()
    clear()
    setForm((before) => ({ ...before, [name]: value }))
  }
  const submit = (event) => {
    event.preventDefault()
    if (!flaws.uid_tag_id && !flaws.owner) run()
  }
  const again = () => {
    once.current = onceKey()
    setForm({ ...form, uid_tag_id: '', serial_number: '' })
    setAnswer(null)
  }
  if (answer) return html`<${Page} title=${t('nav.register')}><${Result} answer=${answer} again=${again} /><//>`
  const field = (name, group, more = {}) => html`<${Field} label=${t(`product.${name}`)} value=${form[name]} onValue=${set(name)}
    error=${flaws[name] ?? fieldError(error, `${group}.${name}`)} ...${more} />`
  return html`<${Page} title=${t('nav.register')} lead=${t('register.lead')}>
    <form class="form" onSubmit=${submit}>
      <${Problem} error=${error} />
      <${Section} title=${t('register.must')}>
        ${field('uid_tag_id', 'product', { required: true, hint: t('register.tag.hint'), autocomplete: 'off', autofocus: true })}
        ${field('owner', 'auth', { required: true, hint: t('register.owner.hint'), autocomplete: 'off', spellcheck: false, class: 'mono' })}
      <//>
      <${Section} title=${t('patch.product')} note=${t('register.may')}>
        ${field('name', 'product', { maxlength: 200 })}
        <div class="pair">${field('sku', 'product')}${field('serial_number', 'product')}</div>
        <div class="pair">${field('category', 'product')}${field('material', 'product')}</div>
        ${field('patch_location', 'metadata')}
        ${field('image', 'metadata', { type: 'url' })}
        ${field('notes', 'metadata', { many: true })}
      <//>
      <p class="actions"><button type="submit" class="primary" disabled=${isBusy || !form.uid_tag_id || !form.owner || Boolean(flaws.uid_tag_id ?? flaws.owner)}>${t(isBusy ? 'wait' : 'register.action')}</button></p>
    </form>
  <//>`
}
