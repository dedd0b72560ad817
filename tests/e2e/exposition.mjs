// Reads Prometheus' text exposition strictly: a line that is none of its forms is an error.

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)(?: (-?\d+))?$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

function labels(text = '') {
  const found = {}
  let rest = text
  while (rest) {
    const label = LABEL.exec(rest)
    if (!label) throw new Error(`labels: ${text}`)
    found[label[1]] = label[2]
    rest = rest.slice(label[0].length)
  }
  return found
}

const number = (text) => {
  const value = { '+Inf': Infinity, '-Inf': -Infinity, NaN }[text] ?? Number(text)
  if (Number.isNaN(value) && text !== 'NaN') throw new Error(`no number: ${text}`)
  return value
}

/** Returns every family of metrics by its name, with its type and samples. */
export function families(text) {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const found = new Map()
  const family = (name) => {
    if (!NAME.test(name)) throw new Error(`no name: ${name}`)
    if (!found.has(name)) found.set(name, { type: 'untyped', samples: [] })
    return found.get(name)
  }
  for (const line of text.slice(0, -1).split('\n')) {
    const [mark, kind, name, ...rest] = line.split(' ')
    if (mark === '#' && kind === 'TYPE') {
      if (!TYPES.includes(rest[0])) throw new Error(`no type: ${line}`)
      family(name).type = rest[0]
    } else if (line && mark !== '#') {
      const sample = SAMPLE.exec(line)
      if (!sample) throw new Error(`no sample: ${line}`)
      const base = sample[1].replace(/_(bucket|sum|count)$/, '')
      const owner = ['histogram', 'summary'].includes(found.get(base)?.type) ? base : sample[1]
      family(owner).samples.push({ labels: labels(sample[2]), value: number(sample[3]) })
    }
  }
  return found
}
