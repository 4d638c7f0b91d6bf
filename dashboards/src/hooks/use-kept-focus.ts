import { useEffect, useRef, type RefObject } from 'react'

/**
 * When what has the focus in a frame goes away, such as a line that closes, the frame takes it: the keyboard stays where
 * it was. The frame must have a tabIndex.
 */
export function useKeptFocus(frame: RefObject<HTMLElement | null>) {
  const held = useRef(false)
  useEffect(() => {
    if (held.current && document.activeElement === document.body)
      frame.current?.focus({ preventScroll: true })
  })
  return {
    onFocus: () => {
      held.current = true
    },
    // React tells of no blur while it takes elements away.
    onBlur: () => {
      held.current = false
    },
  }
}
