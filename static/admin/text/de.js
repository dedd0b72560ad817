// Jeder Satz der Konsole auf Deutsch; en.js hat dieselben Schlüssel.

import pages from './de/pages.js'
import shared from './de/shared.js'

export default { ...shared, ...pages }
