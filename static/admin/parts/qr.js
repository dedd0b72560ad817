// The QR code of a certificate: shown, saved as a drawing or a picture, printed as a label, or its link copied.

import { get } from '../api.js'
import { CopyButton } from './copy.js'
import { html, useState } from './html.js'
import { useDeed } from './load.js'
import { Problem } from './problem.js'
import { t } from '../text/text.js'

/** The least that a picture is wide and high; every module has the same whole number of pixels. */
const LEAST_PIXELS = 1024

function save(blob, name) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  // The browser has taken it when the click is done with; the address may go after that.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** Draws the code, whose lines fall on whole pixels, and saves it as a picture. */
async function saveAsPicture(address, name) {
  const drawing = await get(address)
  const [, modules] = /viewBox="0 0 (\d+) /.exec(drawing)
  const size = modules * Math.ceil(LEAST_PIXELS / modules)
  const image = new Image()
  // Some browsers draw nothing whose size is not said.
  const sized = drawing.replace('<svg ', `<svg width="${size}" height="${size}" `)
  image.src = `data:image/svg+xml,${encodeURIComponent(sized)}`
  await image.decode()
  const canvas = Object.assign(document.createElement('canvas'), { width: size, height: size })
  canvas.getContext('2d').drawImage(image, 0, 0, size, size)
  save(await new Promise((resolve) => canvas.toBlob(resolve, 'image/png')), name)
}

/** Prints the label alone: while the mark stands, the rest of the page is left out on paper. */
function printLabel() {
  document.documentElement.dataset.print = 'label'
  addEventListener('afterprint', () => { delete document.documentElement.dataset.print }, { once: true })
  print()
}

/** The code of a product's certificate with what can be done with it; `url` is where it leads. */
export function Qr({ uid, name, url }) {
  const [isMissing, setMissing] = useState(false)
  const address = `/certificates/${encodeURIComponent(uid)}.svg`
  const file = uid.replace(/[^\w-]/g, '_')
  const picture = useDeed(() => saveAsPicture(address, `${file}.qr.png`))
  if (isMissing) return html`<p class="quiet">${t('qr.none')}</p>`
  return html`<div class="qr">
    <figure class="label"><img src=${address} width="220" height="220" alt=${t('qr.alt', { tag: uid })} onError=${() => setMissing(true)} />
      <figcaption>${name && html`<strong>${name}</strong>`}<code>${uid}</code></figcaption></figure>
    <p class="stack"><a class="button" href=${address} download=${`${file}.qr.svg`}>${t('qr.svg')}</a>
      <button type="button" disabled=${picture.isBusy} onClick=${picture.run}>${t('qr.png')}</button>
      <button type="button" onClick=${printLabel}>${t('qr.print')}</button></p>
    <p class="code"><a href=${url} target="_blank" rel="noopener"><code>${url}</code></a><${CopyButton} text=${url} what=${t('qr.link')} /></p>
    <${Problem} error=${picture.error} />
  </div>`
}
