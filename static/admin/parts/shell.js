// What stands around every page: the way to the others, who is logged in, whether news arrive.

import { html, useEffect, useRef, useState } from './html.js'
import { Dialog } from './dialog.js'
import { sentence } from './problem.js'
import { say } from './toast.js'
import { logOut, session } from '../api.js'
import { state as stream } from '../live.js'
import { go, href } from '../router.js'
import { GROUPS, visible } from '../routes.js'
import { LANGUAGES, language, speak, t, tOr } from '../text/text.js'

const KEPT = 'patchproof-shortcuts'
const CHORD_MS = 1200

const areOn = () => {
  try {
    return localStorage.getItem(KEPT) !== 'off'
  } catch {
    return true
  }
}

function keep(isOn) {
  try {
    localStorage.setItem(KEPT, isOn ? 'on' : 'off')
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

const isTyping = (target) => target.closest('input, textarea, select, [contenteditable]')

/** Listens for "g" and a letter, "/" and "?" until the shell goes. */
function useShortcuts(showHelp) {
  useEffect(() => {
    let chordUntil = 0
    const hear = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (!areOn() || document.querySelector('dialog[open]')) return
      const isChord = event.timeStamp < chordUntil
      chordUntil = 0
      if (event.key === '?') showHelp()
      else if (event.key === '/') document.querySelector('input[type="search"]')?.focus()
      else if (event.key === 'g') chordUntil = event.timeStamp + CHORD_MS
      else if (isChord) {
        const page = visible().find(({ key }) => key === event.key)
        if (page) go(page.path)
      } else return
      event.preventDefault()
    }
    addEventListener('keydown', hear)
    return () => removeEventListener('keydown', hear)
  }, [])
}

function Help({ onClose }) {
  const [isOn, setOn] = useState(areOn())
  const toggle = () => {
    keep(!isOn)
    setOn(!isOn)
  }
  const rows = [['?', t('help.help')], ['/', t('help.search')], ...visible().map(({ key, name }) => [`g ${key}`, t(`nav.${name}`)])]
  return html`<${Dialog} title=${t('help.title')} onClose=${onClose}>
    <dl class="shortcuts">${rows.map(([keys, text]) => html`<div>
      <dt>${keys.split(' ').map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${text}</dd></div>`)}</dl>
    <label class="check"><input type="checkbox" checked=${isOn} onChange=${toggle} /><span>${t('help.on')}</span></label>
  <//>`
}

function Stream() {
  const state = stream.value
  return html`<p class="stream ${state}" title=${t(`stream.${state}.more`)}>${t(`stream.${state}`)}</p>`
}

function Languages() {
  return html`<div class="languages" role="group" aria-label=${t('language')}>${Object.entries(LANGUAGES).map(([name, text]) =>
    html`<button type="button" lang=${name} aria-pressed=${language.value === name} onClick=${() => speak(name)}>${text}</button>`)}</div>`
}

function Navigation({ current }) {
  const pages = visible()
  return html`<nav id="navigation" aria-label=${t('nav')}>${GROUPS.map((group) => {
    const inGroup = pages.filter((page) => page.group === group)
    return inGroup.length > 0 && html`<div class="group"><h2>${t(`nav.group.${group}`)}</h2><ul>${inGroup.map(({ name, path }) =>
      html`<li><a href=${href(path)} aria-current=${name === current ? 'page' : undefined}>${t(`nav.${name}`)}</a></li>`)}</ul></div>`
  })}</nav>`
}

const leave = () => logOut().catch((error) => say(sentence(error), { kind: 'bad' }))

/** The frame of the console around a page. */
export function Shell({ current, children }) {
  const [hasHelp, setHelp] = useState(false)
  const [isOpen, setOpen] = useState(false)
  const main = useRef(null)
  useShortcuts(() => setHelp(true))
  useEffect(() => setOpen(false), [current])
  const { account } = session.value
  const skip = (event) => {
    event.preventDefault()
    main.current.focus()
  }
  return html`<div class=${isOpen ? 'shell open' : 'shell'}>
    <a class="skip" href="#main" onClick=${skip}>${t('skip')}</a>
    <header class="bar">
      <a class="brand" href=${href('/')}>PatchProof</a>
      <button type="button" class="menu" aria-expanded=${isOpen} aria-controls="side" onClick=${() => setOpen(!isOpen)}>${t('nav.menu')}</button>
    </header>
    <div class="side" id="side">
      <${Navigation} current=${current} />
      <footer>
        <${Stream} />
        <p class="who"><a href=${href('/me')} aria-current=${current === 'me' ? 'page' : undefined}><strong>${account.name}</strong></a> <span class="quiet">${tOr(`role.${account.role}`, account.role)}</span></p>
        <div class="links"><button type="button" class="link" onClick=${leave}>${t('logout')}</button>
        <button type="button" class="link" onClick=${() => setHelp(true)}>${t('help.title')}</button></div>
        <${Languages} />
      </footer>
    </div>
    <main id="main" tabindex="-1" ref=${main}>${children}</main>
    ${hasHelp && html`<${Help} onClose=${() => setHelp(false)} />`}
  </div>`
}
