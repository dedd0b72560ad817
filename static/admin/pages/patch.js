// One product: what it is, whose it is, every hand it went through, and the proof of it.

import { get } from '../api.js'
import { Check } from '../parts/check.js'
import { Code } from '../parts/copy.js'
import { html } from '../parts/html.js'
import { useLoad } from '../parts/load.js'
import { Facts, Loaded, Page, Section } from '../parts/page.js'
import { Qr } from '../parts/qr.js'
import { Stage } from '../parts/stage.js'
import { Time } from '../parts/time.js'
import { href } from '../router.js'
import { number, t, tOr } from '../text/text.js'

const PRODUCT = ['name', 'sku', 'category', 'material', 'serial_number']

async function read(uid, signal) {
  const tag = encodeURIComponent(uid)
  const [verdict, history] = await Promise.all([
    get(`/v1/patches/verify/${tag}`, {}, { signal }),
    get(`/v1/patches/${tag}/history`, {}, { signal })
  ])
  return { verdict, events: history.events }
}

function Event({ event }) {
  return html`<li class="event">
    <div class="what"><strong>${tOr(`event.${event.type}`, event.type)}</strong> <${Stage} state=${event.stage} /></div>
    <p class="when"><${Time} at=${event.accepted_at} full /></p>
    <${Facts} items=${[
      [t('patch.owner'), event.owner ? html`<${Code} text=${event.owner} what=${t('patch.owner')} />` : t('patch.erased')],
      [t('patch.txid'), html`<${Code} text=${event.txid} what=${t('patch.txid')} ends=${10} />`],
      [t('event.commitment'), html`<${Code} text=${event.commitment} what=${t('event.commitment')} ends=${10} />`],
      [t('event.block'), event.block ? t('event.block.text', { height: number(event.block.height), n: event.block.confirmations }) : t('event.block.none')]
    ]} />
  </li>`
}

function Product({ verdict, events }) {
  const { record, verificationDetails: details } = verdict
  const uid = details.uid_tag_id
  const product = record?.product ?? {}
  const metadata = record?.metadata ?? {}
  return html`<div class="split">
    <div>
      <${Section} title=${t('patch.product')}>
        <${Facts} items=${[
          [t('patch.tag'), html`<${Code} text=${uid} what=${t('patch.tag')} />`],
          ...PRODUCT.map((name) => [t(`product.${name}`), product[name]]),
          [t('product.patch_location'), metadata.patch_location],
          [t('product.notes'), metadata.notes],
          [t('product.image'), metadata.image && html`<span class="mono">${metadata.image}</span>`]
        ]} />
      <//>
      <${Section} title=${t('patch.custody')} note=${t('patch.custody.note', { n: events.length })}>
        <ol class="custody" reversed>${[...events].reverse().map((event) => html`<${Event} key=${event.id} event=${event} />`)}</ol>
      <//>
    </div>
    <div>
      <${Section} title=${t('patch.verdict')}>
        <p class="verdict"><${Stage} state=${verdict.status} /></p>
        <p>${details.reason}</p>
        <${Facts} items=${[
          [t('patch.owner'), details.owner ? html`<${Code} text=${details.owner} what=${t('patch.owner')} ends=${8} />` : t('patch.erased')],
          [t('patch.txid'), html`<${Code} text=${details.currentTxid} what=${t('patch.txid')} ends=${8} />`],
          [t('patch.transfer'), details.isTransferPending ? t('patch.transfer.yes') : undefined]
        ]} />
      <//>
      <${Section} title=${t('patch.proof')} note=${t('patch.proof.note')}>
        <p class="stack"><a class="button" href=${`/certificates/${encodeURIComponent(uid)}`} target="_blank" rel="noopener">${t('patch.certificate')}</a>
        <a class="button" href=${`/v1/patches/${encodeURIComponent(uid)}/proof`} download=${`${uid}.proof.json`}>${t('patch.proof.save')}</a></p>
        <${Check} uid=${uid} />
      <//>
      <${Section} title=${t('qr')} note=${t('qr.note')}><${Qr} uid=${uid} name=${product.name} url=${details.certificateUrl} /><//>
    </div>
  </div>`
}

export default function Patch({ param }) {
  const state = useLoad((signal) => read(param, signal), [param], ['record'])
  return html`<${Page} title=${state.data?.verdict.record?.product?.name ?? param} lead=${html`<a href=${href('/patches')}>${t('nav.patches')}</a> / <code>${param}</code>`}>
    <${Loaded} state=${state}>${(data) => html`<${Product} ...${data} />`}<//>
  <//>`
}
