// Merkle trees: that of a block (BRC-74) and that of a batch of records (RFC 9162).

import { Flaw, concat, demand, equal, sha256, sha256d } from './bytes.mjs'

const MOST_LEVELS = 32
const DUPLICATE = 1
const TXID = 2

const sibling = (offset) => (offset % 2 === 1 ? offset - 1 : offset + 1)
const half = (offset) => Math.floor(offset / 2)

/** Reads a Merkle path and climbs to its one root, refusing whatever does not lead there. */
export function readPath(reader) {
  const height = reader.varint()
  demand(height <= 0xffff_ffff, 'a block of that height cannot exist')
  const count = reader.u8()
  demand(count >= 1 && count <= MOST_LEVELS, 'a tree of so many levels cannot exist')
  const levels = Array.from({ length: count }, (_, level) => reader.list((it) => readLeaf(it, level)))
  demand(levels[0].length > 0, 'a path has no leaf')
  for (const leaves of levels) {
    const isAscending = leaves.every((leaf, at) => at === 0 || leaves[at - 1].offset < leaf.offset)
    demand(isAscending, 'the leaves of a path are not in order')
  }
  const marked = levels[0].filter((leaf) => leaf.flags === TXID).map((leaf) => leaf.hash)
  return { height, marked, root: climb(levels), leaves: levels[0] }
}

function readLeaf(reader, level) {
  const offset = reader.varint()
  const flags = reader.u8()
  demand(flags <= DUPLICATE || (flags === TXID && level === 0), 'a leaf has flags that do not fit')
  return { offset, flags, hash: flags === DUPLICATE ? undefined : reader.take(32) }
}

function climb(levels) {
  // A lone level is either a block of one transaction or holds all leaves of a small block.
  const least = levels.length === 1 ? 0 : levels.length
  let computed = new Map()
  let lastNode = Infinity
  for (let level = 0; level <= MOST_LEVELS; level++) {
    const { nodes, duplicate } = fillLevel(level, computed, levels[level] ?? [], lastNode)
    if (nodes.size === 1 && nodes.has(0) && level >= least) return nodes.get(0)
    computed = pairUp(nodes, duplicate)
    lastNode = half(duplicate === undefined ? lastNode : duplicate - 1)
  }
  throw new Flaw('a path does not end')
}

function fillLevel(level, computed, given, lastNode) {
  demand(level === 0 || given.every((leaf) => computed.has(sibling(leaf.offset))), 'a node is not needed')
  const nodes = new Map(computed)
  let duplicate
  for (const { offset, hash } of given) {
    demand(duplicate === undefined && (hash === undefined || offset <= lastNode), 'a duplicate is misplaced')
    let node = hash
    if (node === undefined) {
      duplicate = offset
      const isAtEnd = offset % 2 === 1 && Math.max(...nodes.keys()) === offset - 1
      demand(isAtEnd, 'a duplicate is misplaced')
      node = nodes.get(offset - 1)
    }
    demand(!nodes.has(offset) || equal(nodes.get(offset), node), 'the leaves disagree')
    nodes.set(offset, node)
  }
  return { nodes, duplicate }
}

function pairUp(nodes, duplicate) {
  const parents = new Map()
  for (const [offset, hash] of nodes) {
    const other = nodes.get(sibling(offset))
    demand(other, 'a node is missing')
    if (offset % 2 === 1) continue
    // Equal siblings that are not marked would give one transaction two places (CVE-2012-2459).
    demand(!equal(hash, other) || duplicate === offset + 1, 'two siblings are equal')
    parents.set(offset / 2, sha256d(concat(hash, other)))
  }
  return parents
}

/** Checks that `commitment` is the leaf that `inclusion` says of a tree with this `root`. */
export function checkInclusion(commitment, { index, size, path }, root) {
  demand(index < size, 'the leaf is outside of the tree')
  let [place, last] = [index, size - 1]
  let hash = sha256(concat(Uint8Array.of(0), commitment))
  for (const other of path) {
    demand(last > 0, 'the way to the root is too long')
    if (place % 2 === 1 || place === last) {
      hash = sha256(concat(Uint8Array.of(1), other, hash))
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      hash = sha256(concat(Uint8Array.of(1), hash, other))
    }
    ;[place, last] = [half(place), half(last)]
  }
  demand(last === 0, 'the way to the root is too short')
  demand(equal(hash, root), 'the way leads to another root')
}
