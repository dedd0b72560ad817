// The stage of a record or the state of anything, as a word with a mark that is not colour alone.

import { html } from './html.js'
import { tOr } from '../text/text.js'

const KINDS = {
  good: ['final', 'confirmed', 'ok', 'approved', 'active', 'closed', 'authentic', 'available', 'live', 'anchored'],
  busy: ['accepted', 'reserved', 'signed', 'seen', 'mined', 'pending', 'anchoring', 'unconfirmed', 'half-open', 'queued'],
  warn: ['held', 'warning', 'expired', 'rotated', 'disabled', 'locked', 'degraded'],
  bad: ['failed', 'revoked', 'open', 'error', 'critical', 'invalid', 'tampered', 'not_found']
}

const kindOf = (state) => Object.keys(KINDS).find((kind) => KINDS[kind].includes(state)) ?? 'plain'

/** Shows a state. */
export function Stage({ state, kind = kindOf(state) }) {
  return html`<span class="stage ${kind}">${tOr(`stage.${state}`, state)}</span>`
}
