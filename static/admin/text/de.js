// Jeder Satz der Konsole auf Deutsch; en.js hat dieselben Schlüssel.

import backups from './de/backups.js'
import imports from './de/imports.js'
import pages from './de/pages.js'
import shared from './de/shared.js'

export default { ...shared, ...pages, ...imports, ...backups }
