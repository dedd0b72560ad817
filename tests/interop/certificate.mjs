// The modules that a certificate's page loads, taken from the running server: what is tested is what
// visitors are sent.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { demo } from './demo.mjs'

/** Fetches a product's certificate as a browser does. */
export const certificate = (uid, init) =>
  fetch(new URL(`certificates/${encodeURIComponent(uid)}`, demo.baseUrl), {
    headers: { accept: 'text/html' },
    ...init
  })

/** Returns the proof that stands in a page, as the text it is there. */
export const proofIn = (page) => /<script type="application\/json" id="proof">([^<]*)</.exec(page)[1]

/** Loads the modules of a page; returns what the check and its reader export. */
export async function modulesOf(page) {
  const paths = [...page.matchAll(/<link rel="modulepreload" href="([^"]+)"/g)].map(([, path]) => path)
  const folder = mkdtempSync(join(tmpdir(), 'patchproof-certificate-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const path of paths) {
    const answer = await fetch(new URL(path, demo.baseUrl))
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
    writeFileSync(join(folder, path.split('/').at(-1)), await answer.text())
  }
  const load = (name) => import(pathToFileURL(join(folder, name)))
  return { ...(await load('canonical.mjs')), ...(await load('check.mjs')) }
}

/** Runs a check to its end; returns its steps with what it found. */
export function taken(steps) {
  const all = []
  for (;;) {
    const { done, value } = steps.next()
    if (done) return { steps: all, ...value }
    all.push(value)
  }
}
