// Every page: where it is, who may see it, how it is reached by the keyboard. One file for each.

import { mayRead, may, session } from './api.js'

/** The pages in the order of the navigation; `load` brings the file when it is first shown. */
export const PAGES = [
  { name: 'overview', path: '/', group: 'products', key: 'o', load: () => import('./pages/overview.js'), may: () => mayRead('metrics:read') },
  { name: 'patches', path: '/patches', group: 'products', key: 'p', load: () => import('./pages/patches.js'), may: () => mayRead('patches:write') },
  { name: 'register', path: '/register', group: 'products', key: 'n', load: () => import('./pages/register.js'), may: () => may('patches:write') },
  { name: 'imports', path: '/imports', group: 'products', key: 'i', load: () => import('./pages/imports.js'), may: () => mayRead('patches:write') },
  { name: 'records', path: '/records', group: 'products', key: 'r', load: () => import('./pages/records.js'), may: () => mayRead('patches:write') },
  { name: 'claims', path: '/claims', group: 'products', key: 'c', load: () => import('./pages/claims.js'), may: () => mayRead('pos') },
  { name: 'anchors', path: '/anchors', group: 'chain', key: 'a', load: () => import('./pages/anchors.js'), may: () => true },
  { name: 'pool', path: '/pool', group: 'chain', key: 'u', load: () => import('./pages/pool.js'), may: () => mayRead('utxo:write') },
  { name: 'headers', path: '/headers', group: 'chain', key: 'h', load: () => import('./pages/headers.js'), may: () => mayRead('settings:write') },
  { name: 'networks', path: '/networks', group: 'chain', key: 'w', load: () => import('./pages/networks.js'), may: () => mayRead('metrics:read') },
  { name: 'keys', path: '/keys', group: 'house', key: 'k', load: () => import('./pages/keys.js'), may: () => mayRead('keys:write') },
  { name: 'people', path: '/people', group: 'house', key: 'm', load: () => import('./pages/people.js'), may: () => may('admin') },
  { name: 'settings', path: '/settings', group: 'house', key: 's', load: () => import('./pages/settings.js'), may: () => mayRead('settings:write') },
  { name: 'audit', path: '/audit', group: 'house', key: 't', load: () => import('./pages/audit.js'), may: () => mayRead('admin') },
  { name: 'backups', path: '/backups', group: 'house', key: 'b', load: () => import('./pages/backups.js'), may: () => mayRead('admin') },
  { name: 'logs', path: '/logs', group: 'house', key: 'l', load: () => import('./pages/logs.js'), may: () => mayRead('admin') },
  { name: 'system', path: '/system', group: 'house', key: 'y', load: () => import('./pages/system.js'), may: () => mayRead('metrics:read') }
]

/** Pages that are reached from others. */
const HIDDEN = [
  { name: 'me', pattern: /^\/me()$/, load: () => import('./pages/me.js'), may: () => true },
  { name: 'import', pattern: /^\/imports\/([\w-]+)$/, under: 'imports', load: () => import('./pages/import.js'), may: () => mayRead('patches:write') },
  { name: 'patch', pattern: /^\/patches\/(.+)$/, under: 'patches', load: () => import('./pages/patch.js'), may: () => true }
]

/** The groups of the navigation. */
export const GROUPS = ['products', 'chain', 'house']

/** The pages that whoever is logged in may see. */
export const visible = () => (session.value ? PAGES.filter((page) => page.may()) : [])

/** Finds the page of a path, with what the path names: `{page, param}`. */
export function find(path) {
  const page = PAGES.find((candidate) => candidate.path === path)
  if (page) return { page }
  for (const candidate of HIDDEN) {
    const found = candidate.pattern.exec(path)
    if (found) return { page: candidate, param: decodeURIComponent(found[1]) }
  }
  return {}
}
