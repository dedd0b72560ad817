// Signer and network: whether each answers, and what happens where it does not.

import { get } from '../api.js'
import { html } from '../parts/html.js'
import { useLoad } from '../parts/load.js'
import { Empty, Facts, Loaded, Page, Section } from '../parts/page.js'
import { Stage } from '../parts/stage.js'
import { Table } from '../parts/table.js'
import { Time, duration } from '../parts/time.js'
import { t } from '../text/text.js'

const state = (seen) => html`<${Stage} state=${seen.ok ? 'answers' : 'silent'} kind=${seen.ok ? 'good' : 'bad'} />`

/** What endpoints call themselves. */
const NAMES = { arc: 'ARC', whatsonchain: 'WhatsOnChain' }

/** Leaves out where an empty answer would be quoted. */
const withoutTail = (error) => error?.replace(/:\s*$/, '')

const facts = (seen) => [
  [t('patch.state'), state(seen)],
  [t('networks.last'), html`<${Time} at=${seen.lastSuccess} />`],
  [t('networks.error'), seen.error ?? undefined]
]

const columns = () => [
  { head: t('networks.endpoint'), main: true, cell: (row) => html`<span class="whole">${NAMES[row.name] ?? row.name}</span>` },
  { head: t('patch.state'), cell: state },
  { head: t('networks.breaker'), cell: (row) => html`<span title=${t(`networks.breaker.${row.breaker}`)}><${Stage} state=${`breaker.${row.breaker}`} kind=${{ closed: 'good', open: 'bad' }[row.breaker] ?? 'warn'} /></span>` },
  { head: t('networks.last'), cell: (row) => html`<${Time} at=${row.lastSuccess} />` },
  { head: t('networks.retry'), cell: (row) => row.retryAfterSeconds ? duration(row.retryAfterSeconds) : html`<span class="quiet">${t('none')}</span>` },
  { head: t('networks.error'), cell: (row) => html`<span class="wrap">${withoutTail(row.error ?? row.lastFailure) ?? html`<span class="quiet">${t('none')}</span>`}</span>` }
]

export default function Networks() {
  const load = useLoad((signal) => get('/v1/admin/networks', {}, { signal }), [], ['overview'])
  return html`<${Page} title=${t('nav.networks')} lead=${t('networks.lead')}>
    <${Loaded} state=${{ ...load, isLoading: false }}>${({ signer, network, endpoints }) => html`<div class="halves">
      <${Section} title=${t('networks.signer')} note=${t('networks.signer.note')}><${Facts} items=${facts(signer)} /><//>
      <${Section} title=${t('networks.network')} note=${t('networks.network.note')}><${Facts} items=${facts(network)} /><//></div>
      <h2 class="over">${t('networks.endpoints')}</h2>
      ${endpoints.length === 0 ? html`<${Empty} title=${t('networks.none')} text=${t('networks.none.text')} />` : html`<${Table} caption=${t('networks.endpoints')} columns=${columns()} rows=${endpoints} rowKey=${(row) => row.name} />`}`}<//>
  <//>`
}
