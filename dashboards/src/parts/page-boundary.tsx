import { Component, type ReactNode } from 'react'
import { asProblem } from '../api.ts'
import { Message } from './message.tsx'

/** Keeps the rest of the app when a page fails, and says what to do. React offers this to classes only. */
export class PageBoundary extends Component<{ children: ReactNode }, { failure: unknown }> {
  override state: { failure: unknown } = { failure: null }

  static getDerivedStateFromError(failure: unknown): { failure: unknown } {
    return { failure }
  }

  override render(): ReactNode {
    const { failure } = this.state
    if (failure === null) return this.props.children
    return (
      <main>
        <Message title="This page cannot be shown">
          <p>
            {isMissingCode(failure)
              ? 'Its code could not be loaded: the server does not answer, or runs another version by now.'
              : 'This is a fault of the page, not of your data. What it could not do:'}
          </p>
          <p>
            <code>{asProblem(failure).message}</code>
          </p>
          <div className="notice-actions">
            <button type="button" className="button primary" onClick={() => location.reload()}>
              Load the page again
            </button>
          </div>
        </Message>
      </main>
    )
  }
}

function isMissingCode(failure: unknown): boolean {
  return failure instanceof TypeError && /import|module/iu.test(failure.message)
}
