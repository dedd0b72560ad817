// Reading for a page: once, and again when the stream says that it changed.

import { useEffect, useRef, useState } from './html.js'
import { news } from '../live.js'

/**
 * Reads by `ask(signal, isBackground)` whenever `deps` change or a topic of `topics` has news; what is shown
 * stays until the new answer is there. In the background is what is read again by itself. Returns `{data, error, isLoading, reload}`.
 */
export function useLoad(ask, deps, topics = []) {
  const [state, setState] = useState({ isLoading: true })
  const [turn, setTurn] = useState(0)
  const shown = useRef(null)
  const heard = topics.map((topic) => news[topic].value).join()
  const key = JSON.stringify(deps)
  useEffect(() => {
    const controller = new AbortController()
    const isSame = shown.current === key
    if (!isSame) setState((before) => ({ ...before, isLoading: true, error: undefined }))
    ask(controller.signal, isSame).then(
      (data) => {
        shown.current = key
        setState({ data, isLoading: false })
      },
      (error) => error.name === 'AbortError' || setState((before) => ({ data: isSame ? before.data : undefined, error, isLoading: false }))
    )
    return () => controller.abort()
  }, [key, heard, turn])
  return { ...state, reload: () => setTurn((before) => before + 1) }
}

/** Runs a deed once at a time: `{run, isBusy, error, clear}`. */
export function useDeed(deed) {
  const [state, setState] = useState({ isBusy: false })
  const run = async (...args) => {
    setState({ isBusy: true })
    try {
      const result = await deed(...args)
      setState({ isBusy: false })
      return result
    } catch (error) {
      setState({ isBusy: false, error })
      return undefined
    }
  }
  return { ...state, run, clear: () => setState({ isBusy: false }) }
}
