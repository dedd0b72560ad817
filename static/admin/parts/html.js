// What every part is written with: markup as tagged text, signals for what changes.

import { h, render } from '../vendor/preact.js'
import htm from '../vendor/htm.js'

export { render }
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/hooks.js'
export { batch, computed, effect, signal } from '../vendor/signals.js'

/** Writes markup as elements; nothing is ever parsed as HTML. */
export const html = htm.bind(h)

let last = 0

/** Returns an identifier that nothing else on the page has. */
export const freshId = (name) => `${name}-${++last}`
