// Every sentence of the console in English; de.js has the same keys.

import backups from './en/backups.js'
import imports from './en/imports.js'
import pages from './en/pages.js'
import shared from './en/shared.js'

export default { ...shared, ...pages, ...imports, ...backups }
