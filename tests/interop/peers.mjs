// Two libraries that know nothing of PatchProof: each reads transactions and runs scripts.

import bsv from 'bsv'
import { Spend, Transaction } from '@bsv/sdk'

const { Interpreter } = bsv.Script

/** What mainnet nodes demanded of every input before the rules were relaxed. */
const STRICT =
  Interpreter.SCRIPT_ENABLE_SIGHASH_FORKID |
  Interpreter.SCRIPT_VERIFY_STRICTENC |
  Interpreter.SCRIPT_VERIFY_LOW_S |
  Interpreter.SCRIPT_VERIFY_DERSIG |
  Interpreter.SCRIPT_VERIFY_NULLFAIL |
  Interpreter.SCRIPT_VERIFY_MINIMALDATA |
  Interpreter.SCRIPT_VERIFY_SIGPUSHONLY

const sdk = {
  name: '@bsv/sdk',

  read(hex) {
    const tx = Transaction.fromHex(hex)
    return {
      txid: tx.id('hex'),
      // Rebuilt from the parsed parts: the library would otherwise give back what it was given.
      hex: new Transaction(tx.version, tx.inputs, tx.outputs, tx.lockTime).toHex(),
      version: tx.version,
      lockTime: tx.lockTime,
      inputs: tx.inputs.map((input) => ({
        txid: input.sourceTXID,
        vout: input.sourceOutputIndex,
        sequence: input.sequence,
        script: input.unlockingScript.toHex()
      })),
      outputs: tx.outputs.map((output) => ({
        satoshis: output.satoshis,
        script: output.lockingScript.toHex()
      }))
    }
  },

  /** Runs an input against the transaction it spends from: 'accepted', or why not. */
  judge(hex, index, parentHex) {
    try {
      const tx = Transaction.fromHex(hex)
      const input = tx.inputs[index]
      const spent = Transaction.fromHex(parentHex).outputs[input.sourceOutputIndex]
      const spend = new Spend({
        sourceTXID: input.sourceTXID,
        sourceOutputIndex: input.sourceOutputIndex,
        sourceSatoshis: spent.satoshis,
        lockingScript: spent.lockingScript,
        transactionVersion: tx.version,
        otherInputs: tx.inputs.filter((_, other) => other !== index),
        outputs: tx.outputs,
        inputIndex: index,
        unlockingScript: input.unlockingScript,
        inputSequence: input.sequence,
        lockTime: tx.lockTime
      })
      return spend.validate() ? 'accepted' : 'refused'
    } catch (error) {
      return `refused: ${error.message}`
    }
  }
}

const old = {
  name: 'bsv 1.5.6',

  read(hex) {
    const tx = new bsv.Transaction(hex)
    return {
      txid: tx.hash,
      hex: tx.uncheckedSerialize(),
      version: tx.version,
      lockTime: tx.nLockTime,
      inputs: tx.inputs.map((input) => ({
        txid: input.prevTxId.toString('hex'),
        vout: input.outputIndex,
        sequence: input.sequenceNumber,
        script: input.script.toHex()
      })),
      outputs: tx.outputs.map((output) => ({
        satoshis: output.satoshis,
        script: output.script.toHex()
      }))
    }
  },

  judge(hex, index, parentHex) {
    try {
      const tx = new bsv.Transaction(hex)
      const spent = new bsv.Transaction(parentHex).outputs[tx.inputs[index].outputIndex]
      const interpreter = new Interpreter()
      const isGood = interpreter.verify(
        tx.inputs[index].script,
        spent.script,
        tx,
        index,
        STRICT,
        new bsv.crypto.BN(spent.satoshis)
      )
      return isGood ? 'accepted' : `refused: ${interpreter.errstr}`
    } catch (error) {
      return `refused: ${error.message}`
    }
  }
}

/** The two judges. */
export const peers = [sdk, old]
