// ECDSA over secp256k1: signatures in strict DER with a low S, keys compressed.

import { Reader, concat, demand } from './bytes.mjs'
import { verify } from './secp256k1.js'

/** Reads a signature in strict DER as r and s, 32 bytes each; nothing if it is none. */
function fromDer(der) {
  try {
    const reader = new Reader(der)
    demand(reader.u8() === 0x30 && reader.u8() === der.length - 2, 'no sequence')
    const parts = [readInteger(reader), readInteger(reader)]
    reader.finish()
    return concat(...parts)
  } catch {
    return undefined
  }
}

function readInteger(reader) {
  demand(reader.u8() === 0x02, 'no integer')
  const bytes = reader.take(reader.u8())
  demand(bytes.length > 0 && bytes[0] < 0x80, 'negative')
  const isPadded = bytes[0] === 0 && bytes.length > 1
  demand(!isPadded || bytes[1] >= 0x80, 'not the shortest form')
  const digits = isPadded ? bytes.slice(1) : bytes
  demand(digits.length <= 32, 'too long')
  return concat(new Uint8Array(32 - digits.length), digits)
}

/** Says whether `der` signs the 32-byte `digest` under the compressed `key`. */
export function isSigned(der, digest, key) {
  const compact = fromDer(der)
  if (!compact || key.length !== 33) return false
  try {
    return verify(compact, digest, key, { prehash: false, lowS: true })
  } catch {
    return false
  }
}
